// Descriptions follow from the settings that layers declare.
#include <algorithm>
#include <array>
#include <digitnet/digitnet.hpp>

#include "support/support.hpp"

namespace {

using namespace digitnet;

struct Passing : LayerDefaults {
  static void forward(const auto& io) { std::copy_n(io.x.data, io.x.size(), io.y.data); }
  static void backward(const auto& io) {
    if constexpr (std::decay_t<decltype(io)>::wants_dx) std::copy_n(io.dy.data, io.dy.size(), io.dx.data);
  }
};

enum class Side { left, right };
constexpr const char* setting_word(Side side) { return side == Side::left ? "left" : "right"; }

template <std::size_t Count>
struct Everything {
  static constexpr std::string_view class_name = "Everything";
  float number = 0.1f;
  bool flag = true;
  std::string word = "a";
  Side side = Side::right;
  static constexpr auto settings = std::tuple{setting<"count">(Count),
                                              setting<"number">(&Everything::number),
                                              setting<"flag">(&Everything::flag),
                                              setting<"word">(&Everything::word),
                                              setting<"side">(&Everything::side),
                                              setting<"window">(Extent{2, 3}),
                                              setting<"list">(std::array{4, 5, 6})};
  template <class In>
  struct On : Passing {
    using Output = In;
  };
};

struct Overloaded {
  static constexpr std::string_view class_name = "Overloaded";
  int count = 3;
  template <class In>
  struct On : Passing {
    using Output = In;
  };
};
inline Attributes attributes_of(const Overloaded& layer) { return {{"count", std::int64_t{layer.count}}}; }

template <std::size_t>
struct SilentOfTemplate {
  static constexpr std::string_view class_name = "SilentOfTemplate";
  template <class In>
  struct On : Passing {
    using Output = In;
  };
};
struct SilentWithMember {
  static constexpr std::string_view class_name = "SilentWithMember";
  float strength = 1;
  template <class In>
  struct On : Passing {
    using Output = In;
  };
};
template <class>
struct SaysNone {
  static constexpr std::string_view class_name = "SaysNone";
  static constexpr auto settings = std::tuple{};
  template <class In>
  struct On : Passing {
    using Output = In;
  };
};
// Rules of parameters are no settings.
struct Shift {
  static constexpr std::string_view class_name = "Shift";
  Initializer offset_initializer = Zeros{};
  Regularizer offset_regularizer{};
  template <class In>
  struct On : Passing {
    using Output = In;
    using Parameters =
        ParameterList<Parameter<"offset", In, &Shift::offset_initializer, &Shift::offset_regularizer>>;
  };
};
struct ShiftWithMember : Shift {
  bool also = false;
};

template <class... Layers>
LayerDescription described(Layers... layers) {
  return describe(Sequential{Input<2>{}, layers...}).layers.front();
}

}  // namespace

TEST_CASE("settings of each kind become attributes, in their order") {
  CHECK(described(Everything<7>{}).text() ==
        "Everything (count 7, number 0.1, flag true, word a, side right, window (2, 3), list (4, 5, 6))");
  CHECK(described(Everything<8>{.number = 2, .flag = false, .word = "b", .side = Side::left}).text() ==
        "Everything (count 8, number 2, flag false, word b, side left, window (2, 3), list (4, 5, 6))");
  CHECK(described(Everything<7>{}).attribute<std::int64_t>("count") == 7);
}

TEST_CASE("an overload of attributes_of says a layer's settings, too") {
  const LayerDescription layer = described(Overloaded{.count = 5});
  CHECK(layer.text() == "Overloaded (count 5)");
  CHECK(layer.says_settings);
}

TEST_CASE("the library's layers all say their settings") {
  CHECK(described(Dense<3, no_bias>{}).text() == "Dense (units 3, use_bias false)");
  CHECK(described(BasicBatchNormalization<true, false>{.momentum = 0.5f}).text() ==
        "BatchNormalization (center true, scale false, epsilon 0.001, momentum 0.5)");
  for (const LayerDescription& layer : describe(Sequential{Input<8, 8, 1>{},
                                                           RandomFlip{},
                                                           RandomRotation{},
                                                           RandomTranslation{},
                                                           RandomZoom{},
                                                           Rescaling{},
                                                           ZeroPadding2D<1>{},
                                                           Conv2D<2, 3>{},
                                                           BatchNormalization{},
                                                           ReLU{},
                                                           LeakyReLU{},
                                                           ELU{},
                                                           GELU{},
                                                           SiLU{},
                                                           Sigmoid{},
                                                           Tanh{},
                                                           Softplus{},
                                                           HardSwish{},
                                                           DepthwiseConv2D<3>{},
                                                           SeparableConv2D<4, 3>{},
                                                           MaxPooling2D<1>{},
                                                           AveragePooling2D<1>{},
                                                           SpatialDropout2D{0.1f},
                                                           LayerNormalization{},
                                                           Residual<Dropout, GaussianNoise>{},
                                                           SqueezeExcite<2>{},
                                                           Parallel<Concatenate, Identity, Identity>{},
                                                           GlobalAveragePooling2D{},
                                                           Reshape<8>{},
                                                           Flatten{},
                                                           Dense<4>{},
                                                           Softmax{}})
                                           .layers) {
    INFO(layer.name);
    CHECK(layer.says_settings);
  }
}

TEST_CASE("a layer that has something to say and does not is refused by name where it is written") {
  CHECK_FALSE(described(SilentOfTemplate<3>{}).says_settings);
  CHECK_FALSE(described(SilentWithMember{}).says_settings);
  CHECK_FALSE(described(ShiftWithMember{}).says_settings);
  CHECK(described(SaysNone<int>{}).says_settings);
  CHECK(described(Shift{}).says_settings);
  CHECK_ERROR(
      "The layer \"silent_with_member\" cannot be written: SilentWithMember does not say its settings: "
      "give it `static constexpr auto settings = std::tuple{...}` (digitnet/layers/setting.hpp), which "
      "may be empty",
      check_settings_are_said(describe(Sequential{Input<2>{}, SilentWithMember{}})));
  // A checkpoint that a callback writes compares settings.
  TrainingSetup setup;
  CHECK_ERROR("SilentOfTemplate does not say its settings",
              detail::describe_model(describe(Sequential{Input<2>{}, SilentOfTemplate<1>{}}), {}, setup));
}

namespace {

struct OfAFormat {
  int number;
};
struct InFiles {
  static constexpr std::string_view class_name = "InFiles";
  template <class In>
  struct On : Passing {
    using Output = In;
  };
};
inline std::vector<std::any> file_entries(const InFiles&) { return {OfAFormat{7}}; }

}  // namespace

TEST_CASE("what formats know of a user's layer goes with its description") {
  const LayerDescription layer = described(InFiles{});
  REQUIRE(layer.file_entry<OfAFormat>());
  CHECK(layer.file_entry<OfAFormat>()->number == 7);
  CHECK_FALSE(layer.file_entry<std::string>());
  CHECK_FALSE(described(Shift{}).file_entry<OfAFormat>());
}
