// Labelled images, and a training set with its test set.
#pragma once
#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <string>

#include "digitnet/core/error.hpp"
#include "digitnet/core/tensor.hpp"

namespace digitnet {

/// Images (n, height, width, channels) as bytes, and the class of each (n).
struct Dataset {
  Images images;
  Labels labels;

  std::size_t size() const { return labels.size(); }

  /// The samples [first, first + count), copied. Throws an Error if there are not as many.
  Dataset slice(std::size_t first, std::size_t count) const {
    auto extents = images.shape();
    if (extents[0] != size())
      fail("The dataset has " + std::to_string(extents[0]) + " images but " + std::to_string(size()) +
           " labels: every image needs one");
    if (first > size() || count > size() - first)
      fail(std::to_string(count) + " samples from number " + std::to_string(first) +
           " on were asked for, but the dataset has " + std::to_string(size()) + ": ask for fewer");
    const std::size_t pixels = extents[1] * extents[2] * extents[3];
    extents[0] = count;
    Dataset part{Images::from_shape(extents), Labels::from_shape({count})};
    std::copy_n(images.data() + first * pixels, count * pixels, part.images.data());
    std::copy_n(labels.data() + first, count, part.labels.data());
    return part;
  }
};

/// What a dataset function returns: `const auto [train, test] = datasets::mnist();`
struct TrainTest {
  Dataset train;
  Dataset test;
};

/// The same as data.slice(first, count); beside `using namespace std`, std::slice is in its way.
inline Dataset slice(const Dataset& data, std::size_t first, std::size_t count) {
  return data.slice(first, count);
}

/// The samples of several datasets, one after the other. All images must be of one size.
inline Dataset joined(std::initializer_list<const Dataset*> parts) {
  std::size_t count = 0;
  for (const Dataset* part : parts) count += part->size();
  if (count == 0) fail("There is nothing to join: the datasets have no samples");
  auto extents = (*parts.begin())->images.shape();
  Dataset all{{}, Labels::from_shape({count})};
  extents[0] = count;
  all.images = Images::from_shape(extents);
  std::size_t images = 0, labels = 0;
  for (const Dataset* part : parts) {
    const auto& shape = part->images.shape();
    if (!std::equal(shape.begin() + 1, shape.end(), extents.begin() + 1))
      fail("Only datasets whose images are of one size can be joined, but these have " +
           std::to_string(extents[1]) + " x " + std::to_string(extents[2]) + " x " +
           std::to_string(extents[3]) + " and " + std::to_string(shape[1]) + " x " +
           std::to_string(shape[2]) + " x " + std::to_string(shape[3]) + " values");
    std::copy(part->images.begin(), part->images.end(), all.images.data() + images);
    std::copy(part->labels.begin(), part->labels.end(), all.labels.data() + labels);
    images += part->images.size();
    labels += part->size();
  }
  return all;
}

}  // namespace digitnet
