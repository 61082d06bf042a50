// Models of Keras' files as types: one inside the program, one loaded; their outputs are those of
// write_files.
#include <cmath>
#include <cstdio>
#include <fstream>

#include "branches.hpp"
#include "every_layer.hpp"

namespace {

template <class Model>
bool gives_its_outputs(const Model& model, const std::string& name) {
  const auto read = [&](const char* ending, std::size_t columns) {
    digitnet::Matrix numbers = digitnet::Matrix::from_shape({50, columns});
    std::ifstream file(MODELS "/" + name + ending, std::ios::binary);
    file.read(reinterpret_cast<char*>(numbers.data()),
              static_cast<std::streamsize>(numbers.size() * sizeof(float)));
    return numbers;
  };
  const digitnet::Matrix y = model.predict(read(".input", Model::InputShape::size));
  const digitnet::Matrix wanted = read(".output", Model::OutputShape::size);
  float largest = 0;
  for (std::size_t i = 0; i < y.size(); ++i)
    largest = std::max(largest, std::abs(y.data()[i] - wanted.data()[i]));
  std::printf("%s: largest difference %g\n", name.c_str(), static_cast<double>(largest));
  return largest < 1e-5f;
}

}  // namespace

int main() {
  return gives_its_outputs(load_every_layer(), "every_layer") &&
                 gives_its_outputs(load_branches(), "branches")
             ? 0
             : 1;
}
