// digitnet's part in the contest: the deep networks.
#include <digitnet/model/precision.hpp>

#include "contender.hpp"
#include "nets.hpp"

namespace contest {

std::unique_ptr<contest::Network> deep_network(const Task& task) {
  if (task.network == 'D') return std::make_unique<Contender<D, Adam>>(task);
  if (task.network == 'E') return std::make_unique<Contender<E, Adam>>(task);
  if (task.network == 'F') return std::make_unique<Contender<F, Adam>>(task);
  if (task.network == 'G') return std::make_unique<Contender<G, Adam>>(task);
  return std::make_unique<Contender<WithPrecision<E, Precision::bfloat16>, Adam>>(task);
}

}  // namespace contest
