#include <digitnet/applications/mobilenet.hpp>

#include "record.hpp"

namespace records {

void measure_mobilenets(const Options& options, const std::string& wanted, std::vector<Line>& table) {
  using Net = applications::MobileNet<Input<28, 28, 1>, 50>;
  measure(options, wanted, table,
          {.name = "mobilenet",
           .network = "MobileNet, half as wide, augmentation",
           .epochs = 20,
           .batch_size = 128,
           .learning_rate = 4e-3f,
           .augmentation = digits_move},
          [](Seed seed) { return Net(seed); });
}

}  // namespace records
