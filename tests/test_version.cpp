// The macros, CMake's project and CITATION.cff name one version.
#include <doctest/doctest.h>

#include <digitnet/version.hpp>
#include <fstream>
#include <string>

#if !defined(DIGITNET_VERSION) || DIGITNET_VERSION < 100
#error "the preprocessor cannot compare DIGITNET_VERSION"
#endif

TEST_CASE("the version is the same everywhere") {
  const std::string version = std::to_string(DIGITNET_VERSION_MAJOR) + "." +
                              std::to_string(DIGITNET_VERSION_MINOR) + "." +
                              std::to_string(DIGITNET_VERSION_PATCH);
  CHECK(version == DIGITNET_PROJECT_VERSION);
  CHECK(DIGITNET_VERSION ==
        DIGITNET_VERSION_MAJOR * 10000 + DIGITNET_VERSION_MINOR * 100 + DIGITNET_VERSION_PATCH);

  std::ifstream citation(DIGITNET_CITATION);
  REQUIRE(citation);
  std::string line, cited;
  while (std::getline(citation, line))
    if (line.starts_with("version: ")) cited = line.substr(9);
  CHECK(cited == version);
}
