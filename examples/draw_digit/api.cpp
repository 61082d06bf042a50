#include "api.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <digitnet/core/number_text.hpp>
#include <digitnet/core/samples.hpp>
#include <digitnet/data/normalize_digit.hpp>
#include <digitnet/report/first_layer.hpp>
#include <digitnet/report/html.hpp>
#include <nlohmann/json.hpp>

#include "digit_image.hpp"
#include "json_limits.hpp"
#include "page_files.hpp"
#include "predict_json.hpp"

namespace draw {

using namespace digitnet;
using nlohmann::json;

namespace {

constexpr std::array<std::size_t, 3> image_extents{28, 28, 1};
constexpr std::size_t most_digits = 32;

// Values from 0 to 1 as bytes.
std::string bytes_of(std::span<const float> values, float largest = 1) {
  std::string bytes;
  for (const float value : values)
    // What is NaN is none.
    bytes += static_cast<char>(value > 0 ? std::lround(255 * std::min(value / largest, 1.0f)) : 0);
  return bytes;
}

// Ink on a sheet that is small enough to be searched at once.
InkImage ink_of(const DigitImage& image) {
  constexpr std::size_t longest_side = 640;
  return find_ink(image.bytes.data(), image.height, image.width, image.channels, longest_side);
}

json feature_maps(const DigitModel& model, const float* image) {
  const auto maps = model.feature_maps(image);
  if (!maps) return nullptr;
  const float largest = std::max(1e-6f, *std::max_element(maps->values.begin(), maps->values.end()));
  return {{"layers", maps->layers},
          {"height", maps->height},
          {"width", maps->width},
          {"channels", maps->channels},
          {"values", html::base64(bytes_of(maps->values, largest))}};
}

std::string content_type(std::string_view name) {
  if (name.ends_with(".html")) return "text/html; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
  if (name.ends_with(".svg")) return "image/svg+xml";
  return "application/json";
}

void answer(Response& response, const json& value) {
  response.set_content(value.dump() + "\n", "application/json");
}

// Enough digits for a bar, and short.
double rounded(float probability) { return std::round(double{probability} * 1e6) / 1e6; }

// A handler that answers what is wrong with a request with status 400.
template <class Function>
CallHandler checked(Function function) {
  return [function](const Call& call, Response& response) {
    try {
      function(call, response);
    } catch (const Problem&) {
      throw;
    } catch (const Error& error) {
      refuse(response, 400, error.what());
    }
  };
}

}  // namespace

Api::Api(HttpServer& server, DigitModel& model, Corrections* corrections)
    : server_(server), model_(model), corrections_(corrections) {
  server.on_answer = [this](const Answered& answered) { metrics_.count(answered); };
  server.route("POST", "/v1/models/digits:predict",
               checked([this](const Call& call, auto& response) { predict_instances(call, response); }));
  server.route("POST", "/predict",
               checked([this](const Call& call, auto& response) { predict_picture(call, response); }));
  if (corrections)
    server.route("POST", "/corrections",
                 [this](const Call& call, auto& response) { correct(call, response); });
  add_page();
  add_health();
}

void Api::predict_instances(const Call& call, Response& response) {
  // Numbers have at least one digit and a comma; a vector that grows holds its old values, too.
  call.memory.take(3 * sizeof(float) * std::min(call.body.size() / 2, most_values));
  const PredictRequest request = parse_predict_request(call.body);
  const std::size_t count = request.extents.front();
  Samples(request.values.data(), count, std::span(request.extents).subspan(1)).check_shape(image_extents);
  std::vector<float> probabilities(count * DigitModel::classes);
  model_.predict(request.values.data(), count, probabilities.data());
  response.set_content(predict_response(probabilities, DigitModel::classes, request.columns),
                       "application/json");
}

void Api::predict_picture(const Call& call, Response& response) {
  const auto begin = std::chrono::steady_clock::now();
  const std::string_view type = call.request.field("content-type");
  if (!type.starts_with("image/png") && !type.starts_with("image/x-portable-graymap") &&
      !type.starts_with("application/octet-stream"))
    return refuse(
        response, 415,
        "The body's type is " + shown(type) + ", but must be image/png or image/x-portable-graymap");
  call.memory.take(bytes_per_pixel * pixels_of_image(call.body));
  const InkImage ink = ink_of(decode_image(call.body));
  const std::vector<InkBox> boxes = split_digits(ink);
  if (boxes.size() > most_digits)
    fail("The picture has " + std::to_string(boxes.size()) + " separate strokes, but at most " +
         std::to_string(most_digits) + " digits are read: cut out the number");
  std::vector<float> images, probabilities(boxes.size() * DigitModel::classes);
  for (const InkBox& box : boxes) {
    const auto image = normalize_digit(ink, box);
    images.insert(images.end(), image.begin(), image.end());
  }
  model_.predict(images.data(), boxes.size(), probabilities.data());

  std::string number;
  json digits = json::array();
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    const auto row = std::span(probabilities).subspan(i * DigitModel::classes, DigitModel::classes);
    const auto best = static_cast<std::size_t>(std::max_element(row.begin(), row.end()) - row.begin());
    number += std::to_string(best);
    const auto share = [](std::size_t part, std::size_t whole) {
      return static_cast<double>(part) / static_cast<double>(whole);
    };
    json probabilities_of_all = json::array();
    for (const float probability : row) probabilities_of_all.push_back(rounded(probability));
    digits.push_back({{"digit", best},
                      {"probability", rounded(row[best])},
                      {"probabilities", std::move(probabilities_of_all)},
                      {"box",
                       {{"left", share(boxes[i].left, ink.width)},
                        {"top", share(boxes[i].top, ink.height)},
                        {"right", share(boxes[i].right, ink.width)},
                        {"bottom", share(boxes[i].bottom, ink.height)}}},
                      {"image", html::base64(bytes_of(std::span(images).subspan(i * DigitModel::image_size,
                                                                                DigitModel::image_size)))}});
  }
  json result{{"number", number}, {"digits", std::move(digits)}};
  if (const auto wanted = call.request.parameter("feature_maps")) {
    const auto place = parse_number<std::uint8_t>(*wanted);
    if (!place || *place > 99)
      fail("feature_maps is " + shown(*wanted) + ", but must be the place of a digit, from 0");
    if (*place < boxes.size())
      result["feature_maps"] = feature_maps(model_, &images[*place * DigitModel::image_size]);
  }
  const double milliseconds =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  response.set("Server-Timing", "predict;dur=" + to_fixed_text(milliseconds, 3));
  answer(response, result);
}

void Api::correct(const Call& call, Response& response) {
  // Another site's page could send other types without asking.
  if (!call.request.field("content-type").starts_with("application/json"))
    return refuse(response, 415, "A correction must be of type application/json");
  check_json_limits(call.body, {.elements = 1000});
  const json value = json::parse(call.body, nullptr, false);
  const auto is_byte = [](const json& number) {
    return number.is_number_unsigned() && number.get<std::uint64_t>() <= 255;
  };
  if (!value.is_object() || !value.contains("image") || !value["image"].is_array() ||
      value["image"].size() != DigitModel::image_size ||
      !std::all_of(value["image"].begin(), value["image"].end(), is_byte))
    return refuse(response, 400, "A correction has \"image\", an array of 784 bytes, row by row");
  if (!value.contains("label") || !value["label"].is_number_unsigned() ||
      value["label"].get<std::uint64_t>() > 9)
    return refuse(response, 400, "A correction has \"label\", a digit from 0 to 9");
  std::array<std::uint8_t, DigitModel::image_size> image;
  std::transform(value["image"].begin(), value["image"].end(), image.begin(),
                 [](const json& number) { return number.get<std::uint8_t>(); });
  try {
    answer(response, {{"corrections", corrections_->add(image, value["label"].get<std::uint8_t>())}});
  } catch (const Error& error) {
    refuse(response, 507, error.what());
  }
}

void Api::add_page() {
  for (const PageFile& file : page_files()) {
    const std::string name(file.name);
    server_.route("GET", name == "index.html" ? "/" : "/" + name, [&file](const Call&, Response& response) {
      response.set("Cache-Control", "no-cache");
      response.set_content(std::string(file.content), content_type(file.name));
    });
  }
  server_.route("GET", "/settings.json", [this](const Call&, Response& response) {
    answer(response, {{"corrections", corrections_ != nullptr},
                      {"parameters", model_.description().parameter_count()}});
  });
}

void Api::add_health() {
  server_.route("GET", "/healthz", [](const Call&, Response& response) {
    response.set_content("ok\n", "text/plain; charset=utf-8");
  });
  server_.route("GET", "/metrics", [this](const Call&, Response& response) {
    response.set_content(metrics_.text(server_, model_), ServerMetrics::content_type);
  });
  server_.route("GET", "/v1/models/digits", [](const Call&, Response& response) {
    answer(response, {{"model_version_status",
                       {{{"version", "1"},
                         {"state", "AVAILABLE"},
                         {"status", {{"error_code", "OK"}, {"error_message", ""}}}}}}});
  });
}

}  // namespace draw
