// Prints what was chosen, and the bits of the training; with an argument, calls an entry that has no copy.
#include <cstdio>
#include <exception>

#include "core/entry.hpp"

int main(int argc, char**) try {
  if (argc > 1) nowhere();
  const std::uint64_t bits = bits_of_training();
  std::printf("%s %016llx\n", std::string(name_of(bits_of_training.compiled_for())).c_str(),
              static_cast<unsigned long long>(bits));
} catch (const std::exception& error) {
  std::printf("%s\n", error.what());
  return 1;
}
