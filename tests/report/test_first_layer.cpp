// What the first layer of a model looks at.
#include <digitnet/digitnet.hpp>
#include <digitnet/report/first_layer.hpp>

#include "io/every_layer.hpp"
#include "support/support.hpp"

using namespace digitnet;

namespace {

// Checks that the maps are what the whole model gives.
template <class Model>
void check_maps(const Model& model, const std::string& layers) {
  const Matrix x = networks::samples_for(model, 2);
  const auto maps = first_feature_maps(model, x);
  REQUIRE(maps);
  CHECK(maps->layers == layers);
  CHECK(maps->height == Model::OutputShape::extents[0]);
  CHECK(maps->channels == Model::OutputShape::extents[2]);
  const Matrix expected = model.predict(x);
  support::check_close(maps->values,
                       std::vector<float>(expected.begin(), expected.begin() + expected.shape()[1]), 1e-5);
}

}  // namespace

TEST_CASE("feature maps are the model's own, up to the first ReLU") {
  check_maps(networks::with_random_parameters(
                 Sequential{Input<9, 8, 2>{}, Rescaling{2.0f, -0.5f}, Dropout{0.5f}, Conv2D<5, 3, 2, same>{},
                            BatchNormalization{.epsilon = 0.01f}, ReLU{}},
                 3),
             "conv2d, batch_normalization, re_lu");
  check_maps(networks::with_random_parameters(Sequential{Input<9, 8, 2>{}, Conv2D<5, 3>{}}, 4), "conv2d");
  // Chains inside the model are looked into.
  check_maps(
      networks::with_random_parameters(
          Sequential{Input<9, 8, 2>{}, RandomFlip{}, Sequential{Identity{}, Conv2D<5, 3>{}, ReLU{}}}, 4),
      "sequential/conv2d, sequential/re_lu");
}

TEST_CASE("layers behind the first convolution do not matter") {
  const auto maps_of = [](const auto& model) {
    return first_feature_maps(model, networks::samples_for(model, 1)).value();
  };
  const auto alone =
      maps_of(networks::with_random_parameters(Sequential{Input<8, 8, 1>{}, Conv2D<3, 3>{}, ReLU{}}, 6));
  for (const FeatureMaps& maps :
       {maps_of(networks::with_random_parameters(
            Sequential{Input<8, 8, 1>{}, Conv2D<3, 3>{}, ReLU{}, ReLU{}, Flatten{}, Dense<2>{}}, 6)),
        maps_of(networks::with_random_parameters(
            Sequential{Input<8, 8, 1>{}, Conv2D<3, 3>{}, ReLU{}, MaxPooling2D<2>{}, Conv2D<2, 3>{}}, 6))}) {
    CHECK(maps.layers == "conv2d, re_lu");
    support::check_close(maps.values, alone.values, 1e-6);
  }
  CHECK(maps_of(networks::with_random_parameters(
                    Sequential{Input<8, 8, 1>{}, Conv2D<3, 3>{}, Tanh{}, Flatten{}, Dense<2>{}}, 6))
            .layers == "conv2d");
}

TEST_CASE("a model that does not begin with a convolution has no feature maps") {
  const auto has_maps = [](const auto& model) {
    return first_feature_maps(model, networks::samples_for(model, 1)).has_value();
  };
  CHECK_FALSE(has_maps(Sequential<Input<5>, Dense<3>>{}));
  CHECK_FALSE(has_maps(Sequential<Input<6, 6, 1>, MaxPooling2D<2>, Conv2D<2, 2>>{}));
  CHECK_FALSE(has_maps(Sequential<Input<6, 6, 1>, Residual<Conv2D<1, 3, 1, same>>>{}));
  const Sequential<Input<6, 6, 1>, Conv2D<2, 2>> model;
  CHECK_FALSE(first_feature_maps(model, networks::samples_for(model, 0)));
}

TEST_CASE("the filters of an image's kernel are a grid, of others there are none") {
  const auto model = networks::cnn(2);
  const ModelDescription description = describe(model);
  const WeightDescription* const kernel = first_kernel(description);
  REQUIRE(kernel);
  const auto picture =
      filter_picture(kernel->shape, model.parameters().subspan(kernel->offset, kernel->size()));
  REQUIRE(picture);
  CHECK(picture->width() > picture->height());
  CHECK_FALSE(filter_picture({5, 3}, std::vector<float>(15)));
}
