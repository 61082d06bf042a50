#include <digitnet/keras/json.hpp>
#include <digitnet/keras/read_config.hpp>

#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::errors_only([&] {
    digitnet::keras::read_config(
        digitnet::keras::parse_json({reinterpret_cast<const char*>(data), size}, "fuzz"));
  });
  return 0;
}
