#include <digitnet/io/hdf5_read.hpp>

#include "fuzz.hpp"

namespace {

// Everything that can be asked of a group.
void walk(const digitnet::hdf5::ReadGroup& group, int depth) {
  for (const char* const name : {"layer_names", "weight_names", "model_config"})
    fuzz::errors_only([&] { group.long_words(name); });
  fuzz::errors_only([&] {
    for (const std::string& name : group.names()) {
      fuzz::errors_only([&] { group.info(name); });
      fuzz::errors_only([&] { group.floats(name); });
      if (depth < 4) fuzz::errors_only([&] { walk(group.group(name), depth + 1); });
    }
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto* const begin = reinterpret_cast<const std::byte*>(data);
  fuzz::errors_only([&] { walk(digitnet::hdf5::ReadFile({begin, begin + size}, "fuzz").root(), 0); });
  return 0;
}
