// A model, an optimizer and a loss as one TrainableModel: the only part of a training that is compiled for
// types.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "digitnet/core/entry.hpp"
#include "digitnet/core/thread_team.hpp"
#include "digitnet/inspect/describe.hpp"
#include "digitnet/train/fit_options.hpp"
#include "digitnet/train/gradient_engine.hpp"
#include "digitnet/train/parameter_stepper.hpp"
#include "digitnet/train/trainable_model.hpp"

namespace digitnet {

/// Refers to the model, which must outlive it.
template <class Model, class Optimizer, class Loss>
class TrainableNetwork final : public TrainableModel {
 public:
  /// Throws an Error if a setting of the optimizer or loss makes no sense, or if the loss does not fit the
  /// model's outputs.
  [[gnu::always_inline]] TrainableNetwork(Model& model, Optimizer optimizer, Loss loss,
                                          const TrainerOptions& options)
      : model_(model),
        optimizer_(std::move(optimizer)),
        loss_(std::move(loss)),
        team_(options.threads),
        engine_(model, loss_, team_, options.shards, options.communicator.get()),
        stepper_(model, engine_.gradients().products, options.threads, options.communicator.get()),
        facts_{.input = {Model::InputShape::extents.begin(), Model::InputShape::extents.end()},
               .outputs = Model::OutputShape::size,
               .has_statistics = Model::trainable_count < Model::parameter_count,
               .loss = detail::settings_of_loss(loss_),
               .processor = std::string(name_of(compiled_for)),
               .optimizer = std::string(Optimizer::class_name),
               .optimizer_settings = detail::settings_of(optimizer_),
               .slots = detail::slots_of(optimizer_)} {
    detail::check_loss(facts_.loss, detail::OutputOriginOf<typename Model::Body>::value);
    detail::check_settings(facts_.optimizer, facts_.optimizer_settings);
  }

  Model& model() const { return model_; }
  const Optimizer& optimizer() const { return optimizer_; }
  const Loss& loss() const { return loss_; }

  const TrainableFacts& facts() const override { return facts_; }
  BatchResult accumulate(const Batch& batch, RandomKey key, std::size_t step_samples) override {
    return engine_.accumulate(batch, key, step_samples);
  }
  double step(std::uint64_t step, float rate) override {
    return stepper_.step(team_, optimizer_, step, rate, parameters(), engine_.gradients());
  }
  void move_statistics() override { stepper_.move_statistics(parameters(), engine_.gradients()); }
  BatchResult evaluate(const Batch& batch) override { return engine_.evaluate(batch); }
  double penalty() const override { return stepper_.penalty(model_.parameters()); }
  std::span<float> parameters() override { return model_.parameters(); }
  ModelDescription description() const override { return describe(model_); }
  LearningRate& learning_rate() override { return optimizer_.learning_rate; }
  Arena<float> copy_of_slots() const override { return stepper_.copy_of_slots(); }
  void restore_slots(Arena<float> slots) override { stepper_.restore_slots(std::move(slots)); }
  std::span<double> optimizer_numbers() override {
    if constexpr (requires { optimizer_.numbers(); })
      return optimizer_.numbers();
    else
      return {};
  }

 private:
  Model& model_;
  Optimizer optimizer_;
  Loss loss_;
  ThreadTeam team_;
  GradientEngine<Model, Loss> engine_;
  ParameterStepper stepper_;
  TrainableFacts facts_;
};

}  // namespace digitnet
