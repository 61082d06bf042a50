#include <digitnet/keras/import.hpp>

#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::File file(data, size);
  fuzz::errors_only([&] { digitnet::keras::import_model(file.path(), "Model", true, "blob"); });
  return 0;
}
