// The files of the example programs: the dataset that they learn from, and what they write about a training.
#pragma once
#include <digitnet/data/datasets.hpp>
#include <digitnet/report/content.hpp>
#include <digitnet/train/callback.hpp>
#include <string>
#include <vector>

#include "flags.hpp"

namespace program {

/// A dataset: `train` and `test`, its name, and the names of its classes where they are no digits.
struct Data : digitnet::TrainTest {
  std::string name{};
  std::vector<std::string> class_names{};
};

/// The dataset that --dataset and --data name. Falls back to synthetic digits, and says so, where MNIST can
/// be neither found nor fetched.
Data load_data(const Flags& flags);

/// What --tensorboard and --checkpoint ask for. A checkpoint stays until `write_results` has done its work.
std::vector<digitnet::CallbackHandle> callbacks(const Flags& flags);

/// Throws an Error where a folder cannot be made, or a file not be written in it.
void check_folder(const std::string& folder, const std::string& file);

/// Writes what --json and --report ask for. Returns the program's exit status.
int write_results(const Flags& flags, const Data& data, digitnet::report::Content content);

template <class Model>
int write_results(const Flags& flags, const Data& data, const Model& model, const digitnet::History& history,
                  const digitnet::Evaluation& test, const digitnet::Matrix& scores) {
  return write_results(flags, data,
                       {.class_names = data.class_names,
                        .model = digitnet::describe(model),
                        .plan = model.operations(),
                        .parameters = model.parameters(),
                        .history = history,
                        .evaluation = test,
                        .train = &data.train,
                        .test = &data.test,
                        .scores = scores,
                        .feature_maps = digitnet::first_feature_maps(model, data.test.images)});
}

}  // namespace program
