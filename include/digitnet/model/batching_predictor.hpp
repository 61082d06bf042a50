// BatchingPredictor: one model that answers the questions of many threads, together when they come together.
#pragma once
#include <algorithm>
#include <concepts>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "digitnet/core/arena.hpp"
#include "digitnet/core/error.hpp"
#include "digitnet/model/predictor.hpp"

namespace digitnet {

/// How much a BatchingPredictor has done so far.
struct BatchingCounts {
  std::size_t samples = 0, batches = 0;
};

/// Predicts as the model does, from any number of threads, one small question each. Questions that come while
/// a batch is being computed wait and are the next batch, so nobody waits for a batch to fill up, and a busy
/// server's throughput is the engine's. One thread of its own computes; in memory, therefore, many askers
/// cost no more than one. Refers to the model, which must outlive it and must not change meanwhile.
template <class Model>
class BatchingPredictor {
 public:
  static constexpr std::size_t input_size = Model::InputShape::size, output_size = Model::OutputShape::size;

  /// At most `most` samples are computed together.
  explicit BatchingPredictor(const Model& model, std::size_t most = 256)
      : predictor_(model), most_(checked(most)), inputs_(most * input_size), outputs_(most * output_size) {
    // What is computed together has no more parts than samples: its thread allocates none.
    parts_.reserve(most);
    thread_ = std::thread([this] { serve(); });
  }
  template <std::same_as<Model> Temporary>
  explicit BatchingPredictor(Temporary&& model, std::size_t most = 256)
      : BatchingPredictor(std::as_const(model), most) {
    static_assert(!std::same_as<Temporary, Model>,
                  "A BatchingPredictor refers to its model: give the model a name, so that it lives as long");
  }
  /// Answers what was asked before it returns; nobody may ask any more.
  ~BatchingPredictor() {
    {
      const std::scoped_lock lock(mutex_);
      stopping_ = true;
    }
    arrived_.notify_one();
    thread_.join();
  }
  BatchingPredictor(const BatchingPredictor&) = delete;
  BatchingPredictor& operator=(const BatchingPredictor&) = delete;

  /// Reads `count` samples of `input_size` floats each and writes `output_size` floats for each. Returns when
  /// they are written. Throws an Error if a value is NaN or infinite, for which nobody else's answer suffers.
  void predict(const float* samples, std::size_t count, float* result) {
    if (count == 0) return;
    Samples(samples, count, Model::InputShape::extents).check_finite();
    Question question{samples, result, count};
    std::unique_lock lock(mutex_);
    questions_.push_back(&question);
    if (!busy_) arrived_.notify_one();
    question.answered.wait(lock, [&] { return question.count == question.done; });
    if (question.error) std::rethrow_exception(question.error);
  }

  BatchingCounts counts() const {
    const std::scoped_lock lock(mutex_);
    return counts_;
  }

 private:
  static std::size_t checked(std::size_t most) {
    constexpr std::size_t limit = std::size_t{1} << 24;
    if (most == 0 || most > limit)
      fail("A BatchingPredictor computes 1 to " + std::to_string(limit) +
           " samples at a time, but `most` is " + std::to_string(most));
    return most;
  }

  struct Question {
    const float* samples;
    float* result;
    std::size_t count, taken = 0, done = 0;
    std::exception_ptr error{};
    std::condition_variable answered{};
  };
  // Samples of a question that are in the present batch.
  struct Part {
    Question* question;
    std::size_t first, count;
  };

  void serve() {
    std::unique_lock lock(mutex_);
    while (true) {
      arrived_.wait(lock, [&] { return stopping_ || !questions_.empty(); });
      if (questions_.empty()) return;
      busy_ = true;
      const std::size_t count = take();
      lock.unlock();
      std::exception_ptr error;
      try {
        compute(count);
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      busy_ = false;
      counts_.samples += count;
      ++counts_.batches;
      for (const Part& part : parts_) {
        if (error) part.question->error = error;
        part.question->done += part.count;
        // Under the lock: once it is given up, the question may be gone.
        if (part.question->done == part.question->count) part.question->answered.notify_one();
      }
    }
  }
  // Moves questions, or the first part of a large one, to `parts_`.
  std::size_t take() {
    parts_.clear();
    std::size_t count = 0;
    while (!questions_.empty() && count < most_) {
      Question& question = *questions_.front();
      const std::size_t part = std::min(question.count - question.taken, most_ - count);
      parts_.push_back({&question, question.taken, part});
      question.taken += part;
      count += part;
      if (question.taken == question.count) questions_.pop_front();
    }
    return count;
  }
  void compute(std::size_t count) {
    float* to = inputs_.data();
    for (const Part& part : parts_)
      to = std::copy_n(part.question->samples + part.first * input_size, part.count * input_size, to);
    predictor_.predict(Samples(inputs_.data(), count, Model::InputShape::extents), outputs_.data());
    const float* from = outputs_.data();
    for (const Part& part : parts_) {
      std::copy_n(from, part.count * output_size, part.question->result + part.first * output_size);
      from += part.count * output_size;
    }
  }

  Predictor<Model> predictor_;
  std::size_t most_;
  Arena<float> inputs_, outputs_;
  std::vector<Part> parts_{};
  mutable std::mutex mutex_{};
  std::condition_variable arrived_{};
  std::deque<Question*> questions_{};
  bool busy_ = false, stopping_ = false;
  BatchingCounts counts_{};
  std::thread thread_{};
};

}  // namespace digitnet
