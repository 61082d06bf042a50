// SHA-256, a checksum that identifies a file's content. Needs libcrypto; without it (DIGITNET_WITH_DOWNLOAD
// not defined) nothing can be checked.
#pragma once
#include <cstddef>
#include <string>

#include "digitnet/core/error.hpp"

#if defined(DIGITNET_WITH_DOWNLOAD)
#include <openssl/evp.h>

#include <memory>
#endif

namespace digitnet {

/// A SHA-256 as 64 hexadecimal digits.
using Sha256 = std::string;

#if defined(DIGITNET_WITH_DOWNLOAD)

inline constexpr bool can_hash = true;

/// The SHA-256 of bytes that come in parts.
class Sha256Sum {
 public:
  Sha256Sum() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1)
      fail("libcrypto has no SHA-256");
  }
  void add(const void* bytes, std::size_t size) {
    if (EVP_DigestUpdate(context_.get(), bytes, size) != 1) fail("libcrypto has no SHA-256");
  }
  /// Of all that was added; nothing may be added afterwards.
  Sha256 text() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (EVP_DigestFinal_ex(context_.get(), digest, &length) != 1) fail("libcrypto has no SHA-256");
    Sha256 result;
    for (unsigned i = 0; i < length; ++i) {
      result += "0123456789abcdef"[digest[i] >> 4];
      result += "0123456789abcdef"[digest[i] & 15];
    }
    return result;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
};

#else

inline constexpr bool can_hash = false;

#endif

}  // namespace digitnet
