// Small models that real Keras wrote, each as .keras and .h5: what can be read answers as Keras did, what
// cannot is refused with every reason.
//   keras_written FOLDER
#include <algorithm>
#include <cmath>
#include <cstring>
#include <digitnet/core/read_file.hpp>
#include <filesystem>
#include <iostream>
#include <map>
#include <set>

#include "keras_written_models.hpp"

namespace {

std::vector<float> numbers_in(const std::string& path) {
  const auto bytes = digitnet::read_file(path);
  std::vector<float> result(bytes.size() / sizeof(float));
  std::memcpy(result.data(), bytes.data(), result.size() * sizeof(float));
  return result;
}

// What the refusal of a model must say; models that are not here must be read.
const std::map<std::string, std::vector<std::string>> reasons{
    {"act_gelu_approx", {"\"dense_97\"", "its activation {\"value\""}},
    {"act_hard_sigmoid", {"\"dense_54\"", "\"activation_8\"", "its activation \"hard_sigmoid\""}},
    {"act_log_softmax", {"\"dense_56\"", "\"activation_9\"", "its activation \"log_softmax\""}},
    {"act_mish", {"\"dense_48\"", "\"activation_5\"", "its activation \"mish\""}},
    {"act_relu6", {"\"dense_44\"", "\"activation_3\"", "its activation \"relu6\""}},
    {"act_selu", {"\"dense_46\"", "\"activation_4\"", "its activation \"selu\""}},
    {"bn_axis1_image", {"\"batch_normalization_15\"", "its axis is 1"}},
    {"channels_first_flatten", {"\"flatten_28\"", "its data_format is \"channels_first\""}},
    {"conv1d", {"\"conv1d\"", "there is no Conv1D here"}},
    {"cropping", {"there is no Cropping2D here"}},
    {"dense_on_image", {"\"dense_40\"", "Dense needs a flat input here, but gets (8, 6)"}},
    {"dilated", {"its dilation_rate is [2,2]"}},
    {"float64", {"\"dense_149\": it computes in float64", "\"dense_150\": it computes in float64"}},
    {"globalmax", {"there is no GlobalMaxPooling2D here"}},
    {"groups", {"its groups is 2"}},
    {"lambda", {"there is no Lambda here"}},
    {"lay_PReLU", {"there is no PReLU here"}},
    {"lay_ReLU6", {"its max_value is 6"}},
    {"lstm", {"there is no LSTM here"}},
    {"maximum", {"there is no Maximum here"}},
    {"permute", {"there is no Permute here"}},
    {"resizing", {"there is no Resizing here"}},
    {"shared_layer", {"\"dense_134\"", "it is used more than once"}},
    {"two_inputs", {"it has more than one input"}},
    {"two_outputs", {"it has more than one output"}},
    {"upsampling", {"there is no UpSampling2D here"}},
    {"x_add_broadcast", {"its inputs (6, 6, 4) and (1, 1, 4) do not go together"}},
    {"x_op_mul_add", {"\"dense_6\"", "several branches share it"}},
    {"zeropad_asym", {"its padding is [[0,1],[0,1]]"}}};

}  // namespace

int main(int, char** argv) {
  const std::string folder = std::string(argv[1]) + "/";
  int right = 0, refusals = 0, wrong = 0;
  const auto say_wrong = [&](const std::string& file, const std::string& why) {
    std::cout << "WRONG " << file << ": " << why << "\n";
    ++wrong;
  };
  const auto check = [&](const std::string& name, const std::string& file, const auto& load) {
    try {
      if (reasons.contains(name)) return say_wrong(file, "it should be refused");
      const auto model = load();
      using Model = std::decay_t<decltype(model)>;
      const auto in = numbers_in(folder + name + ".in"), out = numbers_in(folder + name + ".out");
      digitnet::Matrix x = digitnet::Matrix::from_shape(
          {in.size() / Model::InputShape::size, std::size_t{Model::InputShape::size}});
      std::copy(in.begin(), in.end(), x.data());
      const digitnet::Matrix y = model.predict(x);
      if (y.size() != out.size()) return say_wrong(file, "its results have another size");
      double largest = 0;  // a NaN stays
      for (std::size_t i = 0; i < out.size(); ++i) {
        const double difference =
            std::abs(double{y.data()[i]} - double{out[i]}) / std::max(1.0, std::abs(double{out[i]}));
        if (!(difference <= largest)) largest = difference;
      }
      const double allowed = name.starts_with("mixed_") ? 1e-2 : 1e-5;
      if (!(largest <= allowed)) return say_wrong(file, "its results differ by " + std::to_string(largest));
      ++right;
    } catch (const std::exception& error) {
      say_wrong(file, error.what());
    }
  };
  const auto refused = [&](const std::string& file, const std::string& why) {
    const auto wanted = reasons.find(file.substr(0, file.find('.')));
    if (wanted == reasons.end()) return say_wrong(file, "it should be read, but: " + why);
    for (const std::string& part : wanted->second)
      if (why.find(part) == std::string::npos) return say_wrong(file, "no \"" + part + "\" in: " + why);
    if (why.find("damaged") != std::string::npos) return say_wrong(file, why);
    ++refusals;
  };
  check_all(check, refused);
  std::cout << right << " right, " << refusals << " refused truly, " << wrong << " wrong\n";
  return wrong == 0 && right > 0 ? 0 : 1;
}
