#include <digitnet/testing/gradient_check.hpp>

#include "support/support.hpp"

using namespace digitnet;
using testing::check_gradients;

// A layer that breaks the contract in one way; the check must see it.
template <int Fault>
struct Faulty {
  static constexpr std::string_view class_name = "Faulty";
  Initializer initializer = Zeros{};
  template <class In>
  struct On : LayerDefaults {
    using Output = In;
    using Parameters = ParameterList<Parameter<"scale", Shape<1>, &Faulty::initializer>>;
    static constexpr LayerTraits traits{.backward_reads_y = false};
    static void forward(const auto& io) {
      const double scale = get<"scale">(io.parameters).data[0];
      for (std::size_t i = 0; i < io.x.size(); ++i)
        if (Fault != 1 || i != 2) io.y.data[i] = scale * io.x.data[i];
      if (Fault == 2) io.y.data[io.y.size()] = 0;
    }
    static void backward(const auto& io) {
      const double scale = get<"scale">(io.parameters).data[0];
      double sum = 0;
      for (std::size_t i = 0; i < io.x.size(); ++i) {
        sum += io.dy.data[i] * (Fault == 3 ? io.y.data[i] / scale : io.x.data[i]);
        io.dx.data[i] = Fault == 4 ? 2 * scale * io.dy.data[i] : scale * io.dy.data[i];
      }
      double& gradient = *get<"scale">(io.gradients).data;
      gradient = Fault == 5 ? sum : gradient + sum;
      if (Fault == 6) (&gradient)[1] = 1;
    }
  };
};

TEST_CASE("the check finds each kind of mistake") {
  CHECK_NOTHROW(check_gradients<Faulty<0>, Shape<4>>());
  CHECK_ERROR("forward leaves element 2 of y unassigned", (check_gradients<Faulty<1>, Shape<4>>()));
  CHECK_ERROR("forward writes outside y", (check_gradients<Faulty<2>, Shape<4>>()));
  CHECK_ERROR("gradient of parameter element 0", (check_gradients<Faulty<3>, Shape<4>>()));
  CHECK_ERROR("gradient of input element 0", (check_gradients<Faulty<4>, Shape<4>>()));
  CHECK_ERROR("gradient of parameter element 0", (check_gradients<Faulty<5>, Shape<4>>()));
  CHECK_ERROR("writes padding of its gradients", (check_gradients<Faulty<6>, Shape<4>>()));
}
