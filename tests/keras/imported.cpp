// Models that Keras itself wrote, imported as types: what they answer to MNIST's test images is what Keras'
// do.
//   imported EXPECTED.JSON
#include <cmath>
#include <digitnet/data/datasets.hpp>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "imported_training.hpp"
#include "keras_archive.hpp"
#include "keras_h5.hpp"
#include "tf_ann.hpp"
#include "tf_cnn.hpp"

using namespace digitnet;

int main(int, char** argv) {
  try {
    const Dataset test = datasets::mnist().test;
    const auto expected = nlohmann::json::parse(std::ifstream(argv[1]));
    bool good = true;
    const auto check = [&](const auto& model, const char* file) {
      const Matrix outputs = model.predict(test.images);
      for (const auto& entry : expected) {
        if (entry["file"] != file) continue;
        int correct = 0;
        double largest = 0;
        for (std::size_t i = 0; i < test.size(); ++i)
          correct += predicted_class(10, outputs.data() + 10 * i) == test.labels(i);
        for (std::size_t i = 0; i < 5; ++i)
          for (std::size_t j = 0; j < 10; ++j)
            largest = std::max(
                largest, std::abs(outputs(i, j) - entry["first5_outputs"][i][j].template get<double>()));
        std::cout << file << ": " << correct << " correct (Keras: " << entry["correct"]
                  << "), outputs differ by at most " << largest << "\n";
        good = good && std::abs(correct - entry["correct"].template get<int>()) <= 1 && largest <= 1e-4;
      }
      return outputs;
    };
    check(load_tf_cnn(), "tf29-cnn-rmsprop.h5");
    check(load_tf_ann(), "tf210-mlp392-adam.h5");
    const Matrix h5 = check(load_keras_h5(), "keras3100-cnn-bn.h5");
    const Matrix archive = check(load_keras_archive(), "keras3100-cnn-bn.keras");
    float largest = 0;
    for (std::size_t i = 0; i < h5.size(); ++i)
      largest = std::max(largest, std::abs(h5.data()[i] - archive.data()[i]));
    std::cout << ".h5 and .keras of one model differ by at most " << largest << "\n";
    const std::string models = argv[1];
    good = trainings_go_on(models.substr(0, models.rfind('/'))) && good;
    return good && largest <= 1e-6f ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
