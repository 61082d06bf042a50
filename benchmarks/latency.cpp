// One image, one thread: the first call of a network that has just been made, and the tail of a million more.
//
//   benchmark_latency [--calls=1000000] [--network=A] [--node=FOLDER]
//
// Asks digitnet's program and those of the peers that were built beside it, and onnxruntime where FOLDER has
// its node_modules, each network in a process of its own, so that each first call is cold.
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace {

namespace fs = std::filesystem;

std::string output_of(const std::string& command) {
  struct Close {
    void operator()(FILE* pipe) const { pclose(pipe); }
  };
  const std::unique_ptr<FILE, Close> pipe(popen(command.c_str(), "r"));
  std::string output;
  std::array<char, 4096> part;
  while (pipe) {
    const std::size_t count = std::fread(part.data(), 1, part.size(), pipe.get());
    if (count == 0) break;
    output.append(part.data(), count);
  }
  return output;
}

// The number behind a key of Google Benchmark's JSON.
std::optional<double> number(std::string_view json, const std::string& key) {
  const std::string name = '"' + key + "\": ";
  const std::size_t at = json.find(name);
  if (at == std::string_view::npos) return {};
  const char* const begin = json.data() + at + name.size();
  double value = 0;
  if (std::from_chars(begin, json.data() + json.size(), value).ec != std::errc{}) return {};
  return value;
}

std::string option(int argc, char** argv, std::string_view name, std::string value) {
  for (int i = 1; i < argc; ++i)
    if (std::string_view(argv[i]).starts_with(name)) value = std::string_view(argv[i]).substr(name.size());
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string calls = option(argc, argv, "--calls=", "1000000"),
                    networks = option(argc, argv, "--network=", "ABC"),
                    node = option(argc, argv, "--node=", "");
  if (calls.find_first_not_of("0123456789") != std::string::npos ||
      networks.find_first_not_of("ABC") != std::string::npos) {
    std::fprintf(stderr, "usage: benchmark_latency [--calls=1000000] [--network=A|B|C] [--node=FOLDER]\n");
    return 2;
  }
  setenv("OMP_NUM_THREADS", "1", 1);
  setenv("OPENBLAS_NUM_THREADS", "1", 1);
  const fs::path folder = fs::canonical("/proc/self/exe").parent_path();
  const std::pair<const char*, fs::path> contenders[] = {
      {"digitnet", folder / "benchmark_networks"},  {"oneDNN", folder / "peers/peer_onednn"},
      {"libtorch", folder / "peers/peer_libtorch"}, {"dlib", folder / "peers/peer_dlib"},
      {"XNNPACK", folder / "peers/peer_xnnpack"},   {"onnxruntime", DIGITNET_PEERS "/onnxruntime.mjs"}};
  std::printf(
      "Microseconds a call, %s calls\n\n| network | contender | first | p50 | p99 | p99.9 | most |\n"
      "|---|---|---|---|---|---|---|\n",
      calls.c_str());
  for (const char network : networks)
    for (const auto& [name, program] : contenders) {
      const bool script = program.extension() == ".mjs";
      if (!fs::exists(program) || (script && node.empty())) continue;
      const std::string benchmark = std::string("latency/") + network + "/1/1";
      const std::string json =
          script
              ? output_of("CALLS=" + calls + " node '" + program.string() + "' '" + node + "' " + benchmark)
              : output_of("'" + program.string() + "' --calls=" + calls + " '--benchmark_filter=^" +
                          benchmark + "(/|$)' --benchmark_format=json 2>/dev/null");
      // It failed, or has no such network.
      if (!number(json, "p50 us")) continue;
      std::printf("| %c | %s |", network, name);
      for (const char* key : {"first us", "p50 us", "p99 us", "p99.9 us", "most us"})
        std::printf(" %.3g |", number(json, key).value_or(-1));
      std::printf("\n");
      std::fflush(stdout);
    }
}
