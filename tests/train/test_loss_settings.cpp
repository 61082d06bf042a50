#include <digitnet/train/loss_settings.hpp>
#include <digitnet/train/losses.hpp>

#include "support/support.hpp"

using namespace digitnet;

namespace mine {

struct Loss {
  static constexpr bool classifies = false;
  float delta = 3;
};

}  // namespace mine

TEST_CASE("a loss is described by its class and the settings that it has") {
  const LossSettings cross = detail::settings_of_loss(CategoricalCrossentropy{.label_smoothing = 0.25f});
  CHECK(cross.class_name == "CategoricalCrossentropy");
  CHECK(cross.classifies);
  CHECK_FALSE(cross.judges_each_output);
  CHECK(cross.from_logits == false);
  CHECK(cross.label_smoothing == 0.25f);
  CHECK_FALSE(cross.delta);
  CHECK(detail::settings_of_loss(BinaryCrossentropy{.from_logits = true}).from_logits == true);
  CHECK(detail::settings_of_loss(BinaryCrossentropy{}).judges_each_output);
  const LossSettings own = detail::settings_of_loss(mine::Loss{});
  CHECK(own.class_name == "mine::Loss");
  CHECK_FALSE(own.classifies);
  CHECK_FALSE(own.from_logits);
  CHECK_FALSE(own.label_smoothing);
  CHECK(own.delta == 3.0f);
}

TEST_CASE("a loss must fit what the model's last layer answers") {
  const detail::OutputOrigin numbers{OutputKind::numbers, "Dense"};
  const detail::OutputOrigin parts{OutputKind::distribution, "Softmax"};
  const detail::OutputOrigin each{OutputKind::probabilities, "Sigmoid"};
  const auto check = [](const auto& loss, const detail::OutputOrigin& outputs) {
    detail::check_loss(detail::settings_of_loss(loss), outputs);
  };
  for (const detail::OutputOrigin& outputs : {parts, each}) {
    check(CategoricalCrossentropy{}, outputs);
    CHECK_ERROR(
        "The model ends in " + std::string(outputs.layer) + ", so its outputs are probabilities already",
        check(CategoricalCrossentropy{.from_logits = true}, outputs));
  }
  check(CategoricalCrossentropy{.from_logits = true}, numbers);
  CHECK_ERROR("the model ends in Dense, whose outputs are any numbers: put Softmax behind it",
              check(CategoricalCrossentropy{}, numbers));
  CHECK_ERROR("put Sigmoid behind it", check(BinaryCrossentropy{}, numbers));
  check(MeanSquaredError{}, numbers);
  check(mine::Loss{}, each);
}

TEST_CASE("settings of a loss that make no sense are refused") {
  const detail::OutputOrigin parts{OutputKind::distribution, "Softmax"};
  LossSettings loss{.label_smoothing = 1.0f};
  detail::check_loss(loss, parts);
  for (const float smoothing : {-0.1f, 1.1f, std::nanf("")}) {
    loss.label_smoothing = smoothing;
    CHECK_ERROR("label_smoothing is a part of each target, from 0 to 1, but is ",
                detail::check_loss(loss, parts));
  }
  loss = {.delta = 0.0f};
  CHECK_ERROR("above 0, but is 0", detail::check_loss(loss, parts));
}
