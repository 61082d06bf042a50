// A communicator over MPI: `Trainer{model, optimizer, loss, {.communicator = mpi::Communicator{}}}` trains on
// all processes that mpirun has started.
#pragma once
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/core/thread_team.hpp"
#include "digitnet/mpi/environment.hpp"
#include "digitnet/train/ranks.hpp"

namespace digitnet::mpi {

/// Settings of a Communicator.
struct CommunicatorOptions {
  /// How long a rank waits for the others before it ends all. What rank 0 does between two steps, such as
  /// writing a file, must take less.
  std::chrono::milliseconds timeout = std::chrono::minutes(5);
};

/// The ranks of an MPI communicator. Only the thread that has started MPI may use it. A rank that is waited
/// for in vain ends all ranks, with a sentence that names it; so does any error of MPI. Copies are the same
/// communicator.
class Communicator final : public TrainingCommunicator {
 public:
  /// Throws an Error where no Environment has started MPI. All ranks make one together.
  explicit Communicator(CommunicatorOptions options = {}, MPI_Comm ranks = MPI_COMM_WORLD)
      : state_(std::make_shared<State>(options, ranks)) {}

  std::size_t rank() const override { return state_->rank; }
  std::size_t size() const override { return state_->size; }

  void broadcast(std::span<std::byte> bytes) override {
    for (std::size_t done = 0; done < bytes.size(); done += most_bytes) {
      MPI_Request request = MPI_REQUEST_NULL;
      const std::size_t count = std::min(most_bytes, bytes.size() - done);
      check(MPI_Ibcast(bytes.data() + done, static_cast<int>(count), MPI_BYTE, 0, state_->data, &request),
            "MPI_Ibcast");
      wait(std::span(&request, 1));
    }
  }

  void all_gather(std::byte* array, std::span<const std::size_t> begins) override {
    if (begins.back() > most_bytes) {
      // Counts of MPI-3 are ints.
      transfer(
          array, [&](std::size_t) { return std::pair(begins[rank()], begins[rank() + 1]); }, array,
          [&](std::size_t other) { return std::pair(begins[other], begins[other + 1]); });
      return;
    }
    counts_.clear();
    places_.clear();
    for (std::size_t other = 0; other < size(); ++other) {
      counts_.push_back(static_cast<int>(begins[other + 1] - begins[other]));
      places_.push_back(static_cast<int>(begins[other]));
    }
    MPI_Request request = MPI_REQUEST_NULL;
    check(MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, array, counts_.data(), places_.data(), MPI_BYTE,
                          state_->data, &request),
          "MPI_Iallgatherv");
    wait(std::span(&request, 1));
  }

  void exchange(const std::byte* from, std::span<const std::size_t> from_begins, std::byte* to,
                std::span<const std::size_t> to_begins) override {
    transfer(
        from, [&](std::size_t other) { return std::pair(from_begins[other], from_begins[other + 1]); }, to,
        [&](std::size_t other) { return std::pair(to_begins[other], to_begins[other + 1]); });
  }

  [[noreturn]] void abort(const std::string& sentence) override {
    std::fprintf(stderr, "digitnet: rank %zu of %zu ends all ranks: %s\n", rank(), size(), sentence.c_str());
    end();
  }

 private:
  static constexpr std::size_t most_bytes = INT_MAX;

  struct State {
    State(CommunicatorOptions settings, MPI_Comm ranks) : options(settings) {
      int running = 0, ended = 0, number = 0;
      MPI_Initialized(&running);
      MPI_Finalized(&ended);
      if (running == 0 || ended != 0)
        fail(
            "MPI is not running: begin main with `const digitnet::mpi::Environment environment(&argc, "
            "&argv);`");
      detail::check(MPI_Comm_dup(ranks, &data), "MPI_Comm_dup");
      detail::check(MPI_Comm_dup(ranks, &alarm), "MPI_Comm_dup");
      MPI_Comm_set_errhandler(data, MPI_ERRORS_RETURN);
      MPI_Comm_set_errhandler(alarm, MPI_ERRORS_RETURN);
      MPI_Comm_rank(data, &number);
      rank = static_cast<std::size_t>(number);
      MPI_Comm_size(data, &number);
      size = static_cast<std::size_t>(number);
      detail::check(MPI_Comm_split_type(data, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &ranks),
                    "MPI_Comm_split_type");
      MPI_Comm_size(ranks, &number);
      MPI_Comm_free(&ranks);
      if (static_cast<std::size_t>(number) <= hardware_threads()) polling = std::chrono::milliseconds(2);
    }
    ~State() {
      int ended = 0;
      MPI_Finalized(&ended);
      if (ended != 0) return;
      MPI_Comm_free(&data);
      MPI_Comm_free(&alarm);
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    CommunicatorOptions options;
    // Messages, and those of ranks that have waited too long.
    MPI_Comm data = MPI_COMM_NULL, alarm = MPI_COMM_NULL;
    std::size_t rank = 0, size = 1;
    std::chrono::microseconds polling{20};
  };

  using Clock = std::chrono::steady_clock;

  void check(int code, const char* call) {
    try {
      detail::check(code, call);
    } catch (const Error& error) {
      abort(error.what());
    }
  }

  // To and from every other rank the bytes of these ranges.
  template <class Sent, class Received>
  void transfer(const std::byte* from, const Sent& sent, std::byte* to, const Received& received) {
    requests_.clear();
    for (std::size_t step = 1; step < size(); ++step) {
      const std::size_t other = (rank() + size() - step) % size();
      const auto [begin, end] = received(other);
      for (std::size_t at = begin; at < end; at += most_bytes)
        check(MPI_Irecv(to + at, static_cast<int>(std::min(most_bytes, end - at)), MPI_BYTE,
                        static_cast<int>(other), 0, state_->data, &requests_.emplace_back()),
              "MPI_Irecv");
    }
    for (std::size_t step = 1; step < size(); ++step) {
      const std::size_t other = (rank() + step) % size();
      const auto [begin, end] = sent(other);
      for (std::size_t at = begin; at < end; at += most_bytes)
        check(MPI_Isend(from + at, static_cast<int>(std::min(most_bytes, end - at)), MPI_BYTE,
                        static_cast<int>(other), 0, state_->data, &requests_.emplace_back()),
              "MPI_Isend");
    }
    wait(requests_);
  }

  // Polls for as long as an answer is worth a core, which is not long where ranks share one; then sleeps
  // between the polls, and looks whether somebody has given up.
  void wait(std::span<MPI_Request> requests) {
    const auto begin = Clock::now();
    for (std::size_t polls = 0;; ++polls) {
      int done = 0;
      check(MPI_Testall(static_cast<int>(requests.size()), requests.data(), &done, MPI_STATUSES_IGNORE),
            "MPI_Testall");
      if (done != 0) return;
      const auto waited = Clock::now() - begin;
      if (waited < state_->polling) continue;
      ::usleep(1);
      if (polls % 64 != 0) continue;
      int alarm = 0;
      check(MPI_Iprobe(MPI_ANY_SOURCE, 0, state_->alarm, &alarm, MPI_STATUS_IGNORE), "MPI_Iprobe");
      if (alarm != 0 || waited > state_->options.timeout) find_missing();
    }
  }

  // Somebody has waited for too long: who waits too says so, and who does not is named.
  [[noreturn]] void find_missing() {
    std::vector<char> here(size(), 1), answered(size(), 0);
    std::vector<MPI_Request> sends(size(), MPI_REQUEST_NULL), receives(size(), MPI_REQUEST_NULL);
    answered[rank()] = 1;
    for (std::size_t other = 0; other < size(); ++other) {
      if (other == rank()) continue;
      MPI_Isend(&here[rank()], 1, MPI_CHAR, static_cast<int>(other), 0, state_->alarm, &sends[other]);
      MPI_Irecv(&here[other], 1, MPI_CHAR, static_cast<int>(other), 0, state_->alarm, &receives[other]);
    }
    std::size_t answers = 1;
    for (const auto begin = Clock::now();
         answers < size() && Clock::now() - begin < std::chrono::seconds(2);) {
      for (std::size_t other = 0; other < size(); ++other) {
        int done = 0;
        if (answered[other]) continue;
        MPI_Test(&receives[other], &done, MPI_STATUS_IGNORE);
        if (done == 0) continue;
        answered[other] = 1;
        ++answers;
      }
      ::usleep(1000);
    }
    std::string missing;
    for (std::size_t other = 0; other < size(); ++other)
      if (!answered[other]) missing += (missing.empty() ? "" : ", ") + std::to_string(other);
    // The first of those that wait speaks for them.
    if (std::find(answered.begin(), answered.end(), 1) - answered.begin() ==
        static_cast<std::ptrdiff_t>(rank())) {
      const double seconds = std::chrono::duration<double>(state_->options.timeout).count();
      if (missing.empty())
        std::fprintf(stderr, "digitnet: a message is lost: all %zu ranks have waited for %g s\n", size(),
                     seconds);
      else
        std::fprintf(
            stderr,
            "digitnet: rank %s of %zu has not answered for %g s, so all ranks end: it hangs, was stopped, or "
            "needs more time than CommunicatorOptions::timeout\n",
            missing.c_str(), size(), seconds);
    } else {
      ::usleep(500'000);
    }
    end();
  }

  [[noreturn]] static void end() {
    std::fflush(nullptr);
    MPI_Abort(MPI_COMM_WORLD, 1);
    std::_Exit(1);
  }

  std::shared_ptr<State> state_;
  std::vector<int> counts_, places_;
  std::vector<MPI_Request> requests_;
};

}  // namespace digitnet::mpi
