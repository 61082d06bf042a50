// Downloads a file and keeps it only if its checksum is right. Needs libcurl and libcrypto; where they are
// missing (DIGITNET_WITH_DOWNLOAD not defined), an error says so.
#pragma once
#include <chrono>
#include <string>
#include <vector>

#include "digitnet/core/compiled.hpp"
#include "digitnet/core/language.hpp"

namespace digitnet {

/// How long all of a download may take.
inline constexpr std::chrono::milliseconds most_download_time = std::chrono::minutes(10);

#if defined(DIGITNET_WITH_DOWNLOAD)
inline constexpr bool can_download = true;
#else
inline constexpr bool can_download = false;
#endif

/// Fetches a gzip file from the first mirror whose content, unpacked, has this SHA-256, and writes it to
/// `path`. Nothing else is ever written. `mirrors` are URLs of folders, ending with "/". Each mirror gets an
/// equal part of the time that is left. Throws an Error that says what each did.
DIGITNET_INLINE void download(const std::vector<std::string>& mirrors, const std::string& file_name,
                              const std::string& wanted, const std::string& path,
                              std::chrono::milliseconds time = most_download_time);

}  // namespace digitnet

#if DIGITNET_BODIES
#include "digitnet/core/error.hpp"
#if defined(DIGITNET_WITH_DOWNLOAD)
#include <curl/curl.h>
#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <memory>

#include "digitnet/core/atomic_file.hpp"
#include "digitnet/data/sha256.hpp"

namespace digitnet {

namespace detail {

/// The gzip data unpacked. Throws an Error if it is damaged or more than `most` bytes.
inline std::vector<unsigned char> unpacked(std::vector<unsigned char>& packed, std::size_t most) {
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 16) != Z_OK) fail("zlib has no memory");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, inflateEnd);
  std::vector<unsigned char> result;
  std::vector<unsigned char> piece(1 << 16);
  stream.next_in = packed.data();
  stream.avail_in = static_cast<uInt>(packed.size());
  int code = Z_OK;
  while (code == Z_OK) {
    stream.next_out = piece.data();
    stream.avail_out = static_cast<uInt>(piece.size());
    code = inflate(&stream, Z_NO_FLUSH);
    result.insert(result.end(), piece.data(), piece.data() + (piece.size() - stream.avail_out));
    if (result.size() > most) fail("unpacks to more than " + std::to_string(most) + " bytes");
    if (code == Z_OK && stream.avail_in == 0 && stream.avail_out > 0) break;
  }
  if (code != Z_STREAM_END) fail("is damaged or incomplete gzip data");
  return result;
}

inline Sha256 sha256(const std::vector<unsigned char>& bytes) {
  Sha256Sum sum;
  sum.add(bytes.data(), bytes.size());
  return sum.text();
}

/// The body of a URL's answer, at most `most` bytes. Throws an Error with the reason, also if it takes longer
/// than `time`.
inline std::vector<unsigned char> fetched(const std::string& url, std::size_t most,
                                          std::chrono::milliseconds time) {
  struct Body {
    std::vector<unsigned char> bytes;
    std::size_t most;
  } body{{}, most};
  const std::unique_ptr<CURL, void (*)(CURL*)> curl(curl_easy_init(), curl_easy_cleanup);
  if (!curl) fail("libcurl cannot start");
  const auto receive = +[](char* data, std::size_t size, std::size_t count, void* to) -> std::size_t {
    auto& target = *static_cast<Body*>(to);
    if (target.bytes.size() + size * count > target.most) return 0;
    target.bytes.insert(target.bytes.end(), data, data + size * count);
    return size * count;
  };
  char reason[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, receive);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &body);
  curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, reason);
  curl_easy_setopt(curl.get(), CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_MAXREDIRS, 5L);
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_CONNECTTIMEOUT, 5L);
  // Fewer bytes a second than the limit for so many seconds: given up.
  curl_easy_setopt(curl.get(), CURLOPT_LOW_SPEED_LIMIT, 1000L);
  curl_easy_setopt(curl.get(), CURLOPT_LOW_SPEED_TIME, 15L);
  // A server that sends a little now and then is given up as well. 0 would be no limit.
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS,
                   static_cast<long>(std::max<std::chrono::milliseconds::rep>(1, time.count())));
  const CURLcode code = curl_easy_perform(curl.get());
  if (code != CURLE_OK) fail(reason[0] != '\0' ? reason : curl_easy_strerror(code));
  return std::move(body.bytes);
}

// What cannot be made is reported by whoever writes the file.
inline void make_folders_of(const std::string& path) {
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1))
    ::mkdir(path.substr(0, slash).c_str(), 0777);
}

}  // namespace detail

DIGITNET_INLINE void download(const std::vector<std::string>& mirrors, const std::string& file_name,
                              const Sha256& wanted, const std::string& path, std::chrono::milliseconds time) {
  constexpr std::size_t most_packed = std::size_t{64} << 20, most_unpacked = std::size_t{256} << 20;
  const auto end = std::chrono::steady_clock::now() + time;
  std::string reasons;
  for (std::size_t i = 0; i < mirrors.size(); ++i) {
    const std::string url = mirrors[i] + file_name;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    try {
      std::vector<unsigned char> packed =
          detail::fetched(url, most_packed, left / static_cast<long>(mirrors.size() - i));
      const Sha256 found = detail::sha256(detail::unpacked(packed, most_unpacked));
      if (found != wanted) fail("has SHA-256 " + found + " where " + wanted + " is expected");
      detail::make_folders_of(path);
      AtomicFile file(path);
      file.write(packed.data(), packed.size());
      file.commit();
      return;
    } catch (const Error& error) {
      reasons += "\n  " + url + ": " + error.what();
    }
  }
  fail(file_name + " could not be downloaded:" + reasons);
}

}  // namespace digitnet

#else

namespace digitnet {

DIGITNET_INLINE void download(const std::vector<std::string>&, const std::string& file_name,
                              const std::string&, const std::string&, std::chrono::milliseconds) {
  fail(file_name + " could not be downloaded: this program was built without libcurl and libcrypto");
}

}  // namespace digitnet

#endif
#endif
