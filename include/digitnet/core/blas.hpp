// The one place that includes BLAS: xtensor-blas' declarations of CBLAS (its whole binding takes longer to
// compile), and what OpenBLAS needs to be told.
#pragma once
#include <xflens/cxxblas/drivers/cblas.h>

#include <cstddef>
#include <mutex>
#include <string_view>
#include <type_traits>

#include "digitnet/core/language.hpp"

// OpenBLAS' own functions; absent, and then null, when another BLAS is linked.
extern "C" {
[[gnu::weak]] char* openblas_get_corename();
[[gnu::weak]] void openblas_set_num_threads(int);
[[gnu::weak]] int openblas_get_num_threads();
}

namespace digitnet::blas {

enum class Transpose { no, yes };

/// c = a b + beta c with row-major matrices: c is rows x columns, the inner extent is `depth`.
template <class T>
void gemm(Transpose transpose_a, Transpose transpose_b, std::size_t rows, std::size_t columns,
          std::size_t depth, const T* a, std::size_t a_stride, const T* b, std::size_t b_stride, T beta, T* c,
          std::size_t c_stride) {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>);
  const auto flag = [](Transpose transpose) {
    return transpose == Transpose::yes ? CblasTrans : CblasNoTrans;
  };
  const auto index = [](std::size_t value) { return static_cast<CBLAS_INT>(value); };
  const auto call = [&](auto function) {
    function(CblasRowMajor, flag(transpose_a), flag(transpose_b), index(rows), index(columns), index(depth),
             T{1}, a, index(a_stride), b, index(b_stride), beta, c, index(c_stride));
  };
  if constexpr (std::is_same_v<T, float>)
    call(cblas_sgemm);
  else
    call(cblas_dgemm);
}

/// While any of these lives, OpenBLAS computes on the calling thread alone: inside the thread team a second
/// pool of threads would only compete for the same cores. The last one restores what the first one found.
class SingleThread {
 public:
  SingleThread() {
    if (!openblas_set_num_threads) return;
    const std::lock_guard lock(state().mutex);
    if (state().users++ > 0) return;
    state().before = openblas_get_num_threads();
    if (state().before != 1) openblas_set_num_threads(1);
  }
  ~SingleThread() {
    if (!openblas_set_num_threads) return;
    const std::lock_guard lock(state().mutex);
    if (--state().users == 0 && state().before != 1) openblas_set_num_threads(state().before);
  }
  SingleThread(const SingleThread&) = delete;
  SingleThread& operator=(const SingleThread&) = delete;

 private:
  struct State {
    std::mutex mutex;
    int users = 0;
    int before = 1;
  };
  static State& state() {
    static State instance;
    return instance;
  }
};

/// The processor that OpenBLAS chose its kernels for, or an empty text with another BLAS.
inline std::string_view core_name() { return openblas_get_corename ? openblas_get_corename() : ""; }

}  // namespace digitnet::blas
