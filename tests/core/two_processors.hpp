// A training and its inference, compiled for several processors into one program.
#pragma once
#include <cstdint>
#include <cstring>
#include <digitnet/digitnet.hpp>

namespace {

// A hash of all bits of a model after a training, and of what it predicts.
std::uint64_t trained_bits() {
  using namespace digitnet;
  Sequential<Input<12, 12, 1>, Conv2D<8, 3>, ReLU, MaxPooling2D<2>, Conv2D<8, 3, 1, same>, BatchNormalization,
             ReLU, Flatten, Dense<16>, Tanh, Dense<3>, Softmax>
      model{Seed{1}};
  xt::xtensor<float, 4> x(std::array<std::size_t, 4>{20, 12, 12, 1});
  xt::xtensor<std::uint8_t, 1> labels(std::array<std::size_t, 1>{20});
  Random random(Seed{2});
  for (float& value : x) value = static_cast<float>(random.normal());
  for (std::size_t i = 0; i < 20; ++i) labels(i) = static_cast<std::uint8_t>(i % 3);
  Trainer trainer{model, Adam{}, CategoricalCrossentropy{}, {.threads = 2}};
  trainer.fit(DataView(x, labels), {.epochs = 2, .batch_size = 8, .verbose = Verbose::silent});
  std::uint64_t hash = 14695981039346656037u;
  const auto add = [&](float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, 4);
    hash = (hash ^ bits) * 1099511628211u;
  };
  for (const float value : model.parameters()) add(value);
  for (const float value : model.predict(x)) add(value);
  return hash;
}

}  // namespace
