// How a training scales over processes: the time of its steps, what of it is communication, and what a
// network needs for the same messages. Under mpirun, on every rank:
//   benchmark_scaling [--model cnn|example] [--batch N] [--steps N] [--threads N] [--passes N]
// `--batch` counts the images of a rank; `example` is the network of PyTorch's example of data-parallel
// training, which libtorch_mpi trains. Rank 0 prints one line of JSON. network.py makes networks, starts this
// on them, and compares with the model of the cost.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <digitnet/digitnet.hpp>
#include <digitnet/mpi/mpi.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

using namespace digitnet;

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// The network of the Keras tutorials.
using Cnn = Sequential<Input<28, 28, 1>, Conv2D<32, 3>, ReLU, MaxPooling2D<2>, Conv2D<64, 3>, ReLU,
                       MaxPooling2D<2>, Flatten, Dense<64>, ReLU, Dense<10>, Softmax>;

struct Call {
  enum { broadcast, gather, exchange } kind;
  std::vector<std::size_t> from, to{};
};

// That of PyTorch's C++ examples.
using Example =
    Sequential<Input<28, 28, 1>, Conv2D<10, 5>, MaxPooling2D<2>, ReLU, Conv2D<20, 5>, SpatialDropout2D,
               MaxPooling2D<2>, ReLU, Flatten, Dense<50>, ReLU, Dropout, Dense<10>, Softmax>;

// What goes through a communicator.
struct Traffic {
  std::size_t broadcasts = 0, gathers = 0, exchanges = 0;
  // That this rank sends in them: rank 0's in broadcasts.
  double broadcast_bytes = 0, gather_bytes = 0, exchange_bytes = 0;
  double seconds = 0;
  // The calls of the last step: how many bytes go to whom. A step ends with a gather of the parameters, so
  // from one exchange to the next is one.
  std::vector<Call> step{}, last{};
};

class Counted final : public TrainingCommunicator {
 public:
  Counted(mpi::Communicator communicator, Traffic& traffic)
      : communicator_(std::move(communicator)), traffic_(traffic) {}
  std::size_t rank() const override { return communicator_.rank(); }
  std::size_t size() const override { return communicator_.size(); }
  void broadcast(std::span<std::byte> bytes) override {
    ++traffic_.broadcasts;
    traffic_.broadcast_bytes += static_cast<double>(bytes.size());
    timed({Call::broadcast, {bytes.size()}}, [&] { communicator_.broadcast(bytes); });
  }
  void all_gather(std::byte* array, std::span<const std::size_t> begins) override {
    ++traffic_.gathers;
    traffic_.gather_bytes += static_cast<double>(begins[rank() + 1] - begins[rank()]);
    timed({Call::gather, {begins.begin(), begins.end()}}, [&] { communicator_.all_gather(array, begins); });
  }
  void exchange(const std::byte* from, std::span<const std::size_t> from_begins, std::byte* to,
                std::span<const std::size_t> to_begins) override {
    ++traffic_.exchanges;
    traffic_.exchange_bytes += static_cast<double>(from_begins.back());
    timed({Call::exchange, {from_begins.begin(), from_begins.end()}, {to_begins.begin(), to_begins.end()}},
          [&] { communicator_.exchange(from, from_begins, to, to_begins); });
  }
  [[noreturn]] void abort(const std::string& sentence) override { communicator_.abort(sentence); }

 private:
  template <class Do>
  void timed(Call call, const Do& run) {
    if (call.kind == Call::exchange) traffic_.last = std::exchange(traffic_.step, {});
    traffic_.step.push_back(std::move(call));
    const auto begin = Clock::now();
    run();
    traffic_.seconds += seconds_since(begin);
  }
  mpi::Communicator communicator_;
  Traffic& traffic_;
};

template <class Do>
double median_seconds(std::size_t times, const Do& run) {
  std::vector<double> seconds;
  for (std::size_t i = 0; i < times; ++i) {
    const auto begin = Clock::now();
    run();
    seconds.push_back(seconds_since(begin));
  }
  std::nth_element(seconds.begin(), seconds.begin() + static_cast<std::ptrdiff_t>(times / 2), seconds.end());
  return seconds[times / 2];
}

// An exchange of so many bytes between each two ranks.
double exchange_seconds(Communicator& communicator, std::size_t bytes) {
  const std::size_t ranks = communicator.size();
  std::vector<std::byte> from(ranks * bytes), to(ranks * bytes);
  std::vector<std::size_t> begins{0};
  for (std::size_t other = 0; other < ranks; ++other)
    begins.push_back(begins.back() + (other == communicator.rank() ? 0 : bytes));
  return median_seconds(20, [&] { communicator.exchange(from.data(), begins, to.data(), begins); });
}

// The calls of one step, one after the other, without what is computed between them.
double replayed_seconds(Communicator& communicator, const std::vector<Call>& calls, std::size_t steps) {
  std::size_t most = 0;
  for (const Call& call : calls)
    most = std::max({most, call.from.back(), call.to.empty() ? 0 : call.to.back()});
  std::vector<std::byte> from(most), to(most);
  return median_seconds(steps, [&] {
    for (const Call& call : calls)
      if (call.kind == Call::broadcast)
        communicator.broadcast(std::span(to).first(call.from[0]));
      else if (call.kind == Call::gather)
        communicator.all_gather(to.data(), call.from);
      else
        communicator.exchange(from.data(), call.from, to.data(), call.to);
  });
}

// Everybody's sum of each parameter's gradient, one call for each, as data-parallel training is mostly done.
double all_reduce_seconds(std::span<const std::size_t> sizes, std::size_t steps) {
  std::vector<std::vector<float>> tensors;
  for (const std::size_t size : sizes) tensors.emplace_back(size, 1.0f);
  return median_seconds(steps, [&] {
    for (std::vector<float>& tensor : tensors)
      MPI_Allreduce(MPI_IN_PLACE, tensor.data(), static_cast<int>(tensor.size()), MPI_FLOAT, MPI_SUM,
                    MPI_COMM_WORLD);
  });
}

std::size_t number(const char* text) {
  const auto value = parse_number<std::size_t>(text);
  if (!value || *value == 0) fail(std::string(text) + " is no number of at least 1");
  return *value;
}

struct Settings {
  std::string model = "cnn";
  std::size_t batch = 256, steps = 100, threads = 1, passes = 3;
};

template <class Model, class Optimizer>
void measure(const Settings& settings, Model model, Optimizer optimizer) {
  const auto [name, batch, steps, threads, passes] = settings;
  mpi::Communicator plain;
  const std::size_t ranks = plain.size();
  const std::size_t samples = batch * ranks * steps;
  // What is trained on does not matter for the time; a batch of digits is looked at again and again.
  const Dataset digits = synthetic_digits(std::min<std::size_t>(samples, 4096), Seed{1});
  auto images = Images::from_shape({samples, 28, 28, 1});
  Labels labels = Labels::from_shape({samples});
  for (std::size_t i = 0; i < samples; ++i) {
    std::memcpy(images.data() + i * 784, digits.images.data() + i % digits.size() * 784, 784);
    labels(i) = digits.labels(i % digits.size());
  }
  Traffic traffic;
  Trainer trainer{model,
                  std::move(optimizer),
                  CategoricalCrossentropy{},
                  {.threads = threads, .communicator = Counted(plain, traffic)}};
  const FitOptions options{.batch_size = batch * ranks, .verbose = Verbose::silent};
  trainer.fit({images, labels}, options);
  std::vector<std::pair<double, Traffic>> measured;
  for (std::size_t pass = 0; pass < passes; ++pass) {
    traffic = {};
    const History history = trainer.fit({images, labels}, options);
    measured.emplace_back(history.epochs[0].seconds, traffic);
  }
  std::sort(measured.begin(), measured.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  const auto& [seconds, sent] = measured[passes / 2];
  std::byte small[64] = {};
  const double broadcast = ranks > 1 ? median_seconds(200, [&] { plain.broadcast(small); }) : 0;
  const double round = ranks > 1 ? exchange_seconds(plain, 8) : 0;
  constexpr std::size_t large = 1 << 20;
  const double mebibyte = ranks > 1 ? exchange_seconds(plain, large) : 0;
  std::vector<std::size_t> sizes;
  for (const LayerDescription& layer : describe(model).layers)
    for (const WeightDescription& weight : layer.weights) sizes.push_back(weight.size());
  const double replayed = ranks > 1 ? replayed_seconds(plain, sent.last, steps) : 0;
  const double all_reduce = ranks > 1 ? all_reduce_seconds(sizes, steps) : 0;
  if (plain.rank() == 0) {
    const auto n = static_cast<double>(steps);
    std::printf(
        "{\"model\": \"%s\", \"ranks\": %zu, \"batch\": %zu, \"step_ms\": %.4f, \"communication_ms\": %.4f, "
        "\"images_s\": %.1f, "
        "\"broadcasts\": %.2f, \"gathers\": %.2f, \"exchanges\": %.2f, \"broadcast_bytes\": %.0f, "
        "\"gather_bytes\": %.0f, \"exchange_bytes\": %.0f, \"small_broadcast_us\": %.2f, "
        "\"small_exchange_us\": %.2f, \"mebibyte_exchange_us\": %.2f, \"replayed_ms\": %.4f, "
        "\"all_reduce_ms\": %.4f}\n",
        name.c_str(), ranks, batch, 1e3 * seconds / n, 1e3 * sent.seconds / n,
        static_cast<double>(samples) / seconds, static_cast<double>(sent.broadcasts) / n,
        static_cast<double>(sent.gathers) / n, static_cast<double>(sent.exchanges) / n,
        sent.broadcast_bytes / n, sent.gather_bytes / n, sent.exchange_bytes / n, 1e6 * broadcast,
        1e6 * round, 1e6 * mebibyte, 1e3 * replayed, 1e3 * all_reduce);
  }
}

}  // namespace

int main(int argc, char** argv) try {
  const mpi::Environment environment(&argc, &argv);
  Settings settings;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i], value = argv[i + 1];
    if (flag == "--model") settings.model = value;
    if (flag == "--batch") settings.batch = number(argv[i + 1]);
    if (flag == "--steps") settings.steps = number(argv[i + 1]);
    if (flag == "--threads") settings.threads = number(argv[i + 1]);
    if (flag == "--passes") settings.passes = number(argv[i + 1]);
  }
  if (settings.model == "example")
    measure(settings, Example{Seed{1}}, SGD{.learning_rate = 0.01f, .momentum = 0.5f});
  else
    measure(settings, Cnn{Seed{1}}, Adam{});
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
