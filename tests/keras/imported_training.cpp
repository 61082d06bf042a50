// Trainings that Keras itself saved go on here: steps, rate and slots are Keras'.
#include "imported_training.hpp"

#include <algorithm>
#include <digitnet/digitnet.hpp>
#include <iostream>

#include "keras_archive.hpp"
#include "tf_ann.hpp"

using namespace digitnet;

bool trainings_go_on(const std::string& folder) {
  auto model = load_keras_archive();
  Trainer trainer{model, Adam{.learning_rate = 0.5f}, CategoricalCrossentropy{}};
  std::vector<float> slots[2];
  bool good = true;
  for (std::size_t i = 0; i < 2; ++i) {
    load_keras(trainer, folder + (i == 0 ? "/keras3100-cnn-bn.keras" : "/keras3100-cnn-bn.h5"));
    good = good && trainer.steps() == 17220 && trainer.optimizer().learning_rate(0) == 3.125e-05f;
    const TrainingState state = trainer.state();
    slots[i].assign(state.slots.span().begin(), state.slots.span().end());
  }
  good =
      good && slots[0] == slots[1] &&
      std::count(slots[0].begin(), slots[0].end(), 0.0f) * 2 < static_cast<std::ptrdiff_t>(slots[0].size());
  std::cout << "Keras' Adam " << (good ? "goes on" : "is not read") << " after " << trainer.steps()
            << " steps\n";
  auto old = load_tf_ann();
  Trainer refused{old, Adam{}, CategoricalCrossentropy{}};
  try {
    load_keras(refused, folder + "/tf210-mlp392-adam.h5");
    good = false;
  } catch (const Error& error) {
    std::cout << error.what() << "\n";
    good = good && std::string(error.what()).find("lays them out from 2.11 on") != std::string::npos;
  }
  return good;
}
