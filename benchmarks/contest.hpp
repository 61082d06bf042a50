// What every contender is asked to do, under the same names, so that its figures can be laid side by side.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace contest {

/// Comes before a measured training, so that caches, threads and just-in-time compilers are warm.
inline constexpr std::size_t warm_up_images = 1280;

/// What is to be measured. Networks: A = 784-100-10 with SGD at 0.01, B = 784-512-512-10 with Adam at 0.001,
/// C = conv 3x3x32, pool, conv 3x3x64, pool, 64, 10 with Adam at 0.001; ReLU between, softmax and
/// cross-entropy at the end, float32. With Adam at 0.001, of digitnet/applications: D = ResNet-20,
/// E = MobileNet, F = the ResNet of 14 layers and four times the width, G = MobileNet for 96x96x3. In lower
/// case: with products in bfloat16, and the rest in float32.
struct Task {
  char network;
  std::size_t batch;
  int threads;
  bool training;
  /// Inference on bytes, with kernels in int8.
  bool on_bytes = false;

  constexpr char letter() const { return static_cast<char>(network & ~0x20); }
  constexpr bool deep() const { return letter() >= 'D'; }
  constexpr bool bfloat16() const { return network != letter(); }
  /// Side and channels of an image.
  constexpr std::size_t side() const { return letter() == 'G' ? 96 : 28; }
  constexpr std::size_t channels() const { return letter() == 'G' ? 3 : 1; }
  constexpr std::size_t image_size() const { return side() * side() * channels(); }
  /// A pass of training is 150 batches of 128 or 600 of 32, and inference walks over 32 batches of 256: over
  /// fewer with the networks that take longer.
  constexpr std::size_t images() const { return deep() ? training ? 1280 : 1024 : training ? 19200 : 8192; }
};

/// Digits as they are trained on, channels last: MNIST's where it is found, else synthetic ones; enlarged
/// without smoothing and with a margin where images are larger than 28x28.
template <class Pixel>
struct Digits {
  std::size_t count = 0;
  std::vector<Pixel> pixels{};
  std::vector<std::uint8_t> labels{};
};
/// The digits of a task as bytes, and as floats from 0 to 1.
Digits<std::uint8_t> digit_bytes(const Task& task);
Digits<float> digit_floats(const Task& task);

/// The indices of the first `images` training images in a fresh order.
std::vector<std::uint32_t> shuffled(std::size_t images);

/// One network of one contender.
class Network {
 public:
  virtual ~Network() = default;
  /// One pass over the first `images` training images in a fresh order, gathered batch by batch.
  virtual void train(std::size_t images) = 0;
  /// Class probabilities of task.batch images from image `first` on. Returns one of them, so that nothing can
  /// be left out.
  virtual float predict(std::size_t first) = 0;
};
using Factory = std::unique_ptr<Network> (*)(const Task&);

/// Registers train/C/128/2 (network, batch, threads), infer/C/256/2 and latency/C/1/1 and their like for
/// these networks, int8/C/256/2 for those on bytes, and runs those that the command line chooses; --calls=N:
/// so many of a latency (20,000).
int run(int argc, char** argv, Factory factory, const char* trained, const char* inferred,
        const char* on_bytes = "");

}  // namespace contest
