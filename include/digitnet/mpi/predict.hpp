// Prediction on several processes: each answers its share of the samples.
#pragma once
#include <array>
#include <cstddef>
#include <vector>

#include "digitnet/core/samples.hpp"
#include "digitnet/core/tensor.hpp"
#include "digitnet/mpi/communicator.hpp"

namespace digitnet::mpi {

/// The model's outputs (samples, outputs) for samples that every rank has, with equal models; every rank gets
/// all of them, the same bits as from model.predict. `model` is a Sequential or has its `predict(samples,
/// float*)`.
template <class Model>
Matrix predict(digitnet::Communicator& communicator, const Model& model, const Samples& samples) {
  constexpr std::size_t outputs = Model::OutputShape::size;
  Matrix result(std::array<std::size_t, 2>{samples.count(), outputs});
  std::vector<std::size_t> begins;
  const auto begin = [&](std::size_t rank) {
    return digitnet::detail::share_begin(rank, communicator.size(), samples.count());
  };
  for (std::size_t rank = 0; rank <= communicator.size(); ++rank)
    begins.push_back(begin(rank) * outputs * sizeof(float));
  const std::size_t first = begin(communicator.rank()), count = begin(communicator.rank() + 1) - first;
  if (count > 0) model.predict(samples.part(first, count), result.data() + first * outputs);
  communicator.all_gather(reinterpret_cast<std::byte*>(result.data()), begins);
  return result;
}

}  // namespace digitnet::mpi
