// GroupNormalization in Keras' files, and wherever else a layer shows.
#include <digitnet/digitnet.hpp>
#include <digitnet/keras/import.hpp>
#include <digitnet/keras/keras.hpp>

#include "io/every_layer.hpp"
#include "support/support.hpp"

using namespace digitnet;

namespace {

keras::FileModel parsed(const std::string& settings) {
  return keras::read_config(
      keras::Json::parse(R"({"class_name": "Sequential", "config": {"name": "m", "layers": [
      {"class_name": "InputLayer", "config": {"batch_shape": [null, 4, 4, 6]}},
      {"class_name": "GroupNormalization", "config": {"name": "g", )" +
                         settings + "}}]}}"));
}

}  // namespace

TEST_CASE("what is saved is loaded") {
  const support::Folder folder;
  const auto model = networks::grouped(3);
  const Matrix x = networks::samples_for(model, 4);
  for (const char* const name : {"a.keras", "a.h5", "a.weights.h5", "a.safetensors"}) {
    CAPTURE(name);
    auto loaded = networks::grouped(4);
    CHECK(loaded.predict(x) != model.predict(x));
    if (support::contains(name, "safetensors")) {
      save_safetensors(model, folder / name);
      load_safetensors(loaded, folder / name);
    } else {
      save_keras(model, folder / name);
      load_keras(loaded, folder / name);
    }
    CHECK(loaded.predict(x) == model.predict(x));
  }
  Sequential<Input<6>, GroupNormalization<3>> by_three;
  save_keras(by_three, folder / "b.keras");
  Sequential<Input<6>, GroupNormalization<2>> by_two;
  CHECK_ERROR("groups", load_keras(by_two, folder / "b.keras"));
}

TEST_CASE("a file's layer has Keras' defaults, and -1 means as many groups as channels") {
  const LayerDescription each = parsed(R"("groups": -1, "axis": 3)").layers.at(0).description;
  CHECK(each.text() == "GroupNormalization (groups 6, center true, scale true, epsilon 0.001)");
  REQUIRE(each.weights.size() == 2);
  CHECK(each.weights[0].name == "gamma");
  CHECK(each.weights[1].shape == std::vector<std::size_t>{6});
  CHECK(parsed(R"("groups": 2, "center": false)").layers.at(0).description.weights.size() == 1);
  CHECK_ERROR("its groups 32 must divide its 6 channels", parsed(R"("axis": -1)"));
  CHECK_ERROR("its groups 4 must divide its 6 channels", parsed(R"("groups": 4)"));
  CHECK_ERROR("its groups 0 must divide its 6 channels", parsed(R"("groups": 0)"));
  CHECK_ERROR("its axis is 1", parsed(R"("groups": 2, "axis": 1)"));
}

TEST_CASE("import spells the type; summary and plan have the layer") {
  const support::Folder folder;
  const auto model = networks::grouped(3);
  save_keras(model, folder / "a.keras");
  const std::string header = keras::import_model(folder / "a.keras", "Grouped", false).header;
  INFO(header);
  for (const char* part :
       {"GroupNormalization<3>{.epsilon = 0.02f}", "BasicGroupNormalization<6, true, false>",
        "BasicGroupNormalization<2, false, true>", "GroupNormalization<32>"})
    CHECK(support::contains(header, part));
  CHECK(support::contains(model.summary(), "group_normalization (GroupNormalization)"));
  CHECK(support::contains(model.plan(), "group_normalization"));
  CHECK(describe(model).layers[1].text() ==
        "GroupNormalization (groups 3, center true, scale true, epsilon 0.02)");
}
