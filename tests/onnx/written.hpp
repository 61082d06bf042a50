// Where the tests of ONNX leave files for onnxruntime, which is run on them afterwards.
#pragma once
#include <onnx/onnx_pb.h>

#include <digitnet/core/atomic_file.hpp>
#include <digitnet/onnx/onnx.hpp>
#include <fstream>
#include <iterator>
#include <string>

#include "io/every_layer.hpp"
#include "support/support.hpp"

namespace written {

inline void write_floats(const std::string& path, const digitnet::Matrix& numbers) {
  digitnet::AtomicFile file(path);
  file.write(numbers.data(), numbers.size() * sizeof(float));
  file.commit();
}

/// Writes a model with samples and its own answers to them, and gives what a reader finds in the file.
template <class Model>
onnx::GraphProto write(const Model& model, const std::string& name) {
  const std::string path = std::string(DIGITNET_WRITTEN) + "/" + name;
  const digitnet::Matrix x = networks::samples_for(model, 50);
  write_floats(path + ".input", x);
  write_floats(path + ".output", model.predict(x));
  digitnet::save_onnx(model, path + ".onnx");
  std::ifstream file(path + ".onnx", std::ios::binary);
  onnx::ModelProto read;
  REQUIRE(read.ParseFromIstream(&file));
  return read.graph();
}

/// "Transpose Conv Relu"
inline std::string nodes_of(const onnx::GraphProto& graph) {
  std::string result;
  for (const onnx::NodeProto& node : graph.node()) result += (result.empty() ? "" : " ") + node.op_type();
  return result;
}

}  // namespace written
