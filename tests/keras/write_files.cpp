// Writes models in every format, with samples and outputs, for programs that read them by other means.
//   write_files FOLDER
#include <digitnet/core/atomic_file.hpp>
#ifdef DIGITNET_WITH_KERAS
#include <digitnet/keras/keras.hpp>
#endif
#include <iostream>

#include "io/every_layer.hpp"

using namespace digitnet;

namespace {

void write(const std::string& path, const Matrix& numbers) {
  AtomicFile file(path);
  file.write(numbers.data(), numbers.size() * sizeof(float));
  file.commit();
}

template <class Model>
void write_all(const Model& model, const std::string& path) {
  const Matrix x = networks::samples_for(model, 50);
  write(path + ".input", x);
  write(path + ".output", model.predict(x));
  save_safetensors(model, path + ".safetensors");
#ifdef DIGITNET_WITH_KERAS
  save_keras(model, path + ".h5");
  save_keras(model, path + ".keras");
  save_keras(model, path + ".weights.h5");
#endif
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    const std::string folder = argv[1];
    write_all(networks::every_layer(1), folder + "/every_layer");
    write_all(networks::pooled(2), folder + "/pooled");
    write_all(networks::branches(5), folder + "/branches");
    write_all(networks::combinators(6), folder + "/combinators");
    write_all(networks::grouped(7), folder + "/grouped");
    write_all(networks::ann(3), folder + "/ann");
    write_all(networks::cnn(4), folder + "/cnn");
  } catch (const Error& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
