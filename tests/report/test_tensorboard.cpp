// Event files: framing and checksums, what protobuf's own decoder reads, and the callback's values.
#include <bit>
#include <digitnet/digitnet.hpp>
#include <digitnet/report/tensorboard.hpp>
#include <filesystem>

#include "digitnet/report/gnuplot.hpp"
#include "support/support.hpp"

using namespace digitnet;
using support::contains;

namespace {

template <class T>
T number(const std::vector<std::byte>& bytes, std::size_t at) {
  T value{};
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

// The records of a file; every checksum is checked as the format's description says.
std::vector<std::string> records(const std::string& path) {
  const std::vector<std::byte> bytes = read_file(path);
  const auto text = [&](std::size_t from, std::size_t size) {
    return std::string(reinterpret_cast<const char*>(bytes.data()) + from, size);
  };
  const auto unmasked = [](std::uint32_t masked) { return std::rotl(masked - 0xA282EAD8u, 15); };
  std::vector<std::string> result;
  for (std::size_t at = 0; at < bytes.size();) {
    REQUIRE(at + 12 <= bytes.size());
    const auto size = static_cast<std::size_t>(number<std::uint64_t>(bytes, at));
    CHECK(unmasked(number<std::uint32_t>(bytes, at + 8)) == crc32c(text(at, 8)));
    REQUIRE(at + 16 + size <= bytes.size());
    result.push_back(text(at + 12, size));
    CHECK(unmasked(number<std::uint32_t>(bytes, at + 12 + size)) == crc32c(result.back()));
    at += 16 + size;
  }
  return result;
}

std::string only_file(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    files.push_back(entry.path().string());
  REQUIRE(files.size() == 1);
  CHECK(files[0].find("events.out.tfevents.") != std::string::npos);
  return files[0];
}

// What protoc makes of a record; empty where it is not installed.
std::string decoded(const std::string& record) {
  const support::Folder folder;
  support::write_file(folder / "record", record);
  const std::string proto = std::string(DIGITNET_TEST_FOLDER) + "/report";
  const auto [text, status] =
      detail::output_of("protoc --proto_path=" + detail::quoted(proto) + " --decode=Event event.proto < " +
                        detail::quoted(folder / "record") + " 2>/dev/null");
  return status == 0 ? text : "";
}

// The value after a tag, as protoc prints it: up to float32's precision.
void check_scalar(const std::string& events, const std::string& tag, std::size_t occurrence,
                  double expected) {
  const std::string before = "tag: \"" + tag + "\"\n    simple_value: ";
  std::size_t at = events.find(before);
  for (std::size_t i = 0; i < occurrence && at != std::string::npos; ++i) at = events.find(before, at + 1);
  REQUIRE(at != std::string::npos);
  CHECK(std::stod(events.substr(at + before.size(), 24)) == doctest::Approx(expected).epsilon(1e-6));
}

}  // namespace

TEST_CASE("CRC-32C (RFC 3720, B.4)") {
  CHECK(crc32c("123456789") == 0xE3069283u);
  CHECK(crc32c(std::string(32, '\0')) == 0x8A9136AAu);
  CHECK(crc32c(std::string(32, '\xFF')) == 0x62A8AB43u);
  std::string rising;
  for (int i = 0; i < 32; ++i) rising += static_cast<char>(i);
  CHECK(crc32c(rising) == 0x46DD794Eu);
}

TEST_CASE("event files are read by protobuf's own decoder") {
  const support::Folder folder;
  {
    EventFile file(folder / "run/train");
    file.add_scalar("loss", 3, 0.25);
    const float values[] = {-1, 0, 0.5f, 2, std::numeric_limits<float>::quiet_NaN()};
    file.add_histogram("kernel", 300, values);
    Picture picture(3, 2, colors::wrong);
    file.add_image("image", 1, 3, 2, png_bytes(picture));
  }
  const auto found = records(only_file(folder / "run/train"));
  REQUIRE(found.size() == 4);
  if (decoded(found[0]).empty()) {
    MESSAGE("protoc is not installed: only framing and checksums were checked");
    return;
  }
  CHECK(contains(decoded(found[0]), "file_version: \"brain.Event:2\""));
  const std::string scalar = decoded(found[1]);
  CHECK(contains(scalar, "step: 3\n"));
  CHECK(contains(scalar, "tag: \"loss\""));
  CHECK(contains(scalar, "simple_value: 0.25"));
  const std::string histogram = decoded(found[2]);
  for (const char* const part : {"step: 300\n", "min: -1\n", "max: 2\n", "num: 4\n", "sum: 1.5\n",
                                 "sum_squares: 5.25\n", "bucket_limit: -0.9\n"})
    CHECK(contains(histogram, part));
  const std::string image = decoded(found[3]);
  for (const char* const part : {"height: 2\n", "width: 3\n", "colorspace: 3\n", "\\211PNG"})
    CHECK(contains(image, part));
}

TEST_CASE("the callback writes what the history says, and changes nothing") {
  const support::Folder folder;
  const Dataset data = synthetic_digits(200, Seed{1});
  using Net = Sequential<Input<28, 28, 1>, Conv2D<4, 3>, ReLU, MaxPooling2D<4>, Flatten, Dense<10>, Softmax>;
  const auto train = [&](Net& model, std::vector<CallbackHandle> callbacks) {
    Trainer trainer{model, Adam{}, CategoricalCrossentropy{}, {.seed = Seed{5}}};
    return trainer.fit(data, {.epochs = 2,
                              .batch_size = 20,
                              .validation_split = 0.2,
                              .callbacks = std::move(callbacks),
                              .verbose = Verbose::silent});
  };
  Net model{Seed{2}}, undisturbed{Seed{2}};
  const std::string logs = folder / "logs";
  const History history = train(
      model, {TensorBoard{{.log_dir = logs, .histogram_freq = 2, .write_images = true, .update_freq = 4}}});
  train(undisturbed, {});
  CHECK(std::ranges::equal(model.parameters(), undisturbed.parameters()));

  std::string training, validation;
  const auto training_records = records(only_file(logs + "/train"));
  for (const std::string& record : training_records) training += decoded(record);
  for (const std::string& record : records(only_file(logs + "/validation"))) validation += decoded(record);
  // 1 version, 2 epochs of 3 scalars, 16 steps / 4 of 2 scalars, 4 weights, the first kernel as a picture
  CHECK(training_records.size() == 1 + 6 + 8 + 4 + 1);
  if (training.empty()) return;
  for (const EpochLogs& epoch : history.epochs) {
    check_scalar(training, "epoch_loss", epoch.epoch - 1, epoch.loss);
    check_scalar(training, "epoch_accuracy", epoch.epoch - 1, epoch.accuracy);
    check_scalar(training, "epoch_learning_rate", epoch.epoch - 1, epoch.learning_rate);
    check_scalar(validation, "epoch_loss", epoch.epoch - 1, epoch.val_loss);
    check_scalar(validation, "epoch_accuracy", epoch.epoch - 1, epoch.val_accuracy);
  }
  CHECK(contains(training, "tag: \"conv2d/kernel/histogram\""));
  CHECK(contains(training, "tag: \"conv2d/kernel/image\""));
  CHECK(contains(training, "tag: \"dense/bias/histogram\""));
}

TEST_CASE("a log that cannot be written does not end the training") {
  const support::Folder folder;
  support::write_file(folder / "file", "x");
  CHECK_ERROR("cannot be written", EventFile(folder / "file/logs"));
  const Dataset data = synthetic_digits(40, Seed{1});
  Sequential<Input<784>, Dense<10>, Softmax> model{Seed{1}};
  Trainer trainer{model, SGD{}, CategoricalCrossentropy{}};
  const History history = trainer.fit(data, {.epochs = 2,
                                             .callbacks = {TensorBoard{{.log_dir = folder / "file/logs"}}},
                                             .verbose = Verbose::silent});
  CHECK(history.epochs.size() == 2);
}
