#include <digitnet/applications/resnet.hpp>

#include "record.hpp"

namespace records {

void measure_resnets(const Options& options, const std::string& wanted, std::vector<Line>& table) {
  using Net = applications::ResNet<>;
  const auto make = [](Seed seed) { return Net(seed); };
  measure(options, wanted, table,
          {.name = "resnet",
           .network = "ResNet-20, augmentation",
           .epochs = 12,
           .batch_size = 128,
           .learning_rate = 4e-3f,
           .augmentation = digits_move},
          make);
  measure(options, wanted, table,
          {.name = "fashion-resnet",
           .network = "Fashion-MNIST: ResNet-20, augmentation",
           .dataset = "fashion-mnist",
           .epochs = 30,
           .batch_size = 128,
           .learning_rate = 4e-3f,
           .augmentation = clothes_vary,
           .views = clothes_seen},
          make);
}

}  // namespace records
