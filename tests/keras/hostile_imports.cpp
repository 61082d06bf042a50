// The headers and sources that write_imports made: they compile, and hold the model's parameters.
#include "keras/hostile_imports.hpp"

#include <iostream>

#include "import0.hpp"
#include "import1.hpp"
#include "import2.hpp"
#include "import3.hpp"
#include "import4.hpp"
#include "import5.hpp"
#include "import6.hpp"
#include "import7.hpp"

namespace {
// No macro and no name of the files' got here.
[[maybe_unused]] constexpr int evil = 0;
}  // namespace

int main() {
  const auto wanted = networks::parameters(hostile_imports::model());
  bool good = true;
  const auto check = [&](const auto& model) { good = good && networks::parameters(model) == wanted; };
  try {
    check(load_import0());
    check(load_import1());
    check(load_import2());
    check(load_import3());
    check(load_import4());
    check(load_import5());
    check(load_import6());
    check(load_import7());
  } catch (const digitnet::Error& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
  return good ? 0 : 1;
}
