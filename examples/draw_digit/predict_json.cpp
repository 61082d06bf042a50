#include "predict_json.hpp"

#include <cmath>
#include <digitnet/core/error.hpp>
#include <digitnet/core/number_text.hpp>
#include <nlohmann/json.hpp>

#include "http_message.hpp"
#include "json_limits.hpp"

namespace draw {

using digitnet::fail;

namespace {

// Takes the numbers as they are read: no tree of the whole text is built, whatever it contains.
class PredictReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  PredictRequest request{};
  std::string problem{};
  bool found = false;

  bool null() override { return unexpected("null"); }
  bool boolean(bool) override { return unexpected("true or false"); }
  bool number_integer(number_integer_t value) override { return number(static_cast<double>(value)); }
  bool number_unsigned(number_unsigned_t value) override { return number(static_cast<double>(value)); }
  bool number_float(number_float_t value, const string_t&) override { return number(value); }
  bool binary(binary_t&) override { return unexpected("binary data"); }
  bool string(string_t&) override {
    return depth_ == 0 && key_ == "signature_name" ? true : unexpected("a string");
  }

  bool start_object(std::size_t) override {
    if (!in_object_ && !found) return in_object_ = true;
    return unexpected("an object");
  }
  bool key(string_t& name) override {
    key_ = name;
    if (name == "signature_name") return true;
    if (name != "instances" && name != "inputs")
      return wrong("The request has " + shown(name) +
                   ", but knows \"instances\", \"inputs\" and \"signature_name\"");
    if (found) return wrong("The request has \"instances\" or \"inputs\" twice");
    found = true;
    request.columns = name == "inputs";
    return true;
  }
  bool end_object() override { return true; }

  bool start_array(std::size_t) override {
    if (!in_object_ || key_ == "signature_name") return unexpected("an array");
    if (leaf_depth_ != 0 && depth_ == leaf_depth_) return unexpected("an array");
    if (depth_ == most_depth)
      return wrong("Arrays are nested more than " + std::to_string(most_depth) + " deep");
    if (depth_ > 0 && !count(1)) return false;
    counts_[depth_++] = 0;
    return true;
  }
  bool end_array() override {
    --depth_;
    const std::size_t length = counts_[depth_];
    if (request.extents.size() <= depth_) request.extents.resize(depth_ + 1, unknown);
    std::size_t& known = request.extents[depth_];
    if (depth_ > 0 && known != unknown && known != length)
      return wrong("Arrays of " + std::to_string(known) + " and of " + std::to_string(length) +
                   " elements are beside each other, but all images must have one shape");
    known = length;
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    if (problem.empty()) problem = json_problem(position, error.what());
    return false;
  }

 private:
  static constexpr std::size_t most_depth = 4, unknown = static_cast<std::size_t>(-1);

  bool wrong(std::string what) {
    problem = std::move(what);
    return false;
  }
  bool unexpected(const char* what) {
    return wrong(std::string("The request has ") + what + (key_.empty() ? "" : " in \"" + key_ + "\"") +
                 (leaf_depth_ != 0 ? " (image " + std::to_string(counts_[0] - 1) + ")" : "") +
                 ", but must be {\"instances\": [...]} with arrays of numbers that have one shape");
  }
  // An element of the innermost open array.
  bool count(std::size_t elements) {
    counts_[depth_ - 1] += elements;
    return depth_ > 1 || counts_[0] <= most_instances ||
           wrong("The request has more than the " + std::to_string(most_instances) + " images that are read");
  }
  bool number(double value) {
    if (depth_ < 2 || (leaf_depth_ != 0 && depth_ != leaf_depth_)) return unexpected("a number");
    leaf_depth_ = depth_;
    if (!(value >= 0 && value <= 1)) {
      return wrong("Image " + std::to_string(counts_[0] - 1) + " has the value " +
                   (std::abs(value) < 1e9 ? digitnet::to_text(value) : "a huge number") +
                   ", but values are from 0 (no ink) to 1: divide bytes by 255");
    }
    if (request.values.size() == most_values)
      return wrong("The request has more than the " + std::to_string(most_values) + " numbers that are read");
    request.values.push_back(static_cast<float>(value));
    return count(1);
  }

  bool in_object_ = false;
  string_t key_{};
  std::size_t depth_ = 0, leaf_depth_ = 0;  // of arrays; and where the numbers are
  std::size_t counts_[most_depth] = {};     // elements so far of each open array
};

}  // namespace

PredictRequest parse_predict_request(std::string_view json) {
  check_json_limits(json, {});
  PredictReader reader;
  const bool read = nlohmann::json::sax_parse(json, &reader);
  if (!reader.problem.empty()) fail(reader.problem);
  if (!read || !reader.found) fail("The request has no \"instances\": it must be {\"instances\": [...]}");
  if (reader.request.values.empty()) fail("\"instances\" is empty: it must have at least one image");
  return std::move(reader.request);
}

std::string predict_response(std::span<const float> probabilities, std::size_t classes, bool columns) {
  std::string text = columns ? "{\"outputs\": [" : "{\"predictions\": [";
  for (std::size_t i = 0; i < probabilities.size(); ++i) {
    text += i % classes != 0 ? ", " : i == 0 ? "[" : "], [";
    if (!std::isfinite(probabilities[i]))
      fail("The network's answer is " + digitnet::to_text(probabilities[i]) +
           ", which JSON has no number for");
    text += digitnet::to_text(probabilities[i]);
  }
  return text + "]]}\n";
}

}  // namespace draw
