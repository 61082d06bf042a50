#include <digitnet/keras/import.hpp>
#include <digitnet/keras/keras.hpp>

#include "io/every_layer.hpp"
#include "support/support.hpp"

using namespace digitnet;

namespace {

template <class Make>
void check_round_trip(const Make& make) {
  const support::Folder folder;
  const auto model = make(1);
  for (const char* name : {"a.h5", "a.keras", "a.weights.h5", "a.hdf5"}) {
    CAPTURE(name);
    save_keras(model, folder / name);
    auto other = make(2);
    load_keras(other, folder / name);
    CHECK(networks::parameters(other) == networks::parameters(model));
    const Matrix x = networks::samples_for(model, 3);
    CHECK(other.predict(x) == model.predict(x));
  }
  CHECK(folder.files().size() == 4);
}

// A .h5 with a configuration and arrays of one's own.
void write_h5(const std::string& path, const hdf5::File& file) {
  const auto bytes = file.bytes();
  support::write_file(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

keras::FileModel parsed(const std::string& json) { return keras::read_config(keras::Json::parse(json)); }

const char* const keras2_dense = R"({"class_name": "Sequential", "config": [
  {"class_name": "Dense", "config": {"name": "first", "batch_input_shape": [null, 3], "units": 2, "activation": "relu"}},
  {"class_name": "Activation", "config": {"name": "act", "activation": "linear"}},
  {"class_name": "Dense", "config": {"name": "second", "units": 1, "use_bias": false, "activation": "sigmoid"}}]})";

using Small = Sequential<Input<3>, Dense<2>, ReLU, Dense<1, no_bias>, Sigmoid>;

// Weights under the names of Keras 2.0, in groups inside groups.
void put_small(const hdf5::Group& root, const std::string& suffix) {
  root.put_words("layer_names", {"first", "act", "second"});
  const std::vector<float> kernel{1, 2, 3, 4, 5, 6}, bias{7, 8}, second{9, 10};
  const hdf5::Group first = root.make_group("first"), act = root.make_group("act"),
                    last = root.make_group("second");
  first.put_words("weight_names", {"outer/first/kernel" + suffix, "outer/first/bias" + suffix});
  first.put_floats("outer/first/kernel" + suffix, {3, 2}, kernel);
  first.put_floats("outer/first/bias" + suffix, {2}, bias);
  act.put_words("weight_names", {});
  last.put_words("weight_names", {"second/kernel" + suffix});
  last.put_floats("second/kernel" + suffix, {2, 1}, second);
}

}  // namespace

TEST_CASE("every layer survives .h5, .keras and .weights.h5, bit for bit") {
  check_round_trip(networks::every_layer);
  check_round_trip(networks::pooled);
  check_round_trip(networks::branches);
  check_round_trip(networks::combinators);
  check_round_trip(networks::ann);
  check_round_trip(networks::cnn);
}

TEST_CASE("an activation behind a Dense or Conv2D is written inside it, others as layers") {
  const auto written =
      keras::write_config(describe(networks::every_layer(1)), keras::Generation::keras2_and_3);
  std::string text;
  for (const auto& layer : written.config["config"]["layers"])
    text += layer["class_name"].get<std::string>() + ":" + layer["config"].value("activation", "") + " ";
  CHECK(text ==
        "InputLayer: Rescaling: ZeroPadding2D: Conv2D:relu Conv2D:linear BatchNormalization: LeakyReLU: "
        "MaxPooling2D: "
        "AveragePooling2D: BatchNormalization: Activation:swish Conv2D:softmax Reshape: Activation:softplus "
        "Dropout: "
        "Flatten: Dense:elu Dense:linear BatchNormalization: Activation:gelu Activation:hard_silu "
        "Dense:sigmoid "
        "Dense:tanh ELU: Softmax: ");
  CHECK(written.config["config"]["layers"][0]["config"]["batch_input_shape"].dump() == "[null,9,8,2]");
  const auto modern = keras::write_config(describe(networks::ann(1)), keras::Generation::keras3);
  CHECK(modern.config["config"]["layers"][0]["config"]["batch_shape"].dump() == "[null,20]");
  CHECK(modern.config["config"]["layers"][1]["module"] == "keras.layers");
  CHECK(modern.config["config"]["layers"][1]["registered_name"].is_null());
}

TEST_CASE("Keras 2.0's list of layers, with and without :0, whole and weights alone") {
  const support::Folder folder;
  for (const std::string suffix : {":0", ""}) {
    hdf5::File whole, weights;
    whole.root().put_word("model_config", keras2_dense);
    put_small(whole.root().make_group("model_weights"), suffix);
    put_small(weights.root(), suffix);
    write_h5(folder / "whole.h5", whole);
    write_h5(folder / "weights.h5", weights);
    for (const char* name : {"whole.h5", "weights.h5"}) {
      CAPTURE(name);
      Small model{Seed{1}};
      load_keras(model, folder / name);
      CHECK(model.parameter("dense/kernel")(2, 1) == 6);
      CHECK(model.parameter("dense/bias")(1) == 8);
      CHECK(model.parameter("dense_1/kernel")(1, 0) == 10);
    }
  }
}

TEST_CASE("functional models that are plain chains, of Keras 2 and 3, and nested models") {
  const char* const keras2 = R"({"class_name": "Functional", "config": {"name": "m", "layers": [
    {"class_name": "Dense", "name": "b", "config": {"name": "b", "units": 4, "activation": "tanh"}, "inbound_nodes": [[["a", 0, 0, {}]]]},
    {"class_name": "InputLayer", "name": "in", "config": {"batch_input_shape": [null, 2, 3], "name": "in"}, "inbound_nodes": []},
    {"class_name": "Flatten", "name": "a", "config": {"name": "a"}, "inbound_nodes": [[["in", 0, 0, {}]]]}]}})";
  const keras::FileModel a = parsed(keras2);
  REQUIRE(a.layers.size() == 3);
  CHECK(a.input == std::vector<std::size_t>{2, 3});
  CHECK(a.layers[0].description.class_name == "Flatten");
  CHECK(a.layers[1].description.output == std::vector<std::size_t>{4});
  CHECK(a.layers[2].description.class_name == "Tanh");

  const char* const keras3 = R"({"class_name": "Functional", "config": {"name": "m", "layers": [
    {"class_name": "InputLayer", "name": "in", "config": {"batch_shape": [null, 6], "name": "in"}, "inbound_nodes": []},
    {"class_name": "Sequential", "name": "block", "config": {"name": "block", "layers": [
      {"class_name": "InputLayer", "config": {"batch_shape": [null, 6]}},
      {"class_name": "Dense", "config": {"name": "d", "units": 5, "activation": {"module": "builtins", "class_name": "function", "config": "relu", "registered_name": "function"}}},
      {"class_name": "BatchNormalization", "config": {"name": "n", "axis": [1]}}]},
     "inbound_nodes": [{"args": [{"class_name": "__keras_tensor__", "config": {"shape": [null, 6], "keras_history": ["in", 0, 0]}}], "kwargs": {}}]},
    {"class_name": "Dense", "name": "out", "config": {"name": "out", "units": 2},
     "inbound_nodes": [{"args": [{"class_name": "__keras_tensor__", "config": {"keras_history": ["block", 0, 0]}}], "kwargs": {}}]}]}})";
  const keras::FileModel b = parsed(keras3);
  REQUIRE(b.layers.size() == 4);
  CHECK(b.layers[0].group == "block");
  CHECK(b.layers[0].store == "layers/sequential/layers/dense");
  CHECK(b.layers[1].description.class_name == "ReLU");
  CHECK(b.layers[3].store == "layers/dense");

  // A nested model's weights are in one group, those that train first.
  const support::Folder folder;
  hdf5::File file;
  file.root().put_word("model_config", keras3);
  const hdf5::Group root = file.root().make_group("model_weights");
  root.put_words("layer_names", {"in", "block", "out"});
  root.make_group("in").put_words("weight_names", {});
  const hdf5::Group block = root.make_group("block"), out = root.make_group("out");
  const std::vector<std::string> names{"d/kernel", "d/bias",        "n/gamma",
                                       "n/beta",   "n/moving_mean", "n/moving_variance"};
  block.put_words("weight_names", names);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::vector<float> values(i == 0 ? 30 : 5, static_cast<float>(i));
    block.put_floats(names[i], i == 0 ? std::vector<std::size_t>{6, 5} : std::vector<std::size_t>{5}, values);
  }
  out.put_words("weight_names", {"out/kernel", "out/bias"});
  const std::vector<float> last(10, 6.0f);
  out.put_floats("out/kernel", {5, 2}, last);
  out.put_floats("out/bias", {2}, std::span(last).first(2));
  write_h5(folder / "nested.h5", file);
  Sequential<Input<6>, Sequential<Dense<5>, ReLU, BatchNormalization>, Dense<2>> model;
  load_keras(model, folder / "nested.h5");
  CHECK(model.parameter("sequential/batch_normalization/moving_variance")(4) == 5);
  CHECK(model.parameter("dense/kernel")(4, 1) == 6);
}

TEST_CASE("a functional model with branches fills a Residual, in whatever order its sums are written") {
  // As somebody may have written it in Keras: the shortcut first, and the block's layers in Keras' order.
  const auto tensors = [](std::initializer_list<const char*> names) {
    std::string text;
    for (const char* name : names)
      text += std::string(text.empty() ? "" : ", ") + "[\"" + name + "\", 0, 0, {}]";
    return "\"inbound_nodes\": [[" + text + "]]";
  };
  const auto layer = [](const char* class_name, const char* name, const std::string& settings,
                        const std::string& inbound) {
    return std::string(R"({"class_name": ")") + class_name + R"(", "name": ")" + name +
           R"(", "config": {"name": ")" + name + "\"" + (settings.empty() ? "" : ", " + settings) + "}, " +
           inbound + "}";
  };
  const auto functional = [&](bool shortcut_first) {
    return R"({"class_name": "Functional", "config": {"name": "m", "layers": [)" +
           layer("InputLayer", "in", R"("batch_input_shape": [null, 6])", R"("inbound_nodes": [])") + ", " +
           layer("Dense", "first", R"("units": 5, "activation": "relu")", tensors({"in"})) + ", " +
           layer("Dense", "second", R"("units": 4)", tensors({"first"})) + ", " +
           layer("Dense", "around", R"("units": 4, "use_bias": false)", tensors({"in"})) + ", " +
           (shortcut_first ? layer("Add", "sum", "", tensors({"around", "second"}))
                           : layer("Add", "sum", "", tensors({"second", "around"}))) +
           ", " + layer("Dense", "last", R"("units": 2)", tensors({"sum"})) +
           R"(], "input_layers": [["in", 0, 0]], "output_layers": [["last", 0, 0]]}})";
  };
  using Net = Sequential<Input<6>, Residual<Shortcut<Dense<4, no_bias>>, Dense<5>, ReLU, Dense<4>>, Dense<2>>;
  const support::Folder folder;
  for (const bool shortcut_first : {true, false}) {
    hdf5::File file;
    file.root().put_word("model_config", functional(shortcut_first));
    const hdf5::Group root = file.root().make_group("model_weights");
    root.put_words("layer_names", {"first", "second", "around", "last"});
    const auto put = [&](const char* name, std::size_t inputs, std::size_t units, bool bias, float value) {
      const std::vector<float> values(inputs * units, value);
      const hdf5::Group group = root.make_group(name);
      group.put_words("weight_names",
                      bias ? std::vector<std::string>{"k", "b"} : std::vector<std::string>{"k"});
      group.put_floats("k", {inputs, units}, values);
      if (bias) group.put_floats("b", {units}, std::span(values).first(units));
    };
    put("first", 6, 5, true, 1);
    put("second", 5, 4, true, 2);
    put("around", 6, 4, false, 3);
    put("last", 4, 2, true, 4);
    write_h5(folder / "a.h5", file);
    Net model;
    load_keras(model, folder / "a.h5");
    CHECK(model.parameter("residual/dense/kernel")(3, 3) == 1);
    CHECK(model.parameter("residual/dense_1/bias")(3) == 2);
    CHECK(model.parameter("residual/shortcut/dense/kernel")(5, 3) == 3);
    CHECK(model.parameter("dense/kernel")(3, 1) == 4);
    // The same layers in a chain are another model.
    Sequential<Input<6>, Dense<5>, ReLU, Dense<4>, Dense<4, no_bias>, Dense<2>> chain;
    CHECK_ERROR("does not fit the model", load_keras(chain, folder / "a.h5"));
    CHECK(support::contains(keras::import_model(folder / "a.h5", "A", false).header,
                            shortcut_first
                                ? "Parallel<Add, Dense<4, no_bias>, Sequential<Dense<5>, ReLU, Dense<4>>>"
                                : "Parallel<Add, Sequential<Dense<5>, ReLU, Dense<4>>, Dense<4, no_bias>>"));
  }
}

TEST_CASE("the same layers, connected otherwise, are another model") {
  const support::Folder folder;
  save_keras(Sequential<Input<6>, Residual<Dense<6>, Dense<6>>>{}, folder / "a.keras");
  Sequential<Input<6>, Dense<6>, Residual<Dense<6>>> other;
  CHECK_ERROR("layer residual/add gets its input from other layers in the model than in the file (add)",
              load_keras(other, folder / "a.keras"));
}

TEST_CASE("what does not exist here is refused by name") {
  const auto refused = [](const std::string& layer, const char* sentence) {
    CAPTURE(layer);
    CHECK_ERROR(sentence, parsed(R"({"class_name": "Sequential", "config": {"name": "m", "layers": [
      {"class_name": "InputLayer", "config": {"batch_shape": [null, 8, 8, 3]}}, )" +
                                 layer + "]}}"));
  };
  refused(R"({"class_name": "LSTM", "config": {"name": "lstm_7", "units": 3}})",
          "The layer \"lstm_7\" cannot be read: there is no LSTM here");
  refused(
      R"({"class_name": "Conv2D", "config": {"name": "c", "filters": 3, "kernel_size": [3, 3], "dilation_rate": [2, 2]}})",
      "its dilation_rate is [2,2]");
  refused(
      R"({"class_name": "Conv2D", "config": {"name": "c", "filters": 3, "kernel_size": [3, 3], "data_format": "channels_first"}})",
      "channels_last");
  refused(R"({"class_name": "Conv2D", "config": {"name": "c", "filters": 3, "kernel_size": [9, 3]}})",
          "larger than its input");
  refused(R"({"class_name": "Conv2D", "config": {"name": "c", "filters": 0, "kernel_size": [3, 3]}})",
          "its filters is 0");
  refused(R"({"class_name": "Conv2D", "config": {"name": "c", "filters": 3}})", "has no \"kernel_size\"");
  refused(
      R"({"class_name": "Conv2D", "config": {"name": "c", "filters": 3, "kernel_size": 3, "activation": "selu"}})",
      "activation \"selu\" does not exist");
  refused(R"({"class_name": "Dense", "config": {"name": "d", "units": 3}})", "needs a flat input");
  refused(R"({"class_name": "BatchNormalization", "config": {"name": "n", "axis": 1}})", "its axis is 1");
  refused(R"({"class_name": "ReLU", "config": {"name": "r", "max_value": 6.0}})", "max_value");
  refused(R"({"class_name": "Dense"})", "not what Keras writes");
  CHECK_ERROR("only Sequential and functional", parsed(R"({"class_name": "MyModel", "config": {}})"));
  CHECK_ERROR(
      "does not say the shape",
      parsed(
          R"({"class_name": "Sequential", "config": [{"class_name": "Flatten", "config": {"name": "f"}}]})"));
  CHECK_ERROR("The layer \"a\" cannot be read: the model's result does not depend on it",
              parsed(R"({"class_name": "Functional", "config": {"name": "m", "layers": [
    {"class_name": "InputLayer", "name": "in", "config": {"batch_shape": [null, 6]}, "inbound_nodes": []},
    {"class_name": "Dense", "name": "a", "config": {"name": "a", "units": 2}, "inbound_nodes": [[["in", 0, 0, {}]]]},
    {"class_name": "Dense", "name": "b", "config": {"name": "b", "units": 2}, "inbound_nodes": [[["in", 0, 0, {}]]]}]}})"));
}

TEST_CASE("differences are listed all at once with both sides, and nothing is loaded") {
  const support::Folder folder;
  save_keras(networks::cnn(1), folder / "cnn.keras");
  auto other = Sequential{Input<12, 12, 1>{}, Conv2D<8, 3>{}, Tanh{},    MaxPooling2D<2>{},
                          Conv2D<17, 3>{},    ReLU{},         Flatten{}, Dense<10>{}};
  const auto before = networks::parameters(other);
  const std::string error = support::error_of([&] { load_keras(other, folder / "cnn.keras"); });
  INFO(error);
  for (const char* part :
       {"layer tanh is Tanh in the model, ReLU in the file (conv2d)", "Conv2D (filters 17",
        "Conv2D (filters 16", "the model has no more layers; the file has Softmax (dense)",
        "conv2d_1/kernel is (3, 3, 8, 17) in the model, (3, 3, 8, 16) in the file", "stays as it was"})
    CHECK(support::contains(error, part));
  CHECK(networks::parameters(other) == before);
  // A number that decides outputs differs; one for training alone may.
  auto normalized = Sequential{Input<4>{}, BatchNormalization{.momentum = 0.5f}, Dropout{0.1f}};
  save_keras(normalized, folder / "n.h5");
  auto same_outputs = Sequential{Input<4>{}, BatchNormalization{}, Dropout{0.4f}};
  load_keras(same_outputs, folder / "n.h5");
  auto other_epsilon = Sequential{Input<4>{}, BatchNormalization{.epsilon = 0.1f}, Dropout{0.1f}};
  CHECK_ERROR("epsilon 0.1", load_keras(other_epsilon, folder / "n.h5"));
  // Another type of numbers, another count, a missing group.
  save_keras(networks::ann(1), folder / "ann.weights.h5");
  Sequential<Input<20>, Dense<16, no_bias>, ReLU, Dense<10>, Softmax, Dense<2>> ann;
  const std::string counts = support::error_of([&] { load_keras(ann, folder / "ann.weights.h5"); });
  CHECK(support::contains(counts, "the file has layers/dense/vars/1 (16), the model has nothing for it"));
  CHECK(support::contains(counts, "the model has dense_2/kernel (10, 2), the file does not"));
}

TEST_CASE("damaged files and other files are refused, never crash") {
  const support::Folder folder;
  auto model = networks::ann(1);
  const auto before = networks::parameters(model);
  support::write_file(folder / "text.h5", "Not a model.");
  CHECK_ERROR("is no HDF5 file", load_keras(model, folder / "text.h5"));
  support::write_file(folder / "zip.keras", "PK\3\4 and no more");
  CHECK_ERROR("no archive, or cut off", load_keras(model, folder / "zip.keras"));
  CHECK_ERROR("No such file", load_keras(model, folder / "missing.h5"));
  hdf5::File empty;
  write_h5(folder / "empty.h5", empty);
  CHECK_ERROR("neither a model nor weights of Keras", load_keras(model, folder / "empty.h5"));
  hdf5::File broken;
  broken.root().put_word("model_config", "{");
  broken.root().make_group("model_weights");
  write_h5(folder / "broken.h5", broken);
  CHECK_ERROR("is no JSON", load_keras(model, folder / "broken.h5"));
  CHECK_ERROR("must end with .keras, .h5 or .weights.h5", save_keras(model, folder / "a.txt"));
  CHECK_ERROR("cannot be written", save_keras(model, folder / "no/a.h5"));
  const auto extended = Sequential{Input<4>{}, GELU{.approximate = true}};
  CHECK_ERROR("Keras has no GELU (approximate true)", save_keras(extended, folder / "g.h5"));
  for (const char* name : {"a.h5", "a.keras", "a.weights.h5"}) {
    CAPTURE(name);
    save_keras(networks::ann(2), folder / name);
    const std::string bytes = support::read_file(folder / name);
    for (std::size_t cut = 0; cut < 40; ++cut) {
      support::write_file(folder / "cut", bytes.substr(0, bytes.size() * cut / 40));
      CHECK(!support::error_of([&] { load_keras(model, folder / "cut"); }).empty());
    }
    // Bytes that are changed at random lead to an Error or to other numbers, and to nothing else.
    Random random(Seed{3});
    for (int i = 0; i < 100; ++i) {
      std::string changed = bytes;
      for (int k = 0; k < 4; ++k)
        changed[random.below(std::min<std::size_t>(bytes.size(), 6000))] =
            static_cast<char>(random.below(256));
      support::write_file(folder / "changed", changed);
      try {
        auto victim = networks::ann(1);
        load_keras(victim, folder / "changed");
      } catch (const Error&) {
      }
    }
  }
  CHECK(networks::parameters(model) == before);
}

TEST_CASE("attributes longer than HDF5 allows are cut as Keras does, and put together again") {
  hdf5::File file;
  std::vector<std::string> words;
  for (int i = 0; i < 9001; ++i) words.push_back("layer_with_a_long_name_" + std::to_string(i));
  file.root().put_words("short", {"a", "bcd"});
  file.root().put_words("long", words);
  file.root().put_word("text", std::string(100000, 'x') + "\xc3\xa9");
  const hdf5::ReadFile read(file.bytes(), "file");
  CHECK(!read.root().has_attribute("long"));
  CHECK(read.root().has_attribute("long3"));
  CHECK(read.root().long_words("long") == words);
  CHECK(read.root().words("short") == std::vector<std::string>{"a", "bcd"});
  CHECK(read.root().words("text").front().size() == 100002);
}

TEST_CASE("a compiled model: loss, optimizer and its weights, in Keras' order") {
  const support::Folder folder;
  Sequential<Input<784>, Dense<4>, BatchNormalization, Dense<10>, Softmax> model{Seed{1}};
  Trainer trainer{model, Adam{.learning_rate = 0.002f, .clipnorm = 1}, CategoricalCrossentropy{}};
  trainer.fit(synthetic_digits(64, Seed{1}), {.verbose = Verbose::silent});
  save_keras(trainer, folder / "a.h5");
  const hdf5::ReadFile file(read_file(folder / "a.h5"), "a.h5");
  const auto config = keras::Json::parse(file.root().words("training_config").front());
  CHECK(config["loss"] == "categorical_crossentropy");
  CHECK(config["optimizer_config"]["class_name"] == "Adam");
  CHECK(
      config["optimizer_config"]["config"].dump() ==
      R"({"name":"Adam","learning_rate":0.002,"beta_1":0.9,"beta_2":0.999,"epsilon":1e-07,"amsgrad":false,"clipnorm":1.0})");
  const auto names = file.root().group("optimizer_weights").words("weight_names");
  REQUIRE(names.size() == 2 + 2 * 6);
  CHECK(names[0] == "adam/iteration");
  CHECK(names[2] == "adam/dense_kernel_momentum");
  CHECK(names[3] == "adam/dense_kernel_velocity");
  CHECK(file.root().group("optimizer_weights").info(names[0]).type == "int64");
  CHECK(file.root().group("optimizer_weights").info(names[3]).shape == std::vector<std::size_t>{784, 4});
  save_keras(trainer, folder / "a.keras");
  auto other = model;
  other.initialize(Seed{9});
  load_keras(other, folder / "a.keras");
  CHECK(networks::parameters(other) == networks::parameters(model));
}

TEST_CASE("ModelCheckpoint writes Keras' files") {
  const support::Folder folder;
  Sequential<Input<784>, Dense<10>, Softmax> model{Seed{1}};
  Trainer trainer{model, Adam{}, CategoricalCrossentropy{}};
  trainer.fit(synthetic_digits(64, Seed{1}),
              {.epochs = 2,
               .callbacks = {ModelCheckpoint(folder / "{epoch:02d}.keras", {.save = keras_files})},
               .verbose = Verbose::silent});
  CHECK(folder.files() == std::vector<std::string>{"01.keras", "02.keras"});
  auto other = model;
  other.initialize(Seed{3});
  load_keras(other, folder / "02.keras");
  CHECK(networks::parameters(other) == networks::parameters(model));
}

TEST_CASE("branches become Residual and Parallel, and parameters follow them") {
  const support::Folder folder;
  const auto model = networks::branches(1);
  save_keras(model, folder / "a.keras");
  const auto imported = keras::import_model(folder / "a.keras", "Branches", true, "/blob");
  INFO(imported.header);
  for (const char* part :
       {"RandomFlip,",
        "Parallel<Add, Sequential<DepthwiseConv2D<3, 2, same>, BatchNormalization, ReLU, Conv2D<6, 1>, ",
        "Parallel<Multiply, Identity, Sequential<GlobalAveragePooling2D, Dense<3>, ReLU, Dense<6>, Sigmoid, "
        "Reshape<1, 1, 6>>>",
        "Parallel<Concatenate, Conv2D<2, 1>, Sequential<SeparableConv2D<3, 3, 1, same, 2>, ReLU>>",
        "Residual<Conv2D<10, 3, 1, same>, Tanh, SeparableConv2D<10, 2, 1, same, 1, no_bias>>",
        "BasicLayerNormalization<false, true>", "DepthwiseConv2D<Extent{2, 1}, 1, valid, 2, no_bias>",
        "RandomTranslation{0.1f, 0.2f, FillMode::reflect}", "LayerNormalization{.epsilon = 0.002f}"}) {
    CAPTURE(part);
    CHECK(support::contains(imported.header, part));
  }
  // In the order of the model's own parameters, which its type has as well.
  std::vector<float> wanted;
  model.for_each_parameter([&](const ParameterInfo& info) {
    const float* const from = model.parameters().data() + info.offset;
    wanted.insert(wanted.end(), from, from + info.size());
  });
  std::vector<float> found(imported.parameters.size() / sizeof(float));
  std::memcpy(found.data(), imported.parameters.data(), imported.parameters.size());
  CHECK(found == wanted);
}

TEST_CASE("a model becomes a header, and embedded parameters its bytes") {
  const support::Folder folder;
  const auto model = networks::every_layer(1);
  save_keras(model, folder / "a.h5");
  const auto imported = keras::import_model(folder / "a.h5", "EveryLayer", true, "/blob");
  for (const char* part :
       {"Input<9, 8, 2>,", "ZeroPadding2D<Extent{1, 2}>,", "Conv2D<4, 3>,",
        "Conv2D<5, Extent{2, 3}, Extent{2, 1}, same, no_bias>,", "MaxPooling2D<2, 1, same>,",
        "AveragePooling2D<2>,", "BasicBatchNormalization<false, true>,", "Reshape<5, 2, 6>,",
        "Dense<9, no_bias>,", "BatchNormalization{.momentum = 0.99f, .epsilon = 0.01f}",
        "LeakyReLU{.negative_slope = 0.2f}", "Rescaling{.scale = 0.5f, .offset = -0.25f}", "Dropout{0.125f}",
        "ELU{.alpha = 0.5f}", "inline EveryLayer load_every_layer()"}) {
    CAPTURE(part);
    CHECK(support::contains(imported.header, part));
  }
  CHECK(imported.parameters.size() == decltype(model)::parameter_count * sizeof(float));
  CHECK(support::contains(imported.source, R"(".incbin \"/blob\"")"));
  CHECK_ERROR("is no name of a C++ type", keras::import_model(folder / "a.h5", "a-b", false));
  save_keras(model, folder / "a.weights.h5");
  CHECK_ERROR("holds weights alone", keras::import_model(folder / "a.weights.h5", "A", false));
}

TEST_CASE("a training goes on from Keras' files where it was, to the same bits") {
  const support::Folder folder;
  const Dataset data = synthetic_digits(48, Seed{1});
  using Net =
      Sequential<Input<784>, Residual<Dense<6>, ReLU, Dense<784>>, BatchNormalization, Dense<10>, Softmax>;
  const auto go_on = [&](const char* name, auto optimizer) {
    CAPTURE(name);
    const FitOptions step{.batch_size = 48, .shuffle = false, .verbose = Verbose::silent};
    Net model{Seed{1}};
    Trainer trainer{model, optimizer, CategoricalCrossentropy{}};
    for (int i = 0; i < 3; ++i) trainer.fit(data, step);
    save_keras(trainer, folder / name);
    Net other{Seed{2}};
    Trainer resumed{other, optimizer, CategoricalCrossentropy{}};
    load_keras(resumed, folder / name);
    CHECK(resumed.steps() == 3);
    CHECK(resumed.state().slots.span().size() == trainer.state().slots.span().size());
    trainer.fit(data, step);
    resumed.fit(data, step);
    CHECK(networks::parameters(other) == networks::parameters(model));
  };
  go_on("amsgrad.keras", Adam{.learning_rate = 0.002f, .amsgrad = true});
  go_on("adam.h5", Adam{.learning_rate = ExponentialDecay{0.01f, 2, 0.5f}});
  go_on("nadam.keras", Nadam{});
  go_on("nadam.h5", Nadam{});
  go_on("rmsprop.keras", RMSprop{.momentum = 0.5f, .centered = true});
  go_on("rmsprop.h5", RMSprop{.momentum = 0.5f, .centered = true});

  Net model{Seed{1}};
  const auto before = networks::parameters(model);
  Trainer sgd{model, RMSprop{}, CategoricalCrossentropy{}};
  CHECK_ERROR("the optimizer is RMSprop, in the file Nadam", load_keras(sgd, folder / "nadam.keras"));
  CHECK_ERROR("the optimizer has 8 slots of parameters, in the file 24",
              load_keras(sgd, folder / "rmsprop.h5"));
  save_keras(model, folder / "plain.keras");
  save_keras(model, folder / "plain.h5");
  CHECK_ERROR("holds no optimizer", load_keras(sgd, folder / "plain.keras"));
  CHECK_ERROR("holds no optimizer", load_keras(sgd, folder / "plain.h5"));
  CHECK(networks::parameters(model) == before);
  CHECK(sgd.steps() == 0);
  // A training that has not begun, and its rate.
  Trainer fresh{model, RMSprop{.learning_rate = 0.25f}, CategoricalCrossentropy{}};
  save_keras(fresh, folder / "fresh.keras");
  load_keras(sgd, folder / "fresh.keras");
  CHECK(sgd.steps() == 0);
  CHECK(sgd.optimizer().learning_rate(0) == 0.25f);
  CHECK_ERROR("momentum_decay",
              save_keras(Trainer{model, Nadam{.momentum_decay = 0.004f}, CategoricalCrossentropy{}},
                         folder / "n.keras"));
  CHECK_ERROR("one of clipnorm",
              save_keras(Trainer{model, RMSprop{.clipnorm = 1, .clipvalue = 1}, CategoricalCrossentropy{}},
                         folder / "c.keras"));
}
