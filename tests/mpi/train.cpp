// Trains a small network, alone or (--mpi) on the processes that mpirun has started, and prints a checksum of
// what it has learnt on rank 0. What else is wanted is in the environment: FAULT=throw|data|parameters|stop
// on rank RANK.
//   train MODEL [--mpi]
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <digitnet/data/synthetic_digits.hpp>
#include <digitnet/digitnet.hpp>
#include <digitnet/mpi/mpi.hpp>
#include <memory>
#include <string>

using namespace digitnet;

namespace {

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value ? value : "";
}

// Fails, or stops for good, in the middle of an epoch.
struct Faulty : SampleTransform {
  explicit Faulty(std::string wanted) : fault(std::move(wanted)) {}
  void begin(std::span<const std::size_t>, std::size_t) override {}
  void apply(float*, RandomKey, std::size_t) override {
    if (++samples < 100) return;
    if (fault == "throw") fail("sample 100 is no sample");
    if (fault == "stop") std::raise(SIGSTOP);
  }
  std::string text() const override { return "faulty"; }
  std::string fault;
  int samples = 0;
};

template <class Model>
int train(Model model, CommunicatorHandle communicator, int rank) {
  const bool faulty = environment("RANK") == std::to_string(rank);
  const std::string fault = faulty ? environment("FAULT") : "";
  Dataset data = synthetic_digits(300, Seed{1});
  if (fault == "data") data.images(299, 20, 20) ^= 1;
  if (fault == "parameters") model.parameters()[1] += 1;
  Faulty transform(fault);
  Trainer trainer{
      model,
      Adam{.global_clipnorm = 1.0f},
      CategoricalCrossentropy{},
      {.threads = static_cast<std::size_t>(1 + rank % 2), .seed = Seed{3}, .communicator = communicator}};
  FitOptions options{.epochs = 2, .batch_size = 64, .validation = &data, .verbose = Verbose::silent};
  options.augmentation = environment("FAULT").empty() ? SampleTransformHandle(Augmentation{.rotation = 10})
                                                      : SampleTransformHandle(&transform);
  options.callbacks = {ExponentialMovingAverage{{.momentum = 0.9f}}};
  const History history = trainer.fit(data, options);
  const Matrix outputs =
      communicator.get() ? mpi::predict(*communicator.get(), model, data.images) : model.predict(data.images);
  if (rank != 0) return 0;
  std::printf("%08x %08x %.9g\n", Crc32c().add(std::span<const float>(model.parameters())).value(),
              Crc32c().add(std::span<const float>(outputs.data(), outputs.size())).value(),
              history.epochs.back().val_loss);
  return 0;
}

int train(const std::string& name, const CommunicatorHandle& communicator, int rank) {
  if (name == "ann")
    return train(
        Sequential{Seed{1}, Input<784>{}, Dense<100>{}, ReLU{}, Dropout{0.2f}, Dense<10>{}, Softmax{}},
        communicator, rank);
  return train(Sequential{Seed{1}, Input<28, 28, 1>{}, Conv2D<8, 3>{}, BatchNormalization{}, ReLU{},
                          MaxPooling2D<2>{}, Flatten{}, Dense<10>{}, Softmax{}},
               communicator, rank);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "cnn";
  if (argc < 3) return train(name, {}, 0);
  const mpi::Environment environment(&argc, &argv);
  try {
    return train(name, mpi::Communicator{{.timeout = std::chrono::seconds(3)}}, environment.rank());
  } catch (const SharedError& error) {
    if (environment.rank() == 0) std::fprintf(stderr, "%s\n", error.what());
    return 1;
  } catch (const std::exception& error) {
    environment.abort(error.what());
  }
}
