// One program for several processors: a function compiled several times, and the best of them chosen when the
// program runs.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "digitnet/core/amx.hpp"
#include "digitnet/core/error.hpp"
#include "digitnet/core/processor.hpp"

namespace digitnet {

/// Instruction sets that a program can choose from, each with all of those before it: what the compiler takes
/// without being told, AVX2 with FMA (x86-64-v3), AVX-512 (x86-64-v4), AVX-512 with BF16 and VNNI, and AMX.
enum class Processor { baseline, avx2, avx512, avx512_bf16, amx };
inline constexpr std::string_view processor_names[] = {"baseline", "avx2", "avx512", "avx512_bf16", "amx"};
constexpr std::string_view name_of(Processor processor) {
  return processor_names[static_cast<std::size_t>(processor)];
}

inline namespace DIGITNET_PROCESSOR {

/// What this translation unit is compiled for.
#if defined(__AVX512BF16__) && defined(__AVX512VNNI__) && \
    ((defined(__AMX_INT8__) && defined(__AMX_BF16__)) || (defined(__AMXINT8__) && defined(__AMXBF16__)))
inline constexpr Processor compiled_for = Processor::amx;
#elif defined(__AVX512BW__) && defined(__AVX512BF16__) && defined(__AVX512VNNI__)
inline constexpr Processor compiled_for = Processor::avx512_bf16;
#elif defined(__AVX512BW__)
inline constexpr Processor compiled_for = Processor::avx512;
#elif defined(__AVX2__) && defined(__FMA__)
inline constexpr Processor compiled_for = Processor::avx2;
#else
inline constexpr Processor compiled_for = Processor::baseline;
#endif

}  // namespace DIGITNET_PROCESSOR

/// The best that this machine can run.
inline Processor machine() {
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return Processor::baseline;
  if (!__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512vl") ||
      !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512cd"))
    return Processor::avx2;
  if (!__builtin_cpu_supports("avx512bf16") || !__builtin_cpu_supports("avx512vnni"))
    return Processor::avx512;
  return amx_allowed() ? Processor::amx : Processor::avx512_bf16;
#else
  return Processor::baseline;
#endif
}

/// What a program chooses its functions for: the machine's, or what the environment's DIGITNET_ARCH names.
/// Throws an Error if there is no such name, or this machine cannot run it.
inline Processor processor() {
  const char* const wanted = std::getenv("DIGITNET_ARCH");
  const Processor here = machine();
  if (!wanted || !*wanted) return here;
  for (std::size_t i = 0; i < std::size(processor_names); ++i) {
    if (processor_names[i] != wanted) continue;
    if (static_cast<Processor>(i) > here)
      fail("DIGITNET_ARCH is " + std::string(wanted) + ", but this processor has only " +
           std::string(name_of(here)) + ": leave DIGITNET_ARCH empty");
    return static_cast<Processor>(i);
  }
  fail("DIGITNET_ARCH is \"" + std::string(wanted) +
       "\", but must be baseline, avx2, avx512, avx512_bf16, amx or empty");
}

/// A function of which the program has several copies: `inline constinit Entry<int(const float*)> read_digit
/// {"read_digit"};` in a header. The source that defines it is compiled for each processor (CMake:
/// digitnet_for_processors) and says `DIGITNET_ENTRY(read_digit, function);`, function being its own, in an
/// anonymous namespace. A call goes to the best copy that `processor()` may run: the first one looks for it.
template <class Function>
class Entry;

/// A copy of an entry's function, as it lies in the program file: one behind the other, so that their
/// alignment is their size.
template <class Function>
struct alignas(32) EntryCopy {
  const Entry<Function>* entry;
  Function* function;
  Processor compiled_for;
};

namespace detail {

// The linker's names for the part of the program file in which all copies stand; null where there are none.
extern "C" [[gnu::weak, gnu::visibility("hidden")]] const char __start_digitnet_entries[];
extern "C" [[gnu::weak, gnu::visibility("hidden")]] const char __stop_digitnet_entries[];

}  // namespace detail

template <class Result, class... Arguments>
class Entry<Result(Arguments...)> {
 public:
  using Function = Result(Arguments...);
  constexpr explicit Entry(std::string_view name) : name_(name) {}
  Entry(const Entry&) = delete;

  Result operator()(Arguments... arguments) const { return chosen()(std::forward<Arguments>(arguments)...); }

  /// What the copy that is called was compiled for. Throws an Error if the program has no copy that
  /// `processor()` may run.
  Processor compiled_for() const {
    chosen();
    return compiled_for_;
  }

 private:
  Function* chosen() const {
    Function* const known = function_.load(std::memory_order_acquire);
    return known ? known : choose();
  }
  [[gnu::noinline]] Function* choose() const {
    const Processor most = processor();
    EntryCopy<Function> best{};
    std::string all;
    // Copies of all entries have one size, and know which entry they belong to.
    for (const char* at = detail::__start_digitnet_entries; at != detail::__stop_digitnet_entries;
         at += sizeof(EntryCopy<Function>)) {
      EntryCopy<Function> copy;
      std::memcpy(&copy, at, sizeof(copy));
      if (copy.entry != this) continue;
      all += " " + std::string(name_of(copy.compiled_for));
      if (copy.compiled_for <= most && (!best.function || copy.compiled_for > best.compiled_for)) best = copy;
    }
    if (!best.function)
      fail("The program has no copy of " + std::string(name_) + " that may run on " +
           std::string(name_of(most)) + "; it has:" + (all.empty() ? " none" : all) +
           ". Compile its source for that, too: digitnet_for_processors(PROGRAM SOURCE baseline ...)");
    compiled_for_ = best.compiled_for;
    function_.store(best.function, std::memory_order_release);
    return best.function;
  }

  std::string_view name_;
  mutable std::atomic<Function*> function_{nullptr};
  mutable std::atomic<Processor> compiled_for_{Processor::baseline};
};

}  // namespace digitnet

#define DIGITNET_JOIN(a, b) a##b
#define DIGITNET_JOINED(a, b) DIGITNET_JOIN(a, b)
/// Makes `function` this translation unit's copy of an entry. No code runs for that: a copy that this
/// processor cannot run is never touched.
#define DIGITNET_ENTRY(entry, function)                                                                 \
  namespace {                                                                                           \
  [[gnu::section("digitnet_entries"), gnu::used]] constinit const ::digitnet::EntryCopy<                \
      typename ::std::remove_cvref_t<decltype(entry)>::Function>                                        \
      DIGITNET_JOINED(digitnet_entry_copy_, __LINE__){&(entry), &(function), ::digitnet::compiled_for}; \
  }                                                                                                     \
  static_assert(true)
