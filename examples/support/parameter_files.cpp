#include "parameter_files.hpp"

#include <digitnet/core/atomic_file.hpp>
#include <digitnet/core/error.hpp>
#include <digitnet/io/read_in_child.hpp>
#include <digitnet/io/safetensors.hpp>
#ifdef DIGITNET_WITH_KERAS
#include <digitnet/keras/keras.hpp>
#endif
#ifdef DIGITNET_WITH_ONNX
#include <digitnet/onnx/onnx.hpp>
#endif

namespace program {

using namespace digitnet;

namespace {

bool is_keras(const std::string& path) {
  return path.ends_with(".keras") || path.ends_with(".h5") || path.ends_with(".hdf5");
}
[[noreturn, maybe_unused]] void refuse(const std::string& path, const char* what, const char* packages) {
  fail(path + ": this program was built without " + what + " (Debian: " + packages +
       "); .safetensors needs nothing");
}

}  // namespace

void load_parameters(const ModelDescription& model, std::span<float> parameters, const std::string& path) {
  if (path.ends_with(".safetensors")) {
    load_in_child(path, parameters, [&](std::span<float> to) { load_safetensors(model, to, path); });
  } else if (is_keras(path)) {
#ifdef DIGITNET_WITH_KERAS
    load_in_child(path, parameters, [&](std::span<float> to) { load_keras(model, to, path); });
#else
    refuse(path, "Keras' files", "libhdf5-dev libzip-dev nlohmann-json3-dev");
#endif
  } else {
    fail(path + " must end with .safetensors, .keras, .h5 or .weights.h5, which say what is read");
  }
}

void check_save_path(const std::string& path) {
#ifndef DIGITNET_WITH_KERAS
  if (is_keras(path)) refuse(path, "Keras' files", "libhdf5-dev libzip-dev nlohmann-json3-dev");
#endif
#ifndef DIGITNET_WITH_ONNX
  if (path.ends_with(".onnx")) refuse(path, "ONNX files", "libonnx-dev libprotobuf-dev");
#endif
  if (!path.ends_with(".safetensors") && !path.ends_with(".onnx") && !is_keras(path))
    fail(path + " must end with .safetensors, .keras, .h5, .weights.h5 or .onnx, which say what is written");
  AtomicFile{path};  // better known before an hour of training than after it
}

void save_parameters(const ModelDescription& model, std::span<const float> parameters,
                     const std::string& path) {
#ifdef DIGITNET_WITH_KERAS
  if (is_keras(path)) save_keras(model, parameters, path);
#endif
#ifdef DIGITNET_WITH_ONNX
  if (path.ends_with(".onnx")) save_onnx(model, parameters, path);
#endif
  if (path.ends_with(".safetensors")) save_safetensors(model, parameters, path);
}

}  // namespace program
