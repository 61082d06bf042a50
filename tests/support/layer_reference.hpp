// A layer in single precision against the numbers of another library.
#pragma once
#include <digitnet/testing/gradient_check.hpp>

#include "reference/torch.hpp"
#include "support/support.hpp"

namespace support {

using namespace digitnet;
using Values = std::vector<double>;

template <class T>
void put(const Values& from, T* to) {
  for (std::size_t i = 0; i < from.size(); ++i) to[i] = static_cast<T>(from[i]);
}
template <class T>
std::vector<T> taken(T* from, std::size_t count) {
  return {from, from + count};
}

template <class In, class Layer>
std::vector<float> layer_forward(const Layer& layer, const Values& x, std::size_t samples) {
  testing::detail::Bench<Layer, In, float> bench{.layer = layer, .samples = samples};
  put(x, bench.x.data());
  bench.forward(RandomKey{});
  return taken(bench.y.data(), bench.y.size());
}

// A layer whose parameters, all of one list after the other without padding, are `parameters`; those that are
// not trained keep what they have.
template <class In, class Layer>
void check_layer(const Layer& layer, const Values& x, const Values& parameters, const Values& y,
                 const Values& dy, const Values& dx, const Values& gradients) {
  const std::size_t samples = x.size() / In::size;
  testing::detail::Bench<Layer, In, float> bench{.layer = layer, .samples = samples};
  std::vector<std::size_t> places;
  const auto use = [&](std::size_t offset, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) places.push_back(offset + i);
  };
  bench.parameters.fill(0);
  for (const ParameterInfo& info : detail::parameters_of<In>(layer))
    if (info.trainable) use(info.offset, info.size());
  REQUIRE(places.size() == parameters.size());
  for (std::size_t i = 0; i < places.size(); ++i)
    bench.parameters.data()[places[i]] = static_cast<float>(parameters[i]);
  put(x, bench.x.data());
  bench.forward(RandomKey{});
  support::check_close(taken(bench.y.data(), bench.y.size()), y, 4e-6);
  put(dy, bench.dy.data());
  bench.gradients.fill(0);
  bench.backward();
  support::check_close(taken(bench.dx.data(), bench.dx.size()), dx, 4e-6);
  std::vector<float> found;
  for (const std::size_t place : places) found.push_back(bench.gradients.data()[place]);
  found.resize(gradients.size());
  support::check_close(found, gradients, 1e-5);
}

inline Values joined(Values a, const Values& b, const Values& c = {}) {
  a.insert(a.end(), b.begin(), b.end());
  a.insert(a.end(), c.begin(), c.end());
  return a;
}

}  // namespace support
