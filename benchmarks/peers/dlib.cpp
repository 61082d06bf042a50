// dlib's part in the contest. Its threads are OpenBLAS' (OPENBLAS_NUM_THREADS); its own code is serial.
#include <dlib/dnn.h>

#include "contest.hpp"

namespace {

template <long filters, class Below>
using convolution = dlib::add_layer<dlib::con_<filters, 3, 3, 1, 1, 0, 0>, Below>;
using Pixels = dlib::input<dlib::matrix<float>>;
using A = dlib::loss_multiclass_log<dlib::fc<10, dlib::relu<dlib::fc<100, Pixels>>>>;
using B =
    dlib::loss_multiclass_log<dlib::fc<10, dlib::relu<dlib::fc<512, dlib::relu<dlib::fc<512, Pixels>>>>>>;
template <long filters, class Below>
using block = dlib::max_pool<2, 2, 2, 2, dlib::relu<convolution<filters, Below>>>;
using C = dlib::loss_multiclass_log<dlib::fc<10, dlib::relu<dlib::fc<64, block<64, block<32, Pixels>>>>>>;

template <class Net, class Solver>
class Contender : public contest::Network {
 public:
  Contender(const contest::Task& task, const Solver& solver, double rate)
      : task_(task), trainer_(training_, solver) {
    const auto digits = contest::digit_floats(task);
    images_.resize(digits.count);
    for (std::size_t i = 0; i < digits.count; ++i) {
      images_[i].set_size(28, 28);
      std::copy_n(digits.pixels.data() + i * task.image_size(), task.image_size(), images_[i].begin());
    }
    labels_.assign(digits.labels.begin(), digits.labels.end());
    trainer_.set_learning_rate(rate);
    trainer_.set_min_learning_rate(rate / 1e6);
    trainer_.set_iterations_without_progress_threshold(1000000000);
    if (!task.training)
      for (std::size_t first = 0; first < digits.count; first += task.batch) {
        const auto begin = images_.begin() + static_cast<std::ptrdiff_t>(first);
        tensors_.emplace_back();
        inference_.to_tensor(begin, begin + static_cast<std::ptrdiff_t>(task.batch), tensors_.back());
      }
  }
  void train(std::size_t images) override {
    const auto order = contest::shuffled(images);
    std::vector<dlib::matrix<float>> batch(task_.batch);
    std::vector<unsigned long> labels(task_.batch);
    for (std::size_t first = 0; first < order.size(); first += task_.batch) {
      for (std::size_t i = 0; i < task_.batch; ++i) {
        batch[i] = images_[order[first + i]];
        labels[i] = labels_[order[first + i]];
      }
      trainer_.train_one_step(batch, labels);
    }
    trainer_.get_net(dlib::force_flush_to_disk::no);  // waits for the trainer's thread
  }
  float predict(std::size_t first) override {
    return inference_.forward(tensors_[first / task_.batch]).host()[0];
  }

 private:
  contest::Task task_;
  Net training_{};
  dlib::softmax<typename Net::subnet_type> inference_{};
  dlib::dnn_trainer<Net, Solver> trainer_;
  std::vector<dlib::matrix<float>> images_{};
  std::vector<unsigned long> labels_{};
  std::vector<dlib::resizable_tensor> tensors_{};
};

}  // namespace

int main(int argc, char** argv) {
  const auto make = [](const contest::Task& task) -> std::unique_ptr<contest::Network> {
    const dlib::adam adam(0, 0.9f, 0.999f);
    if (task.network == 'A') return std::make_unique<Contender<A, dlib::sgd>>(task, dlib::sgd(0, 0), 0.01);
    if (task.network == 'B') return std::make_unique<Contender<B, dlib::adam>>(task, adam, 1e-3);
    return std::make_unique<Contender<C, dlib::adam>>(task, adam, 1e-3);
  };
  return contest::run(argc, argv, make, "ABC", "ABC");
}
