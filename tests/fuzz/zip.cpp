#include <digitnet/io/zip_read.hpp>

#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  for (const char* const name : {"config.json", "model.weights.h5"})
    fuzz::errors_only([&] { digitnet::zip::read(bytes, "fuzz", name); });
  return 0;
}
