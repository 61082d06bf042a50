// The name of a class, as its author wrote it.
#pragma once
#include <string>
#include <typeinfo>

#include "digitnet/core/compiled.hpp"

namespace digitnet {

/// "EarlyStopping", "mine::Callback": without digitnet's own namespaces, of which one is a processor's.
DIGITNET_INLINE std::string class_name(const std::type_info& type);

}  // namespace digitnet

#if DIGITNET_BODIES
#include <cxxabi.h>

#include <cstdlib>

namespace digitnet {

DIGITNET_INLINE std::string class_name(const std::type_info& type) {
  int status = 0;
  char* const readable = abi::__cxa_demangle(type.name(), nullptr, nullptr, &status);
  std::string name = status == 0 ? readable : type.name();
  std::free(readable);
  const std::string own = "digitnet::";
  if (!name.starts_with(own)) return name;
  name.erase(0, own.size());
  if (name.starts_with("for_")) name.erase(0, name.find("::") + 2);
  return name;
}

}  // namespace digitnet
#endif
