#include <digitnet/core/crc32c.hpp>
#include <digitnet/layers/dense.hpp>
#include <digitnet/model/sequential.hpp>
#include <digitnet/train/losses.hpp>
#include <digitnet/train/optimizers.hpp>
#include <digitnet/train/trainer.hpp>

#include "fuzz.hpp"

namespace {

// The bytes with the checksum that they should have: otherwise nothing behind its check would be reached.
std::string with_checksum(std::string bytes) {
  static constexpr std::string_view key = "\"crc32c\":\"", none = "00000000";
  const std::size_t place = bytes.find(key) + key.size();
  if (place < key.size() || place + none.size() > bytes.size()) return bytes;
  bytes.replace(place, none.size(), none);
  bytes.replace(place, none.size(), digitnet::Crc32c().add(bytes).text());
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace digitnet;
  const std::string bytes = with_checksum(std::string(reinterpret_cast<const char*>(data), size));
  const fuzz::File file(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  static Sequential<Input<2>, Dense<3>> model{Seed{1}};
  static Trainer trainer{model, SGD{.momentum = 0.9f}, MeanSquaredError{}, {.threads = 1}};
  fuzz::errors_only([&] { trainer.resume(file.path()); });
  return 0;
}
