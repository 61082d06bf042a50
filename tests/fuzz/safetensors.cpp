#include <digitnet/io/safetensors.hpp>

#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::File file(data, size);
  fuzz::errors_only([&] { digitnet::Safetensors::read(file.path()); });
  // The names and shapes of the corpus.
  digitnet::ModelDescription model{.input = {2}, .layers = {}};
  model.layers.push_back({.class_name = "Dense",
                          .name = "dense",
                          .attributes = {},
                          .input = {2},
                          .output = {3},
                          .weights = {{"kernel", {2, 3}, true, 0}, {"bias", {3}, true, 6}}});
  std::vector<float> parameters(9);
  fuzz::errors_only([&] { digitnet::load_safetensors(model, parameters, file.path()); });
  return 0;
}
