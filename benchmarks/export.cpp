// The networks of the contest as ONNX files, for a runtime that reads such: benchmark_export FOLDER writes
// C.onnx with random weights, and C.int8.onnx, quantized, and their like.
#include <cstdio>
#include <digitnet/onnx/onnx.hpp>
#include <digitnet/onnx/quantized.hpp>
#include <digitnet/quantized.hpp>
#include <string>

#include "contest.hpp"
#include "nets.hpp"

using namespace contest;

namespace {

template <class Model>
void write(const std::string& folder, char letter) {
  save_onnx(Model{Seed{1}}, folder + "/" + letter + ".onnx");
}

template <class Model>
void write_on_bytes(const std::string& folder, char letter) {
  const auto digits = digit_floats({letter, 256, 1, false});
  Matrix samples = Matrix::from_shape({256, 784});
  std::copy_n(digits.pixels.data(), samples.size(), samples.data());
  save_onnx(quantize(Model{Seed{1}}, samples), folder + "/" + letter + ".int8.onnx");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: benchmark_export FOLDER\n");
    return 2;
  }
  write<D>(argv[1], 'D');
  write<E>(argv[1], 'E');
  write<F>(argv[1], 'F');
  write<G>(argv[1], 'G');
  write_on_bytes<C>(argv[1], 'C');
  write_on_bytes<D>(argv[1], 'D');
  write_on_bytes<E>(argv[1], 'E');
}
