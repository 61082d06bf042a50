// The architectures: their shapes and sizes are those of the papers.
#include <digitnet/applications/lenet5.hpp>
#include <digitnet/applications/mobilenet.hpp>
#include <digitnet/applications/resnet.hpp>

#include "support/support.hpp"

using namespace digitnet;

namespace {

// What layer I of a model gives.
template <class Net, std::size_t I>
using OutputOf = typename decltype([]<class... Steps>(TypeList<Steps...>) {
  return std::tuple_element_t<I, std::tuple<std::type_identity<typename Steps::Output>...>>{};
}(typename detail::Lowered<typename Net::Body, typename Net::InputShape>::Steps{}))::type;

}  // namespace

TEST_CASE("LeNet-5") {
  using Net = applications::LeNet5<>;
  static_assert(Net::parameter_count == 61'706);
  static_assert(std::is_same_v<Net::OutputShape, Shape<10>>);
  static_assert(std::is_same_v<applications::LeNet5<Input<32, 32, 3>, 5>::OutputShape, Shape<5>>);
}

TEST_CASE("ResNet") {
  using Net = applications::ResNet<>;
  // He's ResNet-20 has 0.27 million parameters.
  static_assert(Net::trainable_count == 272'186);
  static_assert(Net::layer_count == 3 + 9 * 2 + 3);
  static_assert(std::is_same_v<OutputOf<Net, 20>, Shape<7, 7, 64>>);
  // 20 layers with weights, two projections, and a normalization after each convolution.
  std::size_t kernels = 0, gammas = 0;
  Net{}.for_each_parameter([&](const ParameterInfo& info) {
    kernels += info.name.ends_with("kernel");
    gammas += info.name.ends_with("gamma");
  });
  CHECK(kernels == 20 + 2);
  CHECK(gammas == 19 + 2);
  static_assert(applications::ResNet<Input<32, 32, 3>, 56>::trainable_count > 850'000);  // 0.85 million
  static_assert(applications::ResNet<Input<28, 28, 1>, 8, 4, 3>::layer_count == 3 + 3 * 2 + 3);
}

TEST_CASE("Deep networks are laid out in memory, and train in micro-batches") {
  const auto samples = []<class Net>(std::type_identity<Net>) {
    using Graph = detail::Graph<typename Net::Body, typename Net::InputShape>;
    return detail::training_micro_batch(Graph::template facts<float>());
  };
  CHECK(samples(std::type_identity<applications::ResNet<>>{}) >= 8);
  CHECK(samples(std::type_identity<applications::ResNet<Input<32, 32, 3>, 56>>{}) >= 8);
  CHECK(samples(std::type_identity<applications::MobileNet<>>{}) >= 8);
}

TEST_CASE("MobileNet") {
  using Net = applications::MobileNet<>;
  static_assert(Net::layer_count == 3 + 5 * 6 + 3);
  static_assert(std::is_same_v<OutputOf<Net, 32>, Shape<7, 7, 256>>);
  using Half = applications::MobileNet<Input<28, 28, 1>, 50>;
  static_assert(std::is_same_v<OutputOf<Half, 32>, Shape<7, 7, 128>>);
  static_assert(4 * Half::trainable_count > Net::trainable_count);
  static_assert(3 * Half::trainable_count < Net::trainable_count);
}
