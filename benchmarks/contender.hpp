// digitnet's part in the contest: one of the networks, trained or asked.
#pragma once
#include <digitnet/digitnet.hpp>

#include "contest.hpp"

namespace contest {

using namespace digitnet;

template <class Model, class Optimizer>
class Contender : public contest::Network {
 public:
  explicit Contender(const Task& task)
      : task_(task),
        trainer_(model_, Optimizer{}, CategoricalCrossentropy{},
                 {.threads = static_cast<std::size_t>(task.threads)}) {
    if (task.training) {
      const auto digits = digit_bytes(task);
      images_ = xt::adapt(digits.pixels,
                          std::vector<std::size_t>{digits.count, task.side(), task.side(), task.channels()});
      labels_ = xt::adapt(digits.labels, std::vector<std::size_t>{digits.count});
      all_ = DataView(images_, labels_);
      warm_up_ = slice({images_, labels_}, 0, warm_up_images);
      some_ = DataView(warm_up_);
    } else {
      const auto digits = digit_floats(task);
      for (std::size_t first = 0; first < digits.count; first += task.batch) {
        batches_.emplace_back(std::array<std::size_t, 2>{task.batch, task.image_size()});
        std::copy_n(digits.pixels.data() + first * task.image_size(), task.batch * task.image_size(),
                    batches_.back().data());
      }
      for (const auto& batch : batches_) samples_.emplace_back(batch);
      answers_.resize(task.batch * 10);
    }
  }
  void train(std::size_t images) override {
    const DataView& data = images == task_.images() ? all_ : some_;
    trainer_.fit(data, {.batch_size = task_.batch, .verbose = Verbose::silent});
  }
  float predict(std::size_t first) override {
    predictor_.predict(samples_[first / task_.batch], answers_.data());
    return answers_.front();
  }

 private:
  Task task_;
  Model model_{Seed{1}};
  Predictor<Model> predictor_{model_};
  Trainer<Model, Optimizer, CategoricalCrossentropy> trainer_;
  Images images_{};
  Labels labels_{};
  Dataset warm_up_{};
  DataView all_{}, some_{};
  std::vector<xt::xtensor<float, 2>> batches_{};
  std::vector<Samples> samples_{};
  std::vector<float> answers_{};
};

/// One of the deep networks, which are compiled apart.
std::unique_ptr<contest::Network> deep_network(const Task& task);

}  // namespace contest
