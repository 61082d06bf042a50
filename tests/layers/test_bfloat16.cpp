#include <algorithm>
#include <digitnet/core/random.hpp>
#include <digitnet/layers/activations.hpp>
#include <digitnet/layers/bfloat16.hpp>
#include <digitnet/testing/gradient_check.hpp>

#include "support/support.hpp"

using namespace digitnet;

namespace {

constexpr std::size_t samples = 61;

// Small whole numbers are exact in bfloat16, and so are sums of their products in float.
Arena<float> whole_numbers(std::size_t count, std::uint64_t seed) {
  Arena<float> result(count);
  Random random(Seed{seed});
  for (float& number : result.span()) number = static_cast<float>(std::round(random.uniform(-4, 4)));
  return result;
}

template <class L, class In>
struct Passes {
  using On = typename L::template On<In>;
  Arena<float> y{samples * On::Output::size}, dx{samples * In::size}, gradients{On::Parameters::arena_size};

  explicit Passes(bool packs) {
    const L layer{};
    const auto x = whole_numbers(samples * In::size, 1);
    auto dy = whole_numbers(samples * On::Output::size, 2);
    const auto parameters = whole_numbers(On::Parameters::arena_size, 3);
    Arena<float> scratch(On::template scratch_bytes<float>(samples) / sizeof(float));
    Arena<float> forward(On::template packed_bytes<float, Purpose::forward>() / sizeof(float));
    Arena<float> backward(On::template packed_bytes<float, Purpose::all_gradients>() / sizeof(float));
    if constexpr (On::template packed_bytes<float, Purpose::forward>() > 0)
      On::template pack<float, Purpose::forward>(layer, {parameters.data()}, forward.data());
    if constexpr (On::template packed_bytes<float, Purpose::all_gradients>() > 0)
      On::template pack<float, Purpose::all_gradients>(layer, {parameters.data()}, backward.data());
    gradients.fill(2.0f);
    On::forward(ForwardIo<float, L, In>{.layer = layer,
                                        .x = {x.data(), samples},
                                        .y = {y.data(), samples},
                                        .parameters = {parameters.data()},
                                        .packed = packs ? forward.data() : nullptr,
                                        .cache = nullptr,
                                        .scratch = scratch.data(),
                                        .mode = Mode::training,
                                        .random = {},
                                        .first_sample = 0});
    On::backward(BackwardIo<float, L, In, true>{.layer = layer,
                                                .x = {x.data(), samples},
                                                .y = {y.data(), samples},
                                                .dx = {dx.data(), samples},
                                                .dy = {dy.data(), samples},
                                                .parameters = {parameters.data()},
                                                .gradients = {gradients.data()},
                                                .packed = backward.data(),
                                                .cache = nullptr,
                                                .scratch = scratch.data()});
  }
};

template <class L, class In>
void check_against_float32() {
  const Passes<L, In> expected(true);
  for (const bool packs : {true, false}) {
    const Passes<Bfloat16<L>, In> found(packs);
    CHECK(std::ranges::equal(found.y.span(), expected.y.span()));
    CHECK(std::ranges::equal(found.dx.span(), expected.dx.span()));
    CHECK(std::ranges::equal(found.gradients.span(), expected.gradients.span()));
  }
}

}  // namespace

TEST_CASE("Bfloat16 gives the layer's own results where nothing is rounded") {
  check_against_float32<Dense<10>, Shape<33>>();
  check_against_float32<Dense<37, no_bias>, Shape<8>>();
  check_against_float32<Dense<1>, Shape<1>>();
  check_against_float32<Conv2D<12, 1>, Shape<3, 5, 9>>();
  check_against_float32<Conv2D<33, 1, 1, same, no_bias>, Shape<2, 2, 4>>();
}

TEST_CASE("Bfloat16 in double is the layer itself") {
  CHECK(testing::check_gradients<Bfloat16<Dense<7>>, Shape<5>>() <= 1e-6);
  CHECK(testing::check_gradients<Bfloat16<Conv2D<4, 1>>, Shape<3, 3, 5>>() <= 1e-6);
}
