#include <digitnet/data/idx.hpp>

#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::File file(data, size);
  fuzz::errors_only([&] { digitnet::read_idx<std::uint8_t, 3>(file.path()); });
  fuzz::errors_only([&] { digitnet::read_idx<float, 2>(file.path()); });
  return 0;
}
