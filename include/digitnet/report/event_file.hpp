// Event files, which TensorBoard shows: scalars, histograms and pictures, each with a tag and a step.
#pragma once
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "digitnet/core/crc32c.hpp"
#include "digitnet/core/error.hpp"

namespace digitnet {

namespace detail {

/// Appends the fields of a protobuf message (protobuf.dev/programming-guides/encoding).
class Message {
 public:
  Message& varint(int field, std::uint64_t value) { return key(field, 0).raw_varint(value); }
  Message& real(int field, double value) { return key(field, 1).fixed(value); }
  Message& single(int field, float value) { return key(field, 5).fixed(value); }
  Message& text(int field, std::string_view bytes) {
    key(field, 2).raw_varint(bytes.size());
    bytes_ += bytes;
    return *this;
  }
  Message& reals(int field, const std::vector<double>& values) {
    key(field, 2).raw_varint(8 * values.size());
    for (const double value : values) fixed(value);
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

  template <class T>
  Message& fixed(T value) {
    static_assert(std::endian::native == std::endian::little, "the bytes of numbers are little-endian");
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }

 private:
  Message& key(int field, unsigned kind) { return raw_varint(static_cast<std::uint64_t>(field) << 3 | kind); }
  Message& raw_varint(std::uint64_t value) {
    for (; value >= 128; value >>= 7) bytes_ += static_cast<char>(value | 128);
    bytes_ += static_cast<char>(value);
    return *this;
  }

  std::string bytes_;
};

}  // namespace detail

/// A file of events in a folder, which is made if it is not there. Records are framed as in TFRecord files
/// (length, its checksum, data, its checksum), so a reader can follow while the file grows. Every call writes
/// one record at once; failures throw an Error.
class EventFile {
 public:
  explicit EventFile(const std::string& folder) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    const double now = seconds();
    char host[256] = "localhost";
    ::gethostname(host, sizeof host - 1);
    // Files sort by the second they began in; a number keeps apart those of one second.
    for (int number = 0; descriptor_ < 0 && number < 1000; ++number) {
      std::string second = std::to_string(static_cast<long long>(now));
      second.insert(0, 10 - std::min<std::size_t>(10, second.size()), '0');
      path_ = folder + "/events.out.tfevents." + second + "." + host + "." + std::to_string(::getpid()) +
              "." + std::to_string(number);
      descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
      if (descriptor_ < 0 && errno != EEXIST) break;
    }
    if (descriptor_ < 0) fail(path_ + " cannot be written: " + std::strerror(errno));
    write(detail::Message().real(1, now).text(3, "brain.Event:2"));
  }
  /// Goes on with a file of an earlier process, from where it had so many bytes. Nothing if it is not there,
  /// or has fewer.
  static std::optional<EventFile> reopen(const std::string& path, std::uint64_t size) {
    EventFile file;
    file.path_ = path;
    file.descriptor_ = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK);
    struct ::stat status {};
    if (file.descriptor_ < 0 || ::fstat(file.descriptor_, &status) != 0 || !S_ISREG(status.st_mode) ||
        static_cast<std::uint64_t>(status.st_size) < size ||
        ::ftruncate(file.descriptor_, static_cast<::off_t>(size)) != 0)
      return std::nullopt;
    return file;
  }
  ~EventFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  EventFile(EventFile&& other) noexcept
      : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}
  EventFile& operator=(EventFile&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }

  const std::string& path() const { return path_; }
  std::uint64_t size() const { return static_cast<std::uint64_t>(::lseek(descriptor_, 0, SEEK_END)); }

  void add_scalar(std::string_view tag, std::int64_t step, double value) {
    detail::Message summary;
    summary.text(1, tag).single(2, static_cast<float>(value));
    write_summary(step, summary);
  }

  /// The distribution of finite values, in thirty bins of equal width.
  void add_histogram(std::string_view tag, std::int64_t step, std::span<const float> values) {
    double low = std::numeric_limits<double>::infinity(), high = -low, sum = 0, squares = 0, count = 0;
    for (const float value : values) {
      if (!std::isfinite(value)) continue;
      low = std::min(low, double{value});
      high = std::max(high, double{value});
      sum += double{value};
      squares += double{value} * double{value};
      ++count;
    }
    if (count == 0) return;
    constexpr std::size_t bins = 30;
    std::vector<double> ends(bins), counts(bins);
    const double width = high > low ? (high - low) / bins : 1.0;
    for (std::size_t i = 0; i < bins; ++i) ends[i] = low + width * static_cast<double>(i + 1);
    for (const float value : values)
      if (std::isfinite(value))
        ++counts[std::min(bins - 1, static_cast<std::size_t>((double{value} - low) / width))];
    detail::Message histogram, summary;
    histogram.real(1, low).real(2, high).real(3, count).real(4, sum).real(5, squares);
    histogram.reals(6, ends).reals(7, counts);
    summary.text(1, tag).text(5, histogram.bytes());
    write_summary(step, summary);
  }

  /// A picture as the bytes of a PNG file.
  void add_image(std::string_view tag, std::int64_t step, std::size_t width, std::size_t height,
                 std::string_view png) {
    constexpr std::uint64_t rgb = 3;
    detail::Message image, summary;
    image.varint(1, height).varint(2, width).varint(3, rgb).text(4, png);
    summary.text(1, tag).text(4, image.bytes());
    write_summary(step, summary);
  }

 private:
  EventFile() = default;
  static double seconds() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  }
  void write_summary(std::int64_t step, const detail::Message& value) {
    detail::Message summary, event;
    summary.text(1, value.bytes());
    write(event.real(1, seconds()).varint(2, static_cast<std::uint64_t>(step)).text(5, summary.bytes()));
  }
  // Checksums are masked, so that one over data that contains checksums stays a good one.
  static std::uint32_t masked(std::string_view bytes) {
    const std::uint32_t crc = crc32c(bytes);
    return std::rotr(crc, 15) + 0xA282EAD8u;
  }
  void write(const detail::Message& event) {
    const std::string& data = event.bytes();
    detail::Message record;
    record.fixed(std::uint64_t{data.size()});
    record.fixed(masked(record.bytes()));
    std::string bytes = record.bytes() + data;
    bytes += detail::Message().fixed(masked(data)).bytes();
    const ::off_t end = ::lseek(descriptor_, 0, SEEK_END);
    for (std::size_t done = 0; done < bytes.size();) {
      const ::ssize_t written = ::write(descriptor_, bytes.data() + done, bytes.size() - done);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) {
        const std::string reason = std::strerror(errno);
        // No part of a record stays.
        if (::ftruncate(descriptor_, end) != 0) { /* the reader skips what has no good checksum */
        }
        fail(path_ + " cannot be written: " + reason);
      }
      done += static_cast<std::size_t>(written);
    }
  }

  std::string path_;
  int descriptor_ = -1;
};

}  // namespace digitnet
