// Every error that digitnet throws is an Error whose text names what was found, what was expected and the
// cure.
#pragma once
#include <stdexcept>
#include <string>

#include "digitnet/core/language.hpp"

namespace digitnet {

/// What digitnet throws on bad input: one sentence that names what was found, what was expected and the cure.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Throws an Error with the given sentence. Out of line, so that checks stay cheap where they succeed.
[[noreturn, gnu::cold, gnu::noinline]] inline void fail(const std::string& sentence) {
  throw Error(sentence);
}

}  // namespace digitnet
