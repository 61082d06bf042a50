// Of several processes that train together, rank 0 is the leader: it alone runs the loop of the training,
// with callbacks, files and progress, and tells the others, before it computes, what to compute with it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/core/compiled.hpp"
#include "digitnet/core/crc32c.hpp"
#include "digitnet/train/message.hpp"
#include "digitnet/train/rank_agreement.hpp"
#include "digitnet/train/sample_parts.hpp"
#include "digitnet/train/trainable_model.hpp"

namespace digitnet::detail {

/// What the leader tells the others to do.
enum class Order : std::uint32_t {
  accumulate,
  step,
  move_statistics,
  evaluate,
  copy_slots,
  restore_slots,
  take_parameters,
  take_weights,
  begin_stream,
  take_part,
  compare_parameters,
  /// The call is over; the training's counts and what the call returns follow.
  end,
  /// The leader threw an Error, which follows: everybody throws it.
  fail
};

/// The model that the leader's loop trains: its own, in step with everybody's. Refers to both arguments.
class Leader final : public TrainableModel {
 public:
  Leader(TrainableModel& own, Communicator& communicator) : own_(own), communicator_(communicator) {}

  /// The data that batches will be of; all ranks have the same under these numbers.
  std::vector<DataView> views;

  const TrainableFacts& facts() const override { return own_.facts(); }
  BatchResult accumulate(const Batch& batch, RandomKey key, std::size_t step_samples) override;
  double step(std::uint64_t step, float rate) override;
  void move_statistics() override;
  BatchResult evaluate(const Batch& batch) override;
  double penalty() const override { return own_.penalty(); }
  void end_epoch() override;
  /// Somebody may change them: the others get them, before anything else, if so.
  std::span<float> parameters() override;
  ModelDescription description() const override { return own_.description(); }
  LearningRate& learning_rate() override { return own_.learning_rate(); }
  Arena<float> copy_of_slots() const override;
  void restore_slots(Arena<float> slots) override;
  std::span<double> optimizer_numbers() override { return own_.optimizer_numbers(); }

  /// Before the first order of a `fit`.
  void forget_weights() { weights_ = nullptr; }
  /// All begin an epoch of their stream, of which a step takes so many samples.
  void begin_stream(std::size_t step_samples, RandomKey key, bool shuffle, std::size_t first_part);
  /// All take the next part of their stream, which becomes view 0. Throws a SharedError, before anything
  /// changed, unless it is the same everywhere.
  void take_part(const DataView& part);
  /// The others go on behind their call.
  void end(Message result);
  void fail(const std::string& sentence) const;

 private:
  void put_batch(Message& message, const Batch& batch);
  void send(Order order, Message message = {}) const;
  void send_parameters();
  std::uint32_t checksum() const { return Crc32c().add(own_.parameters()).value(); }

  TrainableModel& own_;
  Communicator& communicator_;
  // Whether somebody has looked at the parameters since the last order, and how they were then.
  bool looked_at_ = false;
  std::uint32_t checksum_ = 0;
  // Those that the others have.
  const float* weights_ = nullptr;
};

/// The leader's part of a stream: the others read theirs in step with it.
class LeaderParts final : public SampleParts {
 public:
  LeaderParts(SampleStream& stream, const Training& training, const char* what, Leader& leader)
      : SampleParts(stream, training, what), leader_(leader) {}
  void begin_epoch(RandomKey key, bool shuffle, std::size_t first_part) override {
    leader_.begin_stream(step_samples(), key, shuffle, first_part);
    SampleParts::begin_epoch(key, shuffle, first_part);
  }
  DataView next() override {
    DataView part = SampleParts::next();
    leader_.take_part(part);
    return part;
  }

 private:
  Leader& leader_;
};

/// What all ranks do alike: a call of their own that throws ends all, for the others wait in the middle of
/// it.
template <class Call>
decltype(auto) together(Communicator& communicator, const Call& call) {
  try {
    return call();
  } catch (const std::exception& error) {
    communicator.abort(error.what());
    throw;
  }
}

/// Throws nothing: a rank whose parameters are not rank 0's ends all.
DIGITNET_INLINE void compare_parameters(Communicator& communicator, std::span<const float> parameters);

}  // namespace digitnet::detail

#if DIGITNET_BODIES
#include "digitnet/train/training_setup.hpp"

namespace digitnet::detail {

DIGITNET_INLINE BatchResult Leader::accumulate(const Batch& batch, RandomKey key, std::size_t step_samples) {
  send_parameters();
  if (batch.weights.data() != weights_) {
    Message message;
    message.put_array(batch.weights);
    send(Order::take_weights, std::move(message));
    weights_ = batch.weights.data();
  }
  Message message;
  put_batch(message, batch);
  message.put(batch.transforming);
  message.put(key);
  message.put(std::uint64_t{step_samples});
  send(Order::accumulate, std::move(message));
  return together(communicator_, [&] { return own_.accumulate(batch, key, step_samples); });
}

DIGITNET_INLINE double Leader::step(std::uint64_t step, float rate) {
  Message message;
  message.put(step);
  message.put(rate);
  message.put_array(std::span<const double>(own_.optimizer_numbers()));
  send(Order::step, std::move(message));
  return together(communicator_, [&] { return own_.step(step, rate); });
}

DIGITNET_INLINE void Leader::move_statistics() {
  send(Order::move_statistics);
  together(communicator_, [&] { own_.move_statistics(); });
}

DIGITNET_INLINE BatchResult Leader::evaluate(const Batch& batch) {
  send_parameters();
  Message message;
  put_batch(message, batch);
  send(Order::evaluate, std::move(message));
  return together(communicator_, [&] { return own_.evaluate(batch); });
}

DIGITNET_INLINE void Leader::end_epoch() {
  send_parameters();
  send(Order::compare_parameters);
  compare_parameters(communicator_, own_.parameters());
}

DIGITNET_INLINE std::span<float> Leader::parameters() {
  if (!looked_at_) checksum_ = checksum();
  looked_at_ = true;
  return own_.parameters();
}

DIGITNET_INLINE Arena<float> Leader::copy_of_slots() const {
  send(Order::copy_slots);
  return together(communicator_, [&] { return own_.copy_of_slots(); });
}

DIGITNET_INLINE void Leader::restore_slots(Arena<float> slots) {
  Message message;
  message.put_array(std::span<const float>(slots.span()));
  send(Order::restore_slots, std::move(message));
  own_.restore_slots(std::move(slots));
}

DIGITNET_INLINE void Leader::begin_stream(std::size_t step_samples, RandomKey key, bool shuffle,
                                          std::size_t first_part) {
  Message message;
  message.put(std::uint64_t{step_samples});
  message.put(key);
  message.put(shuffle);
  message.put(std::uint64_t{first_part});
  send(Order::begin_stream, std::move(message));
}

DIGITNET_INLINE void Leader::take_part(const DataView& part) {
  views.at(0) = part;
  forget_weights();
  send(Order::take_part);
  agree(communicator_, "the next part of a stream", {{"data", data_text(part)}});
}

DIGITNET_INLINE void Leader::end(Message result) {
  send_parameters();
  send(Order::end, std::move(result));
}

DIGITNET_INLINE void Leader::fail(const std::string& sentence) const {
  Message message;
  message.put_text(sentence);
  send(Order::fail, std::move(message));
}

DIGITNET_INLINE void Leader::put_batch(Message& message, const Batch& batch) {
  // The validation set, where it has the same samples as the data, is meant by its own name.
  std::uint64_t view = views.size() - 1;
  while (view > 0 && views[view].samples.memory().data() != batch.data.samples.memory().data()) --view;
  message.put(view);
  message.put_array(batch.indices);
}

DIGITNET_INLINE void Leader::send(Order order, Message message) const {
  Message with_order;
  with_order.put(order);
  with_order.put_message(message);
  with_order.broadcast(communicator_);
}

DIGITNET_INLINE void Leader::send_parameters() {
  if (!std::exchange(looked_at_, false) || checksum() == checksum_) return;
  Message message;
  message.put_array(std::span<const float>(own_.parameters()));
  send(Order::take_parameters, std::move(message));
}

DIGITNET_INLINE void compare_parameters(Communicator& communicator, std::span<const float> parameters) {
  std::vector<std::uint64_t> sums(communicator.size());
  sums[communicator.rank()] = Crc32c().add(parameters).value();
  std::vector<std::size_t> places;
  for (std::size_t rank = 0; rank <= sums.size(); ++rank) places.push_back(rank * sizeof(std::uint64_t));
  communicator.all_gather(reinterpret_cast<std::byte*>(sums.data()), places);
  for (std::size_t rank = 1; rank < sums.size(); ++rank)
    if (sums[rank] != sums[0])
      communicator.abort(
          "the parameters of rank " + std::to_string(rank) +
          " are not rank 0's any more: only callbacks and calls of all ranks may change them, and "
          "all machines must have the same processor, program and libraries");
}

}  // namespace digitnet::detail
#endif
