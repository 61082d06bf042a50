// runs_on FEATURE PROGRAM ARGUMENT...: runs the program if this processor has the feature; else exits with
// 77, which CTest counts as skipped.
#include <unistd.h>

#include <cstdio>
#include <cstring>

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const bool has = std::strcmp(argv[1], "sse2") == 0 ? __builtin_cpu_supports("sse2") != 0
                   : std::strcmp(argv[1], "avx2") == 0
                       ? __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
                   : std::strcmp(argv[1], "avx512bw") == 0 ? __builtin_cpu_supports("avx512bw") != 0
                                                           : false;
  if (!has) {
    std::printf("This processor has no %s: skipped\n", argv[1]);
    return 77;
  }
  execv(argv[2], argv + 2);
  std::perror(argv[2]);
  return 1;
}
