#include <csignal>
#include <digitnet/train/interrupt.hpp>
#include <digitnet/train/progress.hpp>

#include "support/support.hpp"

using namespace digitnet;

namespace {

EpochLogs logs_of(double val_loss) {
  EpochLogs logs{.epoch = 1, .loss = 1, .accuracy = 0.25, .val_loss = val_loss, .val_accuracy = 0.5};
  logs.has_validation = true;
  return logs;
}

// Columns that a text takes on a terminal: escape sequences take none, a letter of several bytes takes one.
std::size_t columns_of(const std::string& text) {
  std::size_t columns = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\x1b')
      i = text.find('m', i);
    else
      columns += (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80;
  }
  return columns;
}

}  // namespace

TEST_CASE("times and quantities are written as Keras writes them") {
  CHECK(detail::duration_text(7.4) == "7s");
  CHECK(detail::duration_text(65) == "1:05");
  CHECK(detail::duration_text(7384) == "2:03:04");
  CHECK(detail::per_step_text(2.2) == "2s/step");
  CHECK(detail::per_step_text(0.0123) == "12ms/step");
  CHECK(detail::per_step_text(0.000123) == "123us/step");
  CHECK(detail::metrics_text(logs_of(0.00012)) ==
        "accuracy: 0.2500 - loss: 1.0000 - val_accuracy: 0.5000 - val_loss: 1.2000e-04");
  CHECK(detail::metrics_text(logs_of(std::numeric_limits<double>::infinity())).ends_with("val_loss: inf"));
}

TEST_CASE("the progress line never wraps, and gives up what matters least") {
  const auto text = [&](std::size_t columns, std::size_t steps) {
    return detail::progress_text(columns, 9, steps, "1:02:03", "999ms/step",
                                 detail::metric_texts(logs_of(123.456)));
  };
  for (std::size_t columns = 1; columns < 160; ++columns)
    for (const std::size_t steps : {std::size_t{9}, std::size_t{469}, std::size_t{1'000'000}})
      if (columns > 2 * std::to_string(steps).size() + 1) CHECK(columns_of(text(columns, steps)) < columns);
  CHECK(columns_of(text(200, 469)) == columns_of(text(140, 469)));
  CHECK(
      support::contains(text(200, 469), "999ms/step - accuracy: 0.2500 - loss: 1.0000 - val_accuracy: 0.5"));
  CHECK(support::contains(text(90, 469),
                          "- acc: 0.2500 - loss: 1.0000 - val_acc: 0.5000 - val_loss: 123.4560"));
  CHECK(support::contains(text(40, 469), "- val_loss: 123.4560"));
}

TEST_CASE("Ctrl-C is noted, unless the program was started with it ignored") {
  {
    const InterruptGuard guard(true);
    std::raise(SIGINT);
    CHECK(guard.interrupted());
  }
  const auto before = std::signal(SIGINT, SIG_IGN);
  {
    const InterruptGuard guard(true);
    std::raise(SIGINT);
    CHECK(!guard.interrupted());
  }
  const bool still_ignored = std::signal(SIGINT, before) == SIG_IGN;
  CHECK(still_ignored);
}
