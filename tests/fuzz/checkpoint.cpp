#include <digitnet/layers/dense.hpp>
#include <digitnet/model/sequential.hpp>
#include <digitnet/train/losses.hpp>
#include <digitnet/train/optimizers.hpp>
#include <digitnet/train/trainer.hpp>

#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace digitnet;
  const fuzz::File file(data, size);
  static Sequential<Input<2>, Dense<3>> model{Seed{1}};
  static Trainer trainer{model, SGD{.momentum = 0.9f}, MeanSquaredError{}, {.threads = 1}};
  fuzz::errors_only([&] { trainer.resume(file.path()); });
  return 0;
}
