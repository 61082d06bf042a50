// Trains on more images than memory has to hold: writes MNIST's training images, varied many times, to disk,
// reads them part by part, and compares speed and memory with those of a training from memory.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <digitnet/data/idx_stream.hpp>
#include <digitnet/data/idx_writer.hpp>
#include <digitnet/data/mapped_idx.hpp>
#include <digitnet/digitnet.hpp>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>

#include "support/number_option.hpp"

using namespace digitnet;

// The network of the Keras tutorials.
using Cnn = Sequential<Input<28, 28, 1>, Conv2D<32, 3>, ReLU, MaxPooling2D<2>, Conv2D<64, 3>, ReLU,
                       MaxPooling2D<2>, Flatten, Dense<64>, ReLU, Dense<10>, Softmax>;

namespace {

struct Settings {
  std::size_t times = 133;
  std::string folder = "mnist-from-disk";
  std::string from = "stream";
  std::size_t threads = hardware_threads();
  bool keep = false;
};

/// The two files, which go with this unless they are to be kept.
class Files {
 public:
  explicit Files(const Settings& settings) : keep_(settings.keep), folder_(settings.folder) {
    made_folder_ = std::filesystem::create_directories(folder_);
  }
  ~Files() {
    if (keep_) return;
    std::error_code ignored;
    std::filesystem::remove(images(), ignored);
    std::filesystem::remove(labels(), ignored);
    if (made_folder_) std::filesystem::remove(folder_, ignored);
  }
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;
  std::string images() const { return folder_ + "/images-idx3-ubyte"; }
  std::string labels() const { return folder_ + "/labels-idx1-ubyte"; }

  /// Every image so many times: once as it is, then varied.
  void write(const Dataset& data, std::size_t times) const {
    constexpr std::size_t size = Cnn::InputShape::size;
    const std::size_t count = data.size() * times, bytes = count * (size + 1);
    const std::uintmax_t space = std::filesystem::space(folder_).available;
    if (space < bytes)
      fail(folder_ + " has " + std::to_string(space >> 20) + " MiB left, but " + std::to_string(bytes >> 20) +
           " are needed: name another folder, or fewer --times");
    const std::size_t extents[] = {count, 28, 28};
    IdxWriter images_file(images(), extents), labels_file(labels(), std::span(extents, 1));
    const std::vector<std::uint8_t> labels(data.labels.begin(), data.labels.end());
    ThreadTeam team;
    ImageAugmenter augmenter({.rotation = 12, .shift = 1.5f, .scale = 0.12f, .shear = 8});
    augmenter.begin(Cnn::InputShape::extents, team.size());
    std::vector<std::uint8_t> varied(data.images.size());
    for (std::size_t time = 0; time < times; ++time) {
      constexpr std::size_t share = 1024;
      team.for_each((data.size() + share - 1) / share, [&](std::size_t part, std::size_t thread) {
        std::vector<float> image(size);
        for (std::size_t i = part * share; i < std::min(data.size(), (part + 1) * share); ++i) {
          Samples(data.images).copy(i, image.data());
          if (time > 0) augmenter.apply(image.data(), RandomKey(Seed{1}).child(time).child(i), thread);
          for (std::size_t j = 0; j < size; ++j)
            varied[i * size + j] =
                static_cast<std::uint8_t>(std::lround(255 * std::clamp(image[j], 0.0f, 1.0f)));
        }
      });
      images_file.write(varied);
      labels_file.write(labels);
      std::printf("\rwriting %zu of %zu images", (time + 1) * data.size(), count);
      std::fflush(stdout);
    }
    images_file.commit();
    labels_file.commit();
    std::printf("\n");
  }

 private:
  bool keep_, made_folder_ = false;
  std::string folder_;
};

/// The most that this process has had in memory, in MiB; 0 where the system does not say.
std::size_t most_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stoul(line.substr(6)) / 1024;
  return 0;
}

template <class Data>
double train(Cnn& model, const Settings& settings, Data&& data, std::size_t epochs) {
  Trainer trainer{model, Adam{}, CategoricalCrossentropy{}, {.threads = settings.threads, .seed = Seed{1}}};
  const History history = trainer.fit(data, {.epochs = epochs, .batch_size = 128});
  // The first epoch finds the pages of its memory, which a long one does not notice.
  const double speed = history.epochs.back().images_per_second;
  std::printf("%.0f images/s\n", speed);
  return speed;
}

void run(const Settings& settings) {
  const Files files(settings);
  if (!std::filesystem::exists(files.images()) || !std::filesystem::exists(files.labels()))
    files.write(datasets::mnist().train, settings.times);
  const auto from_memory = [&] {
    const Dataset data = datasets::mnist().train;
    std::printf("from memory, %zu images, two epochs:\n", data.size());
    Cnn model{Seed{1}};
    return train(model, settings, data, 2);
  };
  const double before = from_memory();
  Cnn model{Seed{1}};
  IdxStream stream(files.images(), files.labels());
  std::printf("from disk (%s), %zu images, %.1f GB, one epoch:\n", settings.from.c_str(), stream.count(),
              static_cast<double>(std::filesystem::file_size(files.images())) / 1e9);
  const double from_disk = settings.from == "stream"
                               ? train(model, settings, stream, 1)
                               : train(model, settings,
                                       DataView(idx::map<std::uint8_t, 3>(files.images()),
                                                idx::map<std::uint8_t, 1>(files.labels())),
                                       1);
  const std::size_t memory = most_memory();
  // Other programs come and go meanwhile.
  const double in_memory = (before + from_memory()) / 2;
  Trainer trainer{model, Adam{}, CategoricalCrossentropy{}};
  const double accuracy = trainer.evaluate(datasets::mnist().test).accuracy;
  std::printf("%.2f times the speed from memory; at most %zu MiB in memory; %.2f %% of the test images\n",
              from_disk / in_memory, memory, 100 * accuracy);
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  CLI::App app{
      "Trains a CNN on MNIST's images varied many times, read from disk: 133 times are 6.3 GB, which are "
      "removed afterwards."};
  program::add_number(app, "--times", settings.times, "copies of each image");
  program::add_number(app, "--threads", settings.threads, "threads to train on");
  app.add_option("--folder", settings.folder, "where the files are written");
  app.add_option("--from", settings.from, "stream: parts of the file in order; map: any image at any time")
      ->check(CLI::IsMember({"stream", "map"}));
  app.add_flag("--keep", settings.keep, "leave the files, and use those that are there");
  CLI11_PARSE(app, argc, argv);
  try {
    if (settings.times == 0) fail("--times must be at least 1");
    run(settings);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
