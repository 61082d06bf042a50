// digitnet's part in the contest: the small networks, and the program.
#include <digitnet/model/precision.hpp>

#include "contender.hpp"
#include "nets.hpp"

namespace contest {

namespace {

template <class Model>
using Mixed = WithPrecision<Model, Precision::bfloat16>;

std::unique_ptr<contest::Network> make(const Task& task) {
  if (task.network == 'A') return std::make_unique<Contender<A, SGD>>(task);
  if (task.network == 'B') return std::make_unique<Contender<B, Adam>>(task);
  if (task.network == 'C') return std::make_unique<Contender<C, Adam>>(task);
  if (task.network == 'a') return std::make_unique<Contender<Mixed<A>, SGD>>(task);
  if (task.network == 'b') return std::make_unique<Contender<Mixed<B>, Adam>>(task);
  return deep_network(task);
}

}  // namespace

}  // namespace contest

int main(int argc, char** argv) { return contest::run(argc, argv, contest::make, "ABCDEFGabe", "ABCDEFGab"); }
