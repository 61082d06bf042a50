// The outline of a model: its chains and branches as data, which says what each layer is called, where its
// parameters lie and what it reads.
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "digitnet/core/compiled.hpp"
#include "digitnet/layers/layer.hpp"

namespace digitnet {

/// The name of a branch: a class name, which is numbered among the branches ("conv2d_1"), or one that stays
/// as it is; an empty one adds nothing to the names inside.
struct BranchName {
  std::string_view text;
  bool numbered;
};

namespace detail {

/// One line of an outline. Chains and branchings open and close; between stand their parts, in order. The
/// node after a branching's last part is its merge. A branch that is its input has no node.
struct Entry {
  enum Kind : unsigned char { chain, branching, node, pass, close };
  Kind kind;
  bool numbered;
  std::string_view name;
  /// Of what opens: the entry that closes it. Of a node: its number.
  std::size_t at;
};

/// A layer or merge. Value 0 is the input of all, value i + 1 the result of node i.
struct NodePlace {
  std::size_t first_input, input_count;
  /// Elements of the arena before its parameters.
  std::size_t parameters;
};

/// A model as it was written. Entries, nodes and inputs are constants of its type.
struct Outline {
  std::span<const Entry> entries;
  std::span<const NodePlace> nodes;
  std::span<const std::size_t> all_inputs;

  std::span<const std::size_t> inputs(std::size_t node) const {
    return all_inputs.subspan(nodes[node].first_input, nodes[node].input_count);
  }
};

/// Keras' names for layers in order: "conv2d", "conv2d_1", ...
class LayerNames {
 public:
  std::string next(std::string_view class_name);

 private:
  // Of each name, how often it was given.
  std::vector<std::pair<std::string, std::size_t>> used_;
};

/// The name of each node: "conv2d_1", in a chain or branching "residual_1/conv2d_1".
DIGITNET_INLINE std::vector<std::string> names_of(const Outline& outline);

/// The order in which backward runs the nodes: chains from their end; of a branching the merge, then branches
/// that are their input under another shape, then the others. So the gradients of branches always meet in one
/// order.
DIGITNET_INLINE void backward_order(const Outline& outline, std::span<const LayerTraits* const> traits,
                                    std::size_t open, std::vector<std::size_t>& to);

}  // namespace detail

}  // namespace digitnet

#if DIGITNET_BODIES
namespace digitnet::detail {

DIGITNET_INLINE std::string LayerNames::next(std::string_view class_name) {
  std::string name = snake_case(class_name);
  for (auto& [known, times] : used_)
    if (known == name) return name + "_" + std::to_string(times++);
  used_.emplace_back(name, 1);
  return name;
}

DIGITNET_INLINE std::vector<std::string> names_of(const Outline& outline) {
  struct Scope {
    std::string prefix;
    LayerNames names;
  };
  std::vector<std::string> result(outline.nodes.size());
  std::vector<Scope> scopes;
  for (const Entry& entry : outline.entries) {
    if (entry.kind == Entry::close) {
      scopes.pop_back();
      continue;
    }
    std::string name;
    if (!scopes.empty()) {
      name = entry.numbered ? scopes.back().names.next(entry.name) : std::string(entry.name);
      name = scopes.back().prefix + name;
    }
    if (entry.kind == Entry::node)
      result[entry.at] = name;
    else if (entry.kind != Entry::pass)
      scopes.push_back({name.empty() || name.back() == '/' ? name : name + "/", {}});
  }
  return result;
}

DIGITNET_INLINE void backward_order(const Outline& outline, std::span<const LayerTraits* const> traits,
                                    std::size_t open, std::vector<std::size_t>& to) {
  const auto run = [&](std::size_t entry) {
    const Entry& here = outline.entries[entry];
    if (here.kind == Entry::node)
      to.push_back(here.at);
    else if (here.kind != Entry::pass)
      backward_order(outline, traits, entry, to);
  };
  std::vector<std::size_t> parts;
  for (std::size_t i = open + 1; i < outline.entries[open].at; ++i) {
    parts.push_back(i);
    if (outline.entries[i].kind == Entry::chain || outline.entries[i].kind == Entry::branching)
      i = outline.entries[i].at;
  }
  if (outline.entries[open].kind == Entry::chain) {
    for (std::size_t i = parts.size(); i > 0; --i) run(parts[i - 1]);
    return;
  }
  run(parts.back());
  parts.pop_back();
  const auto is_view = [&](std::size_t entry) {
    const Entry& here = outline.entries[entry];
    return here.kind == Entry::node && traits[here.at]->is_view;
  };
  for (const std::size_t part : parts)
    if (is_view(part)) run(part);
  for (const std::size_t part : parts)
    if (!is_view(part)) run(part);
}

}  // namespace digitnet::detail
#endif
