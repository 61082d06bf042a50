// digitnet's part in the contest.
#include <digitnet/applications/mobilenet.hpp>
#include <digitnet/applications/resnet.hpp>
#include <digitnet/digitnet.hpp>
#include <digitnet/model/precision.hpp>

#include "contest.hpp"

using namespace digitnet;

namespace {

using A = Sequential<Input<784>, Dense<100>, ReLU, Dense<10>, Softmax>;
using B = Sequential<Input<784>, Dense<512>, ReLU, Dense<512>, ReLU, Dense<10>, Softmax>;
using C = Sequential<Input<28, 28, 1>, Conv2D<32, 3>, ReLU, MaxPooling2D<2>, Conv2D<64, 3>, ReLU,
                     MaxPooling2D<2>, Flatten, Dense<64>, ReLU, Dense<10>, Softmax>;

using D = applications::ResNet<>;
using E = applications::MobileNet<>;

template <class Model>
using Mixed = WithPrecision<Model, Precision::bfloat16>;

template <class Model, class Optimizer>
class Contender : public contest::Network {
 public:
  explicit Contender(const contest::Task& task)
      : task_(task),
        trainer_(model_, Optimizer{}, CategoricalCrossentropy{},
                 {.threads = static_cast<std::size_t>(task.threads)}) {
    if (task.training) {
      const auto digits = contest::digit_bytes(contest::training_images);
      images_ = xt::adapt(digits.pixels, std::vector<std::size_t>{digits.count, 28, 28, 1});
      labels_ = xt::adapt(digits.labels, std::vector<std::size_t>{digits.count});
      all_ = DataView(images_, labels_);
      warm_up_ = slice({images_, labels_}, 0, contest::warm_up_images);
      some_ = DataView(warm_up_);
    } else {
      const auto digits = contest::digit_floats(contest::inference_images);
      for (std::size_t first = 0; first < digits.count; first += task.batch) {
        batches_.emplace_back(std::array<std::size_t, 2>{task.batch, contest::image_size});
        std::copy_n(digits.pixels.data() + first * contest::image_size, task.batch * contest::image_size,
                    batches_.back().data());
      }
      for (const auto& batch : batches_) samples_.emplace_back(batch);
      answers_.resize(task.batch * 10);
    }
  }
  void train(std::size_t images) override {
    const DataView& data = images == contest::training_images ? all_ : some_;
    trainer_.fit(data, {.batch_size = task_.batch, .verbose = Verbose::silent});
  }
  float predict(std::size_t first) override {
    predictor_.predict(samples_[first / task_.batch], answers_.data());
    return answers_.front();
  }

 private:
  contest::Task task_;
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

std::unique_ptr<contest::Network> make(const contest::Task& task) {
  if (task.network == 'A') return std::make_unique<Contender<A, SGD>>(task);
  if (task.network == 'B') return std::make_unique<Contender<B, Adam>>(task);
  if (task.network == 'D') return std::make_unique<Contender<D, Adam>>(task);
  if (task.network == 'E') return std::make_unique<Contender<E, Adam>>(task);
  if (task.network == 'a') return std::make_unique<Contender<Mixed<A>, SGD>>(task);
  if (task.network == 'b') return std::make_unique<Contender<Mixed<B>, Adam>>(task);
  if (task.network == 'e') return std::make_unique<Contender<Mixed<E>, Adam>>(task);
  return std::make_unique<Contender<C, Adam>>(task);
}

}  // namespace

int main(int argc, char** argv) { return contest::run(argc, argv, make, "ABCDEabe", "ABCab"); }
