// What Keras writes, read: arrays by their names, calls, axes, stores; and every reason of a refusal at once.
#include <digitnet/digitnet.hpp>
#include <digitnet/io/hdf5.hpp>
#include <digitnet/io/zip.hpp>
#include <digitnet/keras/import.hpp>
#include <digitnet/keras/keras.hpp>

#include "support/support.hpp"

using namespace digitnet;

namespace {

keras::FileModel parsed(const std::string& json) { return keras::read_config(keras::Json::parse(json)); }

// A layer of a configuration; `settings` stand behind its name.
std::string layer(const std::string& class_name, const std::string& name, const std::string& settings = "",
                  const std::string& more = "") {
  return R"({"class_name": ")" + class_name + R"(", "name": ")" + name + R"(", "config": {"name": ")" + name +
         "\"" + (settings.empty() ? "" : ", " + settings) + "}" + (more.empty() ? "" : ", " + more) + "}";
}
std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}
std::string sequential(const std::string& input, const std::vector<std::string>& layers,
                       const std::string& name = "m", const std::string& settings = "") {
  return layer("Sequential", name,
               settings + (settings.empty() ? "" : ", ") + "\"layers\": [" +
                   layer("InputLayer", "in", "\"batch_shape\": [null, " + input + "]") + ", " +
                   joined(layers) + "]");
}
// Keras 3's tensor, and a layer called with arguments.
std::string tensor(const std::string& of, const std::string& type = "float32", int output = 0) {
  return R"({"class_name": "__keras_tensor__", "config": {"dtype": ")" + type + R"(", "keras_history": [")" +
         of + "\", 0, " + std::to_string(output) + "]}}";
}
std::string called(const std::string& arguments, const std::string& settings = "") {
  return R"("inbound_nodes": [{"args": [)" + arguments + R"(], "kwargs": {)" + settings + "}}]";
}
std::string functional(const std::string& input, const std::vector<std::string>& layers) {
  return layer(
      "Functional", "m",
      "\"layers\": [" +
          layer("InputLayer", "in", "\"batch_shape\": [null, " + input + "]", "\"inbound_nodes\": []") +
          ", " + joined(layers) + "]");
}

// "Rescaling (scale 2, offset 0)" of each layer.
std::string text_of(const keras::FileModel& model) {
  std::string text;
  for (const LayerDescription& one : model.description().layers)
    text += (text.empty() ? "" : ", ") + one.text();
  return text;
}
std::string error_of(const std::string& json) {  // empty for none
  try {
    parsed(json);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

void write_bytes(const std::string& path, const std::vector<std::byte>& bytes) {
  support::write_file(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

// A group of a .h5: its name, and its arrays in their order.
struct Group {
  std::string name;
  std::vector<std::string> arrays;
};
// Writes a .h5 in which each array of so many numbers is filled with a value of its own, by name.
void write_h5(const std::string& path, const std::string& config, const std::vector<Group>& groups,
              const std::map<std::string, std::vector<std::size_t>>& shapes,
              const std::map<std::string, float>& values) {
  hdf5::File file;
  if (!config.empty()) file.root().put_word("model_config", config);
  const hdf5::Group root =
      config.empty() ? file.root().make_group(".") : file.root().make_group("model_weights");
  std::vector<std::string> names;
  for (const Group& group : groups)
    if (group.name != "top_level_model_weights") names.push_back(group.name);
  root.put_words("layer_names", names);
  for (const Group& group : groups) {
    const hdf5::Group made = root.make_group(group.name);
    made.put_words("weight_names", group.arrays);
    for (const std::string& array : group.arrays) {
      std::size_t size = 1;
      for (const std::size_t extent : shapes.at(array)) size *= extent;
      const std::vector<float> numbers(size, values.at(array));
      made.put_floats(array, shapes.at(array), numbers);
    }
  }
  write_bytes(path, file.bytes());
}

const std::string dense4 = R"("units": 4)";
std::string frozen(const std::string& settings) { return settings + R"(, "trainable": false)"; }

}  // namespace

TEST_CASE(
    "a group's arrays are their layers' by name, whichever layers are frozen, in models inside models") {
  // Three layers of one shape, a normalization, and a model inside; Keras lists what learns first.
  struct Freeze {
    bool a, n, inner, b;
  };
  for (const Freeze freeze : {Freeze{false, false, false, false}, Freeze{true, false, false, false},
                              Freeze{false, true, false, false}, Freeze{true, false, true, false},
                              Freeze{false, true, true, true}, Freeze{true, true, true, true}}) {
    const auto set = [](bool is_frozen, const std::string& settings) {
      return is_frozen ? frozen(settings) : settings;
    };
    const std::string block = sequential(
        "4",
        {layer("Dense", "a", set(freeze.a, dense4)),
         layer("BatchNormalization", "n", set(freeze.n, "\"axis\": [1]")),
         sequential("4", {layer("Dense", "a", set(freeze.inner, dense4))}, "inner", "\"trainable\": true"),
         layer("Dense", "b", set(freeze.b, dense4))},
        "block");
    std::vector<std::string> learns, rests;
    std::map<std::string, std::vector<std::size_t>> shapes;
    std::map<std::string, float> values;
    const auto put = [&](const std::string& name, bool is_kernel, bool is_frozen) {
      shapes[name] = is_kernel ? std::vector<std::size_t>{4, 4} : std::vector<std::size_t>{4};
      values[name] = static_cast<float>(values.size() + 1);
      (is_frozen ? rests : learns).push_back(name);
    };
    put("m/block/a/kernel", true, freeze.a);
    put("m/block/a/bias", false, freeze.a);
    put("m/block/n/gamma", false, freeze.n);
    put("m/block/n/beta", false, freeze.n);
    put("m/block/n/moving_mean", false, true);
    put("m/block/n/moving_variance", false, true);
    put("m/block/inner/a/kernel", true, freeze.inner);
    put("m/block/inner/a/bias", false, freeze.inner);
    put("m/block/b/kernel", true, freeze.b);
    put("m/block/b/bias", false, freeze.b);
    std::vector<std::string> arrays = learns;
    arrays.insert(arrays.end(), rests.begin(), rests.end());
    const support::Folder folder;
    // Names as Keras 3 writes them, without the outer models', and Keras 2's.
    for (const std::string_view style : {"m/block/", "block/", "", ":0"}) {
      CAPTURE(style);
      const auto restyled = [&](const std::string& name) {
        const std::string end = name.substr(std::string("m/block/").size());
        return style == ":0" ? end + ":0" : std::string(style) + end;
      };
      std::vector<std::string> names;
      std::map<std::string, std::vector<std::size_t>> new_shapes;
      std::map<std::string, float> new_values;
      for (const std::string& array : arrays) {
        names.push_back(restyled(array));
        new_shapes[names.back()] = shapes[array];
        new_values[names.back()] = values[array];
      }
      write_h5(folder / "a.h5", sequential("4", {block}), {{"block", names}}, new_shapes, new_values);
      Sequential<Input<4>, Dense<4>, BatchNormalization, Dense<4>, Dense<4>> model;
      load_keras(model, folder / "a.h5");
      CHECK(model.parameter("dense/kernel")(3, 3) == 1);
      CHECK(model.parameter("dense/bias")(3) == 2);
      CHECK(model.parameter("batch_normalization/gamma")(3) == 3);
      CHECK(model.parameter("batch_normalization/beta")(3) == 4);
      CHECK(model.parameter("batch_normalization/moving_mean")(3) == 5);
      CHECK(model.parameter("batch_normalization/moving_variance")(3) == 6);
      CHECK(model.parameter("dense_1/kernel")(3, 3) == 7);
      CHECK(model.parameter("dense_1/bias")(3) == 8);
      CHECK(model.parameter("dense_2/kernel")(3, 3) == 9);
      CHECK(model.parameter("dense_2/bias")(3) == 10);
    }
  }
}

TEST_CASE("arrays whose names are no layers' are told by their order, or refused") {
  const support::Folder folder;
  const std::string config = sequential(
      "4",
      {sequential("4", {layer("Dense", "new_a", frozen(dense4)), layer("Dense", "new_b", dense4)}, "block")});
  const std::map<std::string, std::vector<std::size_t>> shapes{{"a/kernel:0", {4, 4}},
                                                               {"a/bias:0", {4}},
                                                               {"b/kernel:0", {4, 4}},
                                                               {"b/bias:0", {4}},
                                                               {"c/bias:0", {4}}};
  const std::map<std::string, float> values{
      {"a/kernel:0", 1}, {"a/bias:0", 2}, {"b/kernel:0", 3}, {"b/bias:0", 4}, {"c/bias:0", 5}};
  Sequential<Input<4>, Dense<4>, Dense<4>> model;
  // The layer that learns comes first.
  write_h5(folder / "a.h5", config, {{"block", {"b/kernel:0", "b/bias:0", "a/kernel:0", "a/bias:0"}}}, shapes,
           values);
  load_keras(model, folder / "a.h5");
  CHECK(model.parameter("dense/kernel")(0, 0) == 1);
  CHECK(model.parameter("dense_1/bias")(0) == 4);
  // A layer's own arrays stand in any order.
  write_h5(folder / "a.h5", sequential("4", {layer("Dense", "d", dense4)}),
           {{"d", {"a/bias:0", "a/kernel:0"}}}, shapes, values);
  Sequential<Input<4>, Dense<4>> single;
  load_keras(single, folder / "a.h5");
  CHECK(single.parameter("dense/bias")(0) == 2);
  for (const std::vector<std::string>& arrays :
       std::vector<std::vector<std::string>>{{"b/kernel:0", "a/bias:0", "a/kernel:0", "b/bias:0"},
                                             {"b/kernel:0", "b/bias:0", "a/kernel:0", "c/bias:0"}}) {
    write_h5(folder / "a.h5", config, {{"block", arrays}}, shapes, values);
    CHECK_ERROR("the arrays of \"block\" cannot be told apart", load_keras(model, folder / "a.h5"));
  }
  // Arrays that no layer has.
  write_h5(folder / "a.h5", sequential("4", {layer("Dense", "d", dense4)}),
           {{"d", {"a/kernel:0", "a/bias:0"}}, {"top_level_model_weights", {"b/bias:0"}}}, shapes, values);
  const std::string error = support::error_of([&] { keras::import_model(folder / "a.h5", "A", false); });
  CHECK(support::contains(error, "the file has model_weights/top_level_model_weights/b/bias:0 (4)"));
  CHECK(!support::contains(error, "damaged"));
}

TEST_CASE("numbers in a graph become Rescaling, or are refused") {
  const auto model = [](const std::string& operation, const std::string& arguments,
                        const std::string& settings = "") {
    return functional("4", {layer(operation, "op", "", called(arguments, settings))});
  };
  const std::string x = tensor("in");
  const auto reads = [](const std::string& json, const char* text) {
    CAPTURE(json);
    CHECK(text_of(parsed(json)) == text);
  };
  reads(model("Add", x + ", 1.0"), "Rescaling (scale 1, offset 1)");
  reads(model("Add", "1, " + x), "Rescaling (scale 1, offset 1)");
  reads(model("Add", x, R"("x2": -0.5)"), "Rescaling (scale 1, offset -0.5)");
  reads(model("Subtract", x + ", 3"), "Rescaling (scale 1, offset -3)");
  reads(model("Subtract", "3, " + x), "Rescaling (scale -1, offset 3)");
  reads(model("Multiply", "2.0, " + x), "Rescaling (scale 2, offset 0)");
  reads(model("TrueDivide", x + ", 4"), "Rescaling (scale 0.25, offset 0)");
  reads(model("Divide", x + ", -2.0"), "Rescaling (scale -0.5, offset 0)");
  reads(model("Multiply",
              x + R"(, {"class_name": "__tensor__", "config": {"value": 7.0, "dtype": "float32"}})"),
        "Rescaling (scale 7, offset 0)");
  reads(model("Negative", x), "Rescaling (scale -1, offset 0)");
  reads(model("Relu", x), "ReLU");
  reads(model("Gelu", x), "GELU (approximate true)");
  reads(model("TrueDivide", tensor("in", "uint8") + ", 255"),
        "Rescaling (scale 0.00392156862745098, offset 0)");
  // TensorFlow's functions in Keras 2.
  const auto old = [](const std::string& function, const std::string& node) {
    return functional("4", {layer("TFOpLambda", "op", R"("function": ")" + function + "\"",
                                  R"("inbound_nodes": [)" + node + "]")});
  };
  reads(old("math.truediv", R"(["in", 0, 0, {"y": 2.0, "name": null}])"), "Rescaling (scale 0.5, offset 0)");
  reads(old("math.subtract", R"(["in", 0, 0, {"y": 1, "name": null}])"), "Rescaling (scale 1, offset -1)");
  reads(old("math.multiply", R"(["_CONSTANT_VALUE", -1, 2.0, {"y": ["in", 0, 0], "name": null}])"),
        "Rescaling (scale 2, offset 0)");
  reads(old("__operators__.add", R"([["in", 0, 0, {"y": ["in", 0, 0], "name": null}]])"), "Add");
  const auto refused = [](const std::string& json, const char* sentence) {
    CAPTURE(json);
    const std::string error = error_of(json);
    INFO(error);
    CHECK(support::contains(error, sentence));
    CHECK(!support::contains(error, "damaged"));
  };
  refused(model("TrueDivide", "1.0, " + x), "there is no Divide of such numbers here");
  refused(model("TrueDivide", x + ", 0"), "there is no Divide of such numbers here");
  refused(model("Multiply", x + ", 1e300"), "it is called with 1e+300");
  refused(model("Power", x + ", 2"), "there is no Power of such numbers here");
  refused(model("Maximum", x + ", 0.0"), "there is no Maximum of such numbers here");
  refused(
      model("Add", x + R"(, {"class_name": "__numpy__", "config": {"value": [1.0], "dtype": "float32"}})"),
      "it is called with {\"class_name\"");
  refused(model("Add", tensor("in", "uint8") + ", 1"), "whole numbers, which wrap");
  refused(model("Add", "1.0, 2.0"), "it gets no other layer's result");
  refused(old("math.pow", R"(["in", 0, 0, {"y": 2.0, "name": null}])"),
          "there is no math.pow of such numbers here");
  refused(model("Dense", x, R"("mask": )" + x), "it is called with mask=");
  refused(model("Relu", tensor("in", "float32", 1)), "it gets output 1 of \"in\"");
}

TEST_CASE("merges that are others: a difference, a mean, a product of three, means that keep their axes") {
  const auto merge = [](const char* class_name, const std::string& arguments, const char* shape = "4") {
    return functional(shape, {layer("Activation", "a", R"("activation": "tanh")", called(tensor("in"))),
                              layer("Activation", "b", R"("activation": "sigmoid")", called(tensor("in"))),
                              layer(class_name, "merged", "", called(arguments))});
  };
  const std::string both = "[" + tensor("a") + ", " + tensor("b") + "]";
  CHECK(text_of(parsed(merge("Subtract", both))) == "Tanh, Sigmoid, Rescaling (scale -1, offset 0), Add");
  CHECK(text_of(parsed(merge("Average", both))) == "Tanh, Sigmoid, Add, Rescaling (scale 0.5, offset 0)");
  CHECK(text_of(parsed(merge("Multiply", both + ", " + tensor("in")))) ==
        "Tanh, Sigmoid, Multiply, Multiply");
  CHECK(support::contains(error_of(merge("Dot", both)), "there is no Dot here"));
  CHECK(support::contains(error_of(merge("Flatten", both)), "it has several inputs, but only Add"));
  const auto means =
      parsed(sequential("4, 4, 3", {layer("GlobalAveragePooling2D", "p", R"("keepdims": true)")}));
  CHECK(text_of(means) == "GlobalAveragePooling2D, Reshape (target_shape (1, 1, 3))");
  CHECK(means.layers.back().description.output == std::vector<std::size_t>{1, 1, 3});
  CHECK(text_of(parsed(sequential("2, 6", {layer("Reshape", "r", R"("target_shape": [3, -1])")}))) ==
        "Reshape (target_shape (3, 4))");
  for (const char* target : {"[]", "[-1, -1]", "[5, -1]", "[0, -1]", "[4294967296, 4294967296]", "[13]"})
    CHECK(support::contains(
        error_of(sequential("2, 6", {layer("Reshape", "r", std::string(R"("target_shape": )") + target)})),
        "its target_shape"));
}

TEST_CASE("what is called as in training is refused where it matters, and only there") {
  const auto model = [](const std::string& one, const std::string& arguments, const std::string& settings) {
    return functional("4", {layer(one, "layer", "", called(arguments, settings))});
  };
  const std::string x = tensor("in");
  for (const char* random : {"Dropout", "GaussianNoise", "BatchNormalization"}) {
    CAPTURE(random);
    CHECK(support::contains(error_of(model(random, x, R"("training": true)")),
                            "it is called with training=True"));
    CHECK(support::contains(error_of(model(random, x + ", true", "")), "it is called with training=True"));
    CHECK(error_of(model(random, x, R"("training": false)")).empty());
    CHECK(error_of(model(random, x, R"("training": null)")).empty());
  }
  CHECK(error_of(model("Flatten", x, R"("training": true)")).empty());
  const std::string block = R"("layers": [)" + layer("InputLayer", "i", R"("batch_shape": [null, 4])") +
                            ", " + layer("Dropout", "inside", R"("rate": 0.5)") + "]";
  CHECK(support::contains(
      error_of(functional("4", {layer("Sequential", "block", block, called(x, R"("training": true)"))})),
      "The layer \"inside\" cannot be read: it is called with training=True"));
  // What is frozen does not learn, whatever it is called with.
  CHECK(error_of(functional("4", {layer("BatchNormalization", "n", R"("trainable": false)",
                                        called(x, R"("training": true)"))}))
            .empty());
  const std::string keras2 = R"("inbound_nodes": [[["in", 0, 0, {"training": true}]]])";
  CHECK(support::contains(error_of(functional("4", {layer("Dropout", "d", R"("rate": 0.5)", keras2)})),
                          "it is called with training=True"));
}

TEST_CASE("an axis may be counted from either end, as a number or a list") {
  const auto model = [](const char* one, const char* input, const std::string& axis) {
    return sequential(input, {layer(one, "layer", "\"axis\": " + axis)});
  };
  for (const char* one : {"BatchNormalization", "LayerNormalization", "Softmax"}) {
    CAPTURE(one);
    for (const char* last : {"-1", "[-1]", "3", "[3]", "null"})
      CHECK(error_of(model(one, "4, 4, 2", last)).empty());
    for (const char* last : {"-1", "[-1]", "1", "[1]"}) CHECK(error_of(model(one, "4", last)).empty());
    for (const char* other : {"1", "[1]", "2", "0", "4", "[2, 3]", "[]", "-2"}) {
      CAPTURE(other);
      CHECK(support::contains(error_of(model(one, "4, 4, 2", other)),
                              "only the last one of (4, 4, 2) exists here"));
    }
    CHECK(support::contains(error_of(model(one, "4", "\"last\"")), "here it must be the number of an axis"));
  }
}

TEST_CASE("every reason is said at once, also of models inside and behind layers that do not exist here") {
  const std::string error = error_of(sequential(
      "8, 8, 3",
      {layer("Conv2D", "c",
             R"("filters": 2, "kernel_size": [9, 3], "dilation_rate": [2, 2], "groups": 3, )"
             R"("data_format": "channels_first", "activation": "mish", "dtype": "float64")"),
       sequential("8, 8, 3", {layer("LSTM", "inside", R"("units": 3)")}, "block"),
       layer("Cropping2D", "crop", ""),
       R"({"class_name": "BatchNormalization", "config": {"name": "n", "axis": 1}, "build_config": {"input_shape": [null, 4, 4, 3]}})",
       R"({"class_name": "Dense", "module": "my.layers", "registered_name": "my>Dense", "config": {"name": "own"}})"}));
  INFO(error);
  for (const char* part :
       {"The model cannot be read, for 10 reasons:", "layer \"c\": its dilation_rate is [2,2]",
        "layer \"c\": its groups is 3", "layer \"c\": its data_format is \"channels_first\"",
        "layer \"c\": its activation \"mish\"", "layer \"c\": it computes in float64",
        "layer \"c\": its window (9, 3) is larger than its input (8, 8, 3)",
        "layer \"inside\": there is no LSTM here", "layer \"crop\": there is no Cropping2D here",
        "layer \"n\": its axis is 1", "layer \"own\": there is no Dense of \"my.layers\" here"})
    CHECK(support::contains(error, part));
}

TEST_CASE("what would not compile, or not be what it says, is refused") {
  const auto refused = [](const char* input, const std::string& one, const char* sentence) {
    CAPTURE(one);
    const std::string error = error_of(sequential(input, {one}));
    INFO(error);
    CHECK(support::contains(error, sentence));
  };
  refused("9", layer("Dropout", "d", R"("rate": 1.0)"),
          "its rate is 1.0, but must be at least 0 and below 1");
  refused("9", layer("SpatialDropout2D", "d", R"("rate": 0.5)"), "it needs an image");
  refused("9", layer("RandomFlip", "d"), "it needs an image");
  refused("9, 9, 1", layer("RandomFlip", "d", R"("mode": "x}; int y{")"), "its mode is");
  refused("9, 9, 1", layer("RandomZoom", "d", R"("height_factor": 2.0)"), "its height_factor is 2.0");
  refused("40, 40, 1", layer("MaxPooling2D", "d", R"("pool_size": [32, 16])"), "more than 256 positions");
  refused("9, 9, 1", layer("ZeroPadding2D", "d", R"("padding": -1)"), "its padding is -1");
  refused("9, 9, 1", layer("ZeroPadding2D", "d", R"("padding": 2147483648)"), "is too large");
  refused("9, 9, 1", layer("DepthwiseConv2D", "d", R"("kernel_size": 3, "depth_multiplier": 0)"),
          "its depth_multiplier is 0");
  refused("9", layer("Dense", "d", R"("units": 2.7)"), "its units is 2.7");
  refused("9", layer("Dense", "d", R"("units": 3, "use_bias": "no")"), "its use_bias is \"no\"");
  refused("9", layer("Rescaling", "d", R"("scale": [1.0, 2.0])"), "its scale is [1.0,2.0]");
  refused("9", layer("ELU", "d", R"("alpha": 1e200)"), "its alpha is 1e+200");
  refused("9", layer("BatchNormalization", "d", R"("renorm": true)"), "its renorm is true");
  refused("9", layer("Normalization", "d", R"("mean": [0.0, 1.0], "variance": [1.0, 1.0])"),
          "one mean and one variance");
  refused("9", layer("Normalization", "d", R"("mean": null, "variance": null)"), "one mean and one variance");
  CHECK(support::contains(error_of(sequential("null, 3", {layer("Flatten", "f")})),
                          "all extents after the first"));
  CHECK(support::contains(
      error_of(layer("Sequential", "m",
                     "\"layers\": [" + layer("InputLayer", "in", R"("batch_shape": [null, 4])") + "]")),
      "it has no layers that compute"));
  CHECK(text_of(parsed(sequential(
            "9", {layer("Normalization", "n", R"("mean": [[2.0, 2.0]], "variance": [4.0, 4.0])")}))) ==
        "Rescaling (scale 0.5, offset -1)");
  CHECK(text_of(parsed(sequential("9", {layer("ReLU", "r", R"("negative_slope": 0.25)")}))) ==
        "LeakyReLU (negative_slope 0.25)");
  CHECK(
      text_of(parsed(sequential(
          "9",
          {layer(
              "Dense", "d",
              R"("units": 1, "activation": {"class_name": "LeakyReLU", "config": {"negative_slope": 0.1}})")}))) ==
      "Dense (units 1, use_bias true), LeakyReLU (negative_slope 0.1)");
}

TEST_CASE("graphs that are damaged are said to be, and no others") {
  const auto dense = [](const char* name, const char* of) {
    return layer("Dense", name, dense4, called(tensor(of)));
  };
  CHECK(support::contains(error_of(functional("4", {dense("a", "b"), dense("b", "a")})),
                          "gets its own result"));
  CHECK(support::contains(error_of(functional("4", {dense("a", "nothing")})), "which it does not have"));
  CHECK(support::contains(error_of(functional("4", {dense("a", "in"), dense("a", "in")})),
                          "more than one layer \"a\""));
  // 10,000 layers, listed backwards.
  std::vector<std::string> layers;
  for (int i = 10000; i > 0; --i)
    layers.push_back(layer("Activation", "l" + std::to_string(i), R"("activation": "relu")",
                           called(tensor(i == 1 ? "in" : "l" + std::to_string(i - 1)))));
  CHECK(parsed(functional("4", layers)).layers.size() == 10000);
}

TEST_CASE("stores of Keras on Windows, and of Keras 2.12, which counts layers with weights twice") {
  const std::string config = sequential(
      "4", {layer("Dense", "one", dense4), layer("Dropout", "drop", R"("rate": 0.5)"),
            sequential("4", {layer("Dense", "two", dense4), layer("Dense", "three", dense4)}, "block"),
            layer("Dense", "four", dense4)});
  const support::Folder folder;
  struct Style {
    const char* name;
    std::vector<std::string> places;
  };
  const std::string old = "_layer_checkpoint_dependencies";
  for (const Style& style :
       std::vector<Style>{{"now",
                           {"layers/dense", "layers/dropout", "layers/sequential/layers/dense",
                            "layers/sequential/layers/dense_1", "layers/dense_1"}},
                          {"windows",
                           {"layers\\dense", "layers\\dropout", "layers\\sequential\\layers\\dense",
                            "layers\\sequential\\layers\\dense_1", "layers\\dense_1"}},
                          {"2.12",
                           {old + "/dense", old + "/dropout", old + "/sequential/" + old + "/dense",
                            old + "/sequential/" + old + "/dense_2", old + "/dense_2"}},
                          {"2.12 on windows",
                           {old + "\\dense", old + "\\dropout", old + "\\sequential\\" + old + "\\dense",
                            old + "\\sequential\\" + old + "\\dense_2", old + "\\dense_2"}}}) {
    CAPTURE(style.name);
    hdf5::File file;
    for (std::size_t i = 0; i < style.places.size(); ++i) {
      file.root().make_group(style.places[i] + "/vars");
      if (i == 1) continue;  // Dropout
      const std::vector<float> kernel(16, static_cast<float>(i)), bias(4, static_cast<float>(10 * i));
      file.root().put_floats(style.places[i] + "/vars/0", {4, 4}, kernel);
      file.root().put_floats(style.places[i] + "/vars/1", {4}, bias);
    }
    const std::vector<std::byte> weights = file.bytes();
    const auto* const text = reinterpret_cast<const std::byte*>(config.data());
    write_bytes(folder / "a.keras", digitnet::zip::write({{"config.json", {text, text + config.size()}},
                                                          {"model.weights.h5", weights}}));
    Sequential<Input<4>, Dense<4>, Dropout, Dense<4>, Dense<4>, Dense<4>> model;
    load_keras(model, folder / "a.keras");
    CHECK(model.parameter("dense/bias")(0) == 0);
    CHECK(model.parameter("dense_1/kernel")(0, 0) == 2);
    CHECK(model.parameter("dense_2/bias")(3) == 30);
    CHECK(model.parameter("dense_3/kernel")(3, 3) == 4);
  }
}

TEST_CASE("files of Keras before 2.0 are refused by their name, Python's numbers are no damage") {
  const support::Folder folder;
  hdf5::File old, first, whole;
  old.root().put_word("nb_layers", "1");
  write_bytes(folder / "old.h5", old.bytes());
  first.root().put_words("layer_names", {"dense_1"});
  first.root().put_word("keras_version", "1.2.2");
  first.root().make_group("dense_1").put_words("weight_names", {"dense_1_W"});
  write_bytes(folder / "first.h5", first.bytes());
  whole.root().put_word("model_config", sequential("4", {layer("ReLU", "r", R"("max_value": Infinity)")}));
  whole.root().make_group("model_weights").put_words("layer_names", {"r"});
  whole.root().group("model_weights").make_group("r");
  write_bytes(folder / "whole.h5", whole.bytes());
  Sequential<Input<4>, Dense<4>> model;
  CHECK_ERROR("holds weights of Keras 0.3 (nb_layers)", load_keras(model, folder / "old.h5"));
  CHECK_ERROR("was written by Keras 1.2.2, but Keras 2.0 or later", load_keras(model, folder / "first.h5"));
  CHECK_ERROR("its max_value is \"Infinity\"", load_keras(model, folder / "whole.h5"));
}
