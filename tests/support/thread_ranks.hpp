// Ranks that are threads of one process: a Communicator for tests.
#pragma once
#include <barrier>
#include <cstring>
#include <digitnet/train/ranks.hpp>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace support {

using digitnet::Communicator;

/// What the threads share.
class ThreadRanks {
 public:
  explicit ThreadRanks(std::size_t size) : barrier_(static_cast<std::ptrdiff_t>(size)), calls_(size) {}

  /// Runs function(communicator) as so many ranks; returns what each threw, or empty texts.
  template <class Function>
  static std::vector<std::string> run(std::size_t size, const Function& function) {
    ThreadRanks ranks(size);
    std::vector<std::string> errors(size);
    std::vector<std::thread> threads;
    for (std::size_t rank = 0; rank < size; ++rank)
      threads.emplace_back([&, rank] {
        Rank communicator(ranks, rank);
        try {
          function(communicator);
        } catch (const std::exception& error) {
          errors[rank] = error.what();
        }
      });
    for (std::thread& thread : threads) thread.join();
    return errors;
  }

 private:
  struct Call {
    const std::byte* from = nullptr;
    std::vector<std::size_t> begins;
  };

  class Rank final : public digitnet::TrainingCommunicator {
   public:
    Rank(ThreadRanks& ranks, std::size_t rank) : ranks_(ranks), rank_(rank) {}
    std::size_t rank() const override { return rank_; }
    std::size_t size() const override { return ranks_.calls_.size(); }
    void broadcast(std::span<std::byte> bytes) override {
      meet(bytes.data(), {bytes.size()}, [&] {
        if (ranks_.calls_[0].begins[0] != bytes.size()) throw std::logic_error("sizes of a broadcast differ");
        if (rank_ != 0) std::memcpy(bytes.data(), ranks_.calls_[0].from, bytes.size());
      });
    }
    void all_gather(std::byte* array, std::span<const std::size_t> begins) override {
      meet(array, begins, [&] {
        for (std::size_t other = 0; other < size(); ++other)
          if (other != rank_ && begins[other + 1] > begins[other])
            std::memcpy(array + begins[other], ranks_.calls_[other].from + begins[other],
                        begins[other + 1] - begins[other]);
      });
    }
    void exchange(const std::byte* from, std::span<const std::size_t> from_begins, std::byte* to,
                  std::span<const std::size_t> to_begins) override {
      meet(from, from_begins, [&] {
        for (std::size_t other = 0; other < size(); ++other) {
          const Call& call = ranks_.calls_[other];
          const std::size_t sent = call.begins[rank_ + 1] - call.begins[rank_];
          if (sent != to_begins[other + 1] - to_begins[other])
            throw std::logic_error("what is sent and what is expected differ in size");
          if (sent > 0) std::memcpy(to + to_begins[other], call.from + call.begins[rank_], sent);
        }
      });
    }
    [[noreturn]] void abort(const std::string& sentence) override {
      throw std::logic_error("aborted: " + sentence);
    }

   private:
    template <class Copy>
    void meet(const std::byte* from, std::span<const std::size_t> begins, const Copy& copy) {
      ranks_.calls_[rank_] = {from, {begins.begin(), begins.end()}};
      ranks_.barrier_.arrive_and_wait();
      copy();
      ranks_.barrier_.arrive_and_wait();
    }
    void meet(const std::byte* from, std::initializer_list<std::size_t> begins, const auto& copy) {
      meet(from, std::span(begins.begin(), begins.size()), copy);
    }

    ThreadRanks& ranks_;
    std::size_t rank_;
  };

  std::barrier<> barrier_;
  std::vector<Call> calls_;
};

}  // namespace support
