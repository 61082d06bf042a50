// The command line of the example programs.
#pragma once
#include <digitnet/core/thread_team.hpp>
#include <digitnet/train/communicator.hpp>
#include <digitnet/train/progress.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace program {

/// What the command line says. Epochs, batch size and learning rate are the chosen model's own where it is
/// silent.
struct Flags {
  std::string model{};
  std::string dataset = "mnist";
  std::string data_directory{};
  std::size_t epochs{};
  std::size_t batch_size{};
  float learning_rate{};
  double validation_split = 0;
  std::string precision = "float32";
  std::size_t threads = digitnet::hardware_threads();
  // Those that train together under mpirun; none: this process alone.
  digitnet::CommunicatorHandle communicator{};
  std::uint64_t seed = 42;
  std::string json_path{};
  std::string load_path{};
  std::string save_path{};
  std::string checkpoint_path{};
  std::string report_folder{};
  std::string tensorboard_folder{};
  // The whole command line.
  std::string command{};
  // Nothing is printed before the results.
  bool quiet = false;
  // A model that was loaded is trained further only if --epochs is given.
  bool trains = true;
  // Standard output is a terminal that shows colors.
  bool color = false;

  digitnet::Verbose verbose() const {
    return quiet ? digitnet::Verbose::silent : digitnet::Verbose::automatic;
  }
};

/// A network that a program knows, and how it is trained unless the command line says otherwise.
struct ModelDefaults {
  std::string model;
  std::size_t epochs;
  std::size_t batch_size;
  float learning_rate;
};

/// Parses the command line, checks that what it wants to be written can be, runs `main_function`, and turns
/// errors into one sentence and exit status 1. The first model is the default.
int run(int argc, char** argv, const std::string& description, const std::vector<ModelDefaults>& models,
        const std::function<int(const Flags&)>& main_function);

}  // namespace program
