// digitnet's part in the contest on bytes: int8/C/256/2 (network, batch, threads), beside infer/C/256/2 in
// float32 in the same program, with random weights. On one thread: taskset -c 0.
#include <digitnet/digitnet.hpp>
#include <digitnet/quantized.hpp>

#include "contest.hpp"
#include "nets.hpp"

namespace contest {

namespace {

template <class Model>
class OnBytes : public contest::Network {
 public:
  explicit OnBytes(const Task& task) : task_(task) {
    const auto digits = digit_floats(task);
    for (std::size_t first = 0; first < digits.count; first += task.batch) {
      batches_.push_back(Matrix::from_shape({task.batch, task.image_size()}));
      std::copy_n(digits.pixels.data() + first * task.image_size(), task.batch * task.image_size(),
                  batches_.back().data());
    }
    samples_.assign(batches_.begin(), batches_.end());
    quantized_ = std::make_unique<Quantized<Model>>(quantize(model_, samples_[0]));
  }
  void train(std::size_t) override {}
  float predict(std::size_t first) override {
    const Samples& x = samples_[first / task_.batch];
    if (task_.on_bytes)
      quantized_->predict(x, answers_.data());
    else
      predictor_.predict(x, answers_.data());
    return answers_.front();
  }

 private:
  Task task_;
  Model model_{Seed{1}};
  Predictor<Model> predictor_{model_};
  std::vector<Matrix> batches_{};
  std::vector<Samples> samples_{};
  std::unique_ptr<Quantized<Model>> quantized_{};
  std::vector<float> answers_ = std::vector<float>(task_.batch * 10);
};

std::unique_ptr<contest::Network> make(const Task& task) {
  if (task.network == 'C') return std::make_unique<OnBytes<C>>(task);
  if (task.network == 'D') return std::make_unique<OnBytes<D>>(task);
  return std::make_unique<OnBytes<E>>(task);
}

}  // namespace

}  // namespace contest

int main(int argc, char** argv) { return contest::run(argc, argv, contest::make, "", "CDE", "CDE"); }
