#include "corrections.hpp"

#include <algorithm>
#include <digitnet/core/error.hpp>
#include <digitnet/data/idx.hpp>
#include <filesystem>

namespace draw {

using namespace digitnet;

namespace {

constexpr std::size_t image_size = 28 * 28;

// `first` and then `second`, whose images have one size.
Dataset joined(const Dataset& first, const Dataset& second, std::size_t times) {
  const std::size_t count = first.size() + times * second.size();
  Dataset all{Images::from_shape({count, 28, 28, 1}), Labels::from_shape({count})};
  std::uint8_t* image = std::copy_n(first.images.data(), first.size() * image_size, all.images.data());
  auto label = std::copy_n(first.labels.data(), first.size(), all.labels.data());
  for (std::size_t i = 0; i < times; ++i) {
    image = std::copy_n(second.images.data(), second.size() * image_size, image);
    label = std::copy_n(second.labels.data(), second.size(), label);
  }
  return all;
}

// The folder, which is there then.
const std::string& made(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fail(folder + " cannot be made a folder for corrections: " + error.message());
  return folder;
}

}  // namespace

Corrections::Corrections(const std::string& folder)
    : lock_(made(folder) + "/corrections.lock", "The folder of corrections " + folder),
      images_path_(folder + "/images.idx3-ubyte"),
      labels_path_(folder + "/labels.idx1-ubyte") {
  data_ = {Images::from_shape({0, 28, 28, 1}), Labels::from_shape({0})};
  if (!std::filesystem::exists(images_path_) && !std::filesystem::exists(labels_path_)) {
    store(data_);
    return;
  }
  const auto images = read_idx<std::uint8_t, 3>(images_path_);
  // The process may have ended between its very first two files.
  const auto labels = std::filesystem::exists(labels_path_) ? read_idx<std::uint8_t, 1>(labels_path_)
                                                            : xt::xtensor<std::uint8_t, 1>::from_shape({0});
  if (images.shape()[1] != 28 || images.shape()[2] != 28)
    fail(images_path_ + " has images of " + std::to_string(images.shape()[1]) + " x " +
         std::to_string(images.shape()[2]) + ", but corrections are 28 x 28: choose another folder");
  if (images.shape()[0] < labels.size())
    fail(images_path_ + " has " + std::to_string(images.shape()[0]) + " images, but " + labels_path_ + " " +
         std::to_string(labels.size()) + " labels: they do not belong together");
  for (const std::uint8_t label : labels)
    if (label > 9) fail(labels_path_ + " has the label " + std::to_string(label) + ", which is no digit");
  data_ = {Images::from_shape({labels.size(), 28, 28, 1}), Labels(labels)};
  std::copy_n(images.data(), labels.size() * image_size, data_.images.data());
}

void Corrections::store(const Dataset& data) const {
  auto images = xt::xtensor<std::uint8_t, 3>::from_shape({data.size(), 28, 28});
  std::copy_n(data.images.data(), data.size() * image_size, images.data());
  write_idx(images_path_, images);
  write_idx(labels_path_, data.labels);
}

std::size_t Corrections::add(const std::array<std::uint8_t, image_size>& image, std::uint8_t label) {
  Dataset one{Images::from_shape({1, 28, 28, 1}), Labels::from_shape({1})};
  std::copy(image.begin(), image.end(), one.images.data());
  one.labels(0) = label;
  const std::scoped_lock lock(mutex_);
  if (data_.size() >= most)
    fail("There are " + std::to_string(most) +
         " corrections already: train with --finetune, and begin another folder");
  Dataset all = joined(data_, one, 1);
  store(all);
  data_ = std::move(all);
  return data_.size();
}

Dataset Corrections::data() const {
  const std::scoped_lock lock(mutex_);
  return data_;
}
std::size_t Corrections::size() const {
  const std::scoped_lock lock(mutex_);
  return data_.size();
}

Dataset with_corrections(const Dataset& train, const Dataset& corrections) {
  if (corrections.size() == 0)
    fail("There are no corrections to train on: tell the page what was meant first");
  const std::size_t times = std::clamp<std::size_t>(train.size() / 20 / corrections.size(), 1, 50);
  return joined(train, corrections, times);
}

}  // namespace draw
