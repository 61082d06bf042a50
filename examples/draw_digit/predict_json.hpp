// The JSON of TensorFlow Serving's REST API, for one input of images and one output of probabilities.
// Source: tensorflow.org/tfx/serving/api_rest, "Predict API".
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace draw {

/// Images that were asked about.
struct PredictRequest {
  std::vector<float> values{};         ///< of all images
  std::vector<std::size_t> extents{};  ///< (n, ...)
  bool columns = false;                ///< asked as "inputs", not as "instances"
};

/// At most this many images are read in one request.
inline constexpr std::size_t most_instances = 1024;

/// Reads {"instances": [...]} or {"inputs": [...]}, arrays of numbers from 0 (no ink) to 1 that all have one
/// shape. Throws an Error that says what is wrong where.
PredictRequest parse_predict_request(std::string_view json);

/// {"predictions": [[...], ...]}, or for columns {"outputs": ...}, of rows of `classes` numbers.
std::string predict_response(std::span<const float> probabilities, std::size_t classes, bool columns);

/// Appends a number so that it reads back as the same float.
void append_number(std::string& text, float value);

}  // namespace draw
