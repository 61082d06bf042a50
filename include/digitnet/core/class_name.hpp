// The name of a class, as its author wrote it.
#pragma once
#include <cxxabi.h>

#include <cstdlib>
#include <string>
#include <typeinfo>

#include "digitnet/core/processor.hpp"

#define DIGITNET_TEXT_OF(word) #word
#define DIGITNET_TEXT(word) DIGITNET_TEXT_OF(word)
#define DIGITNET_PROCESSOR_TEXT DIGITNET_TEXT(DIGITNET_PROCESSOR)

namespace digitnet {

/// "EarlyStopping", "mine::Callback": without digitnet's own namespaces.
inline std::string class_name(const std::type_info& type) {
  int status = 0;
  char* const readable = abi::__cxa_demangle(type.name(), nullptr, nullptr, &status);
  std::string name = status == 0 ? readable : type.name();
  std::free(readable);
  for (const std::string& scope : {std::string("digitnet::"), std::string(DIGITNET_PROCESSOR_TEXT) + "::"})
    if (name.starts_with(scope)) name = name.substr(scope.size());
  return name;
}

}  // namespace digitnet
