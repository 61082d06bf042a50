// What the programs that call oneDNN's primitives share.
#pragma once
#include <cstring>
#include <oneapi/dnnl/dnnl.hpp>

using dnnl::memory;
using Dims = memory::dims;
using Description = memory::desc;
using Tag = memory::format_tag;
using Type = memory::data_type;

inline const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}
inline memory zeros(const Description& description) {
  const memory m(description, engine());
  std::memset(m.get_data_handle(), 0, description.get_size());
  return m;
}
