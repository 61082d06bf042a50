// What every contender is asked to do, under the same names, so that its figures can be laid side by side.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace contest {

inline constexpr std::size_t image_size = 784;

/// Training digits, 28 x 28; MNIST's where it is found, else synthetic ones.
template <class Pixel>
struct Digits {
  std::size_t count = 0;
  std::vector<Pixel> pixels{};
  std::vector<std::uint8_t> labels{};
};
/// The first `count` digits as bytes, and as floats from 0 to 1.
Digits<std::uint8_t> digit_bytes(std::size_t count);
Digits<float> digit_floats(std::size_t count);

/// A pass of training: 150 batches of 128, or 600 of 32.
inline constexpr std::size_t training_images = 19200;
/// Inference walks over these: 32 batches of 256.
inline constexpr std::size_t inference_images = 8192;

/// What comes before, so that caches, threads and just-in-time compilers are warm.
inline constexpr std::size_t warm_up_images = 1280;

/// The indices of the first `images` training images in a fresh order.
std::vector<std::uint32_t> shuffled(std::size_t images);

/// What is to be measured. Networks: A = 784-100-10 with SGD at 0.01, B = 784-512-512-10 with Adam at 0.001,
/// C = conv 3x3x32, pool, conv 3x3x64, pool, 64, 10 with Adam at 0.001; ReLU between, softmax and
/// cross-entropy at the end, float32. D = ResNet-20 and E = MobileNet of digitnet/applications, with Adam at
/// 0.001, trained only. In lower case: with products in bfloat16, and the rest in float32.
struct Task {
  char network;
  std::size_t batch;
  int threads;
  bool training;
};

/// The training images of a pass: fewer for the networks that take longer.
constexpr std::size_t pass_images(const Task& task) {
  return (task.network | 0x20) >= 'd' ? warm_up_images : training_images;
}

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
/// these networks, and runs those that the command line chooses; --calls=N: so many of a latency (20,000).
int run(int argc, char** argv, Factory factory, const char* trained, const char* inferred);

}  // namespace contest
