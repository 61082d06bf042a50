// MNIST and Fashion-MNIST: read from this machine, or downloaded and verified.
#pragma once
#include <chrono>
#include <string>
#include <vector>

#include "digitnet/core/compiled.hpp"
#include "digitnet/core/dataset.hpp"
#include "digitnet/core/error.hpp"
#include "digitnet/data/download.hpp"

namespace digitnet {

/// Thrown when a dataset is neither on this machine nor to be had from the network.
class DatasetNotFound : public Error {
 public:
  using Error::Error;
};

}  // namespace digitnet

namespace digitnet::datasets {

/// Where to look for a dataset.
struct Source {
  /// The only folder to look into; empty: the usual places
  std::string directory{};
  /// URLs of folders, ending with "/", to use instead of the dataset's own
  std::vector<std::string> mirrors{};
  /// A folder to use instead of the user's cache
  std::string cache{};
  bool allow_download = true;
  /// Time limit for all files together
  std::chrono::milliseconds download_time = most_download_time;
};

/// MNIST: 60,000 and 10,000 handwritten digits, 28x28. LeCun, Cortes, Burges. Throws an Error if it can be
/// neither found nor fetched, or if the cache has another content by its SHA-256; where the environment or
/// the system has another one, a line on stderr says so.
DIGITNET_INLINE TrainTest mnist(const Source& source = {});

/// Fashion-MNIST: ten kinds of clothing in MNIST's shape. Xiao, Rasul, Vollgraf (2017). Debian has it as
/// dataset-fashion-mnist.
DIGITNET_INLINE TrainTest fashion_mnist(const Source& source = {});

/// What Fashion-MNIST's classes are.
DIGITNET_INLINE std::vector<std::string> fashion_mnist_names();

}  // namespace digitnet::datasets

#if DIGITNET_BODIES
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <mutex>
#include <optional>

#include "digitnet/data/idx.hpp"
#include "digitnet/data/sha256.hpp"

namespace digitnet::datasets {

namespace detail {

struct File {
  /// The file's name, without ".gz"
  const char* name;
  /// Checksum of the unpacked content
  const char* sha256;
};

/// A dataset in MNIST's four files.
struct Description {
  const char* name;
  /// Training images and labels, test images and labels
  File files[4];
  std::vector<std::string> mirrors;
  std::vector<std::string> system_folders;
};

inline std::string environment_path(const char* variable) {
  const char* const value = std::getenv(variable);
  return value ? value : "";
}

inline std::string user_cache() {
  if (const auto cache = environment_path("XDG_CACHE_HOME"); !cache.empty()) return cache + "/digitnet";
  if (const auto home = environment_path("HOME"); !home.empty()) return home + "/.cache/digitnet";
  return {};
}

/// The file in the folder, packed or not, also as "train-images.idx3-ubyte".
inline std::optional<std::string> file_in(const std::string& folder, const std::string& name) {
  std::string dotted = name;
  if (const std::size_t place = dotted.rfind("-idx"); place != std::string::npos) dotted[place] = '.';
  for (const std::string& spelled : {name, dotted})
    for (const char* const ending : {".gz", ""}) {
      std::string path = folder + "/" + spelled + ending;
      struct stat status {};
      if (::stat(path.c_str(), &status) == 0 && !S_ISDIR(status.st_mode)) return path;
    }
  return std::nullopt;
}

inline bool has_any(const std::string& folder, const Description& description) {
  for (const File& file : description.files)
    if (file_in(folder, file.name)) return true;
  return false;
}

inline Dataset load(const std::string& folder, const File& image_file, const File& label_file) {
  const auto path = [&](const File& file) {
    const auto found = file_in(folder, file.name);
    if (!found)
      fail(folder + " has no " + file.name + ".gz (nor " + file.name + "): the dataset needs all four files");
    return *found;
  };
  const auto pixels = read_idx<std::uint8_t, 3>(path(image_file));
  Labels labels = read_idx<std::uint8_t, 1>(path(label_file));
  if (pixels.shape()[0] != labels.size())
    fail(path(image_file) + " has " + std::to_string(pixels.shape()[0]) + " images, but " + path(label_file) +
         " has " + std::to_string(labels.size()) + " labels: they do not belong together");
  auto images = Images::from_shape({pixels.shape()[0], pixels.shape()[1], pixels.shape()[2], 1});
  std::copy(pixels.data(), pixels.data() + pixels.size(), images.data());
  return {std::move(images), std::move(labels)};
}

inline TrainTest load_all(const std::string& folder, const Description& description) {
  const auto& files = description.files;
  return {load(folder, files[0], files[1]), load(folder, files[2], files[3])};
}

/// Writes a line to stderr, but the same line once only.
inline void note_once(const std::string& line) {
  static std::mutex mutex;
  static std::vector<std::string> noted;
  const std::scoped_lock lock(mutex);
  if (std::find(noted.begin(), noted.end(), line) != noted.end()) return;
  noted.push_back(line);
  std::fprintf(stderr, "%s\n", line.c_str());
}

#if defined(DIGITNET_WITH_DOWNLOAD)
/// The SHA-256 of an IDX file of bytes: of its header and its elements, which are all that it holds.
inline Sha256 sha256_of_idx(std::initializer_list<std::size_t> extents, const std::uint8_t* elements) {
  Sha256Sum sum;
  const std::uint8_t magic[4] = {0, 0, 8, static_cast<std::uint8_t>(extents.size())};
  sum.add(magic, sizeof magic);
  std::size_t size = 1;
  for (const std::size_t extent : extents) {
    size *= extent;
    for (int shift = 24; shift >= 0; shift -= 8) {
      const auto byte = static_cast<std::uint8_t>(extent >> shift & 0xff);
      sum.add(&byte, 1);
    }
  }
  sum.add(elements, size);
  return sum.text();
}

/// What differs from the known files: a clause for the first that does; empty if none does.
inline std::string difference_from_known(const TrainTest& data, const std::string& folder,
                                         const Description& description) {
  const auto images = [](const Dataset& part) {
    const auto& shape = part.images.shape();
    return sha256_of_idx({shape[0], shape[1], shape[2]}, part.images.data());
  };
  const auto labels = [](const Dataset& part) {
    const std::vector<std::uint8_t> bytes(part.labels.begin(), part.labels.end());
    return sha256_of_idx({bytes.size()}, bytes.data());
  };
  const std::array<Sha256, 4> found{images(data.train), labels(data.train), images(data.test),
                                    labels(data.test)};
  for (std::size_t i = 0; i < found.size(); ++i)
    if (found[i] != description.files[i].sha256)
      return file_in(folder, description.files[i].name).value_or(folder) + " is not the file that " +
             description.name + " is known by: its content has SHA-256 " + found[i] + ", but " +
             description.files[i].sha256 + " was expected";
  return {};
}
#endif

/// As `load_all`; what is not the known content is noted on stderr, or refused where only this library
/// writes.
inline TrainTest load_known(const std::string& folder, const Description& description, bool is_cache) {
  TrainTest data = load_all(folder, description);
#if defined(DIGITNET_WITH_DOWNLOAD)
  const std::string difference = difference_from_known(data, folder, description);
  if (!difference.empty() && is_cache) fail(difference + ": remove it, and it will be fetched again");
  if (!difference.empty()) note_once(difference + "; it is used as it is");
#else
  static_cast<void>(is_cache);
  note_once("The files of " + std::string(description.name) + " in " + folder +
            " are not checked: this program was built without libcrypto");
#endif
  return data;
}

/// Looks in the given directory only, if there is one, and takes what it has; else in $DIGITNET_DATA/<name>
/// or $DIGITNET_DATA, the user's cache, and folders of the system; at last downloads into the cache.
inline TrainTest find(const Description& description, const Source& source, bool alone_in_environment) {
  if (!source.directory.empty()) {
    if (!has_any(source.directory, description))
      fail(source.directory + " has no " + description.files[0].name +
           ".gz: give the folder of the dataset's four files");
    return load_all(source.directory, description);
  }
  std::vector<std::string> folders;
  if (const auto data = environment_path("DIGITNET_DATA"); !data.empty()) {
    folders.push_back(data + "/" + description.name);
    // MNIST and Fashion-MNIST have the same file names: only MNIST may lie in the folder itself.
    if (alone_in_environment) folders.push_back(data);
  }
  const std::string parent = source.cache.empty() ? user_cache() : source.cache;
  const std::string cache = parent + "/" + description.name;
  folders.push_back(cache);
  folders.insert(folders.end(), description.system_folders.begin(), description.system_folders.end());
  for (const std::string& folder : folders)
    if (has_any(folder, description)) {
      bool complete = true;
      for (const File& file : description.files) complete = complete && file_in(folder, file.name);
      // What an interrupted download left in the cache is completed below.
      if (complete || folder != cache) return load_known(folder, description, folder == cache);
    }
  const std::string not_here = std::string(description.name) + " is not on this machine";
  const std::string cure = "; set DIGITNET_DATA to the folder of its four files";
  if (!source.allow_download) throw DatasetNotFound(not_here + cure);
  if (parent.empty()) throw DatasetNotFound(not_here + ", and there is no HOME to keep a download in" + cure);
  const auto end = std::chrono::steady_clock::now() + source.download_time;
  try {
    for (const File& file : description.files)
      if (!file_in(cache, file.name))
        download(source.mirrors.empty() ? description.mirrors : source.mirrors,
                 std::string(file.name) + ".gz", file.sha256, cache + "/" + file.name + ".gz",
                 std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()));
  } catch (const Error& error) {
    throw DatasetNotFound(not_here + ", and " + error.what() + cure);
  }
  return load_known(cache, description, true);
}

}  // namespace detail

DIGITNET_INLINE TrainTest mnist(const Source& source) {
  return detail::find(
      {.name = "mnist",
       .files =
           {{"train-images-idx3-ubyte", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"},
            {"train-labels-idx1-ubyte", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"},
            {"t10k-images-idx3-ubyte", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"},
            {"t10k-labels-idx1-ubyte", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"}},
       .mirrors = {"https://storage.googleapis.com/cvdf-datasets/mnist/",
                   "https://ossci-datasets.s3.amazonaws.com/mnist/"},
       .system_folders = {"/usr/share/datasets/mnist", "/usr/local/share/datasets/mnist"}},
      source, true);
}

DIGITNET_INLINE TrainTest fashion_mnist(const Source& source) {
  return detail::find(
      {.name = "fashion-mnist",
       .files =
           {{"train-images-idx3-ubyte", "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"},
            {"train-labels-idx1-ubyte", "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"},
            {"t10k-images-idx3-ubyte", "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"},
            {"t10k-labels-idx1-ubyte", "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"}},
       .mirrors = {"https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
                   "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"},
       .system_folders = {"/usr/share/datasets/fashion-mnist", "/usr/local/share/datasets/fashion-mnist"}},
      source, false);
}

DIGITNET_INLINE std::vector<std::string> fashion_mnist_names() {
  return {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
          "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};
}

}  // namespace digitnet::datasets
#endif
