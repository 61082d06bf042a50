// Files of quantized models: how large they are, what comes back, and what is refused.
#include <digitnet/digitnet.hpp>
#include <digitnet/io/quantized.hpp>
#include <digitnet/model/quantize.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "io/every_layer.hpp"
#include "support/support.hpp"

using namespace digitnet;

namespace {

template <class Model>
void check_round_trip(const Model& model, const QuantizeOptions& options = {}) {
  const support::Folder folder;
  const std::string path = folder.path() + "/model.safetensors";
  const Matrix x = networks::samples_for(model, 40);
  const auto quantized = quantize(model, Samples(x), options);
  save_safetensors(quantized, path);
  const auto read = load_quantized<Model>(path, model.body());
  CHECK(read.predict(x) == quantized.predict(x));
  CHECK(read.numbers().in_float == quantized.numbers().in_float);
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
void write_bytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

using Cnn = Sequential<Input<28, 28, 1>, Conv2D<32, 3>, ReLU, MaxPooling2D<2>, Conv2D<64, 3>, ReLU,
                       MaxPooling2D<2>, Flatten, Dense<64>, ReLU, Dense<10>, Softmax>;

}  // namespace

TEST_CASE("a quantized model comes back with the same answers") {
  check_round_trip(networks::cnn(1));
  check_round_trip(networks::cnn(1), {.in_float = {"conv2d", "re_lu_1", "dense"}});
  check_round_trip(networks::every_layer(2));
  check_round_trip(networks::branches(3));
  check_round_trip(networks::combinators(4));
  check_round_trip(networks::grouped(5));
}

TEST_CASE("the file is about a quarter of that in float32") {
  const support::Folder folder;
  const Cnn model{Seed{1}};
  const auto quantized = quantize(model, Samples(synthetic_digits(10, Seed{1}).images));
  save_safetensors(model, folder.path() + "/float");
  save_safetensors(quantized, folder.path() + "/int8");
  const auto large = std::filesystem::file_size(folder.path() + "/float"),
             small = std::filesystem::file_size(folder.path() + "/int8");
  CHECK(static_cast<double>(small) < 0.26 * static_cast<double>(large));
  // In memory, too: weights are padded to whole vectors.
  CHECK(static_cast<double>(quantized.bytes()) < 0.27 * 4 * Cnn::parameter_count);
}

TEST_CASE("damaged files are refused") {
  const support::Folder folder;
  const std::string path = folder.path() + "/model";
  const auto model = networks::cnn(1);
  using Model = std::remove_const_t<decltype(model)>;
  const auto quantized = quantize(model, Samples(networks::samples_for(model, 20)));
  save_safetensors(quantized, path);
  const std::string whole = bytes_of(path);
  // Cut off anywhere.
  for (std::size_t length = 0; length < whole.size(); length += 97) {
    write_bytes(path, whole.substr(0, length));
    CHECK_THROWS_AS((void)load_quantized<Model>(path), Error);
  }
  // A bit changed anywhere.
  for (std::size_t at = 0; at < whole.size(); at += 89) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 4);
    write_bytes(path, bytes);
    CHECK_THROWS_AS((void)load_quantized<Model>(path), Error);
  }
}

TEST_CASE("files whose numbers cannot be are refused") {
  const support::Folder folder;
  const std::string path = folder.path() + "/model";
  const auto model = networks::cnn(1);
  using Model = std::remove_const_t<decltype(model)>;
  const detail::Int8Graph graph = Quantized<Model>::graph();
  const auto file = detail::quantized_file<Model>(graph, model.body());
  const detail::Int8Numbers numbers = quantize(model, Samples(networks::samples_for(model, 20))).numbers();
  const auto error_with = [&](const auto& change) {
    detail::Int8Numbers changed = numbers;
    change(changed);
    file.save(changed, path);
    return support::error_of([&] { (void)load_quantized<Model>(path); });
  };
  CHECK(support::contains(error_with([](auto& n) { n.scales[2].scale = 0; }),
                          "scales has 0, which is no scale"));
  CHECK(support::contains(error_with([](auto& n) { n.scales[0].scale = -1; }),
                          "scales has -1, which is no scale"));
  CHECK(support::contains(
      error_with([](auto& n) { n.weights[0].scales[1] = std::numeric_limits<float>::quiet_NaN(); }),
      "conv2d/kernel_scale [1] is nan in the file"));
  CHECK(support::contains(error_with([](auto& n) { n.weights[0].bias[3] = (1 << 30) + 1; }),
                          "conv2d/bias has a number beyond 2^30"));
  // Whose products would not be finite.
  CHECK(support::contains(error_with([](auto& n) { n.scales[0].scale = 1e13f; }),
                          "scales has 1e+13, which is no scale"));
  // -128 is no number that quantize gives, but a byte.
  detail::Int8Numbers changed = numbers;
  changed.weights[0].kernel[0] = -128;
  file.save(changed, path);
  CHECK(load_quantized<Model>(path).predict(networks::samples_for(model, 1)).size() == 10);

  // Another model's file, and one in float32.
  const auto other = networks::ann(1);
  CHECK_ERROR("the model has dense_1/kernel_scale F32 (10), the file does not",
              (void)load_quantized<std::remove_const_t<decltype(other)>>(path));
  save_safetensors(model, path);
  CHECK_ERROR("is no file of a quantized model", (void)load_quantized<Model>(path));
  save_safetensors(quantize(other, Samples(networks::samples_for(other, 5))), path);
  Model in_float = model;
  CHECK_ERROR("dense/kernel is F32 (float32) in the model, I8 in the file", load_safetensors(in_float, path));
}
