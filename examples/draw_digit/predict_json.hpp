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

/// At most this many images are read in one request, and as many numbers as they have.
inline constexpr std::size_t most_instances = 1024, most_values = most_instances * 28 * 28;

/// Reads {"instances": [...]} or {"inputs": [...]}, arrays of numbers from 0 (no ink) to 1 that all have one
/// shape. Throws an Error that says what is wrong where.
PredictRequest parse_predict_request(std::string_view json);

/// {"predictions": [[...], ...]}, or for columns {"outputs": ...}, of rows of `classes` numbers. Throws an
/// Error if one is NaN or infinite.
std::string predict_response(std::span<const float> probabilities, std::size_t classes, bool columns);

}  // namespace draw
