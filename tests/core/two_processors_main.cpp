// Prints the bits of the units that it is linked with.
#include <cstdint>
#include <cstdio>

#ifdef WITH_FIRST
std::uint64_t bits_of_first_unit();
#endif
#ifdef WITH_SECOND
std::uint64_t bits_of_second_unit();
#endif

int main() {
#ifdef WITH_FIRST
  std::printf("first %016llx\n", static_cast<unsigned long long>(bits_of_first_unit()));
#endif
#ifdef WITH_SECOND
  std::printf("second %016llx\n", static_cast<unsigned long long>(bits_of_second_unit()));
#endif
}
