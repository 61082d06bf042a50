// A page that reads handwritten digits while they are drawn, and an API that reads them for other programs.
#include <signal.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <CLI/CLI.hpp>
#include <array>
#include <atomic>
#include <cstdio>
#include <digitnet/core/error.hpp>
#include <digitnet/data/datasets.hpp>
#include <exception>
#include <iostream>
#include <memory>
#include <string>

#include "../support/parameter_files.hpp"
#include "api.hpp"
#include "corrections.hpp"
#include "digit_model.hpp"
#include "http_server.hpp"

namespace {

using namespace digitnet;

struct Settings {
  std::string model = DRAW_DIGIT_MODEL, host = "127.0.0.1", corrections{}, data{};
  int port = 8080;
  draw::ServerLimits limits{};
  int request_seconds = 10, idle_seconds = 5;
  std::size_t megabytes = 4, address_connections = 0, memory_megabytes = 256;
  bool finetune = false;
  draw::FinetuneOptions training{.threads = hardware_threads()};
};

void print_accuracies(const char* when, const draw::DigitModel& model, const Dataset& test,
                      const Dataset& corrections) {
  std::printf("%s: %.2f %% of MNIST's test images, %.1f %% of the corrections\n", when, model.accuracy(test),
              model.accuracy(corrections));
}

void finetune(const Settings& settings, draw::DigitModel& model, const draw::Corrections& corrections) {
  const TrainTest data = datasets::mnist({.directory = settings.data});
  const Dataset corrected = corrections.data();
  const Dataset train = draw::with_corrections(data.train, corrected);
  print_accuracies("Before", model, data.test, corrected);
  if (!model.finetune(train, settings.training)) fail("Interrupted: nothing was written");
  print_accuracies("After", model, data.test, corrected);
  const std::string path = settings.corrections + "/finetuned.safetensors";
  program::save_parameters(model.description(), model.parameters(), path);
  std::printf("%s: serve it with --model\n", path.c_str());
}

std::atomic<draw::HttpServer*> served = nullptr;
static_assert(std::atomic<draw::HttpServer*>::is_always_lock_free);

// Makes SIGINT and SIGTERM stop a server, while this lives; one that the parent ignored stays ignored.
class StopAtSignals {
 public:
  explicit StopAtSignals(draw::HttpServer& server) {
    served = &server;
    struct sigaction action {};
    action.sa_handler = [](int) {
      if (draw::HttpServer* const running = served) running->stop();
    };
    action.sa_flags = SA_RESTART;
    for (std::size_t i = 0; i < signals.size(); ++i) {
      ::sigaction(signals[i], nullptr, &before_[i]);
      if (before_[i].sa_handler != SIG_IGN) ::sigaction(signals[i], &action, nullptr);
    }
  }
  ~StopAtSignals() {
    for (std::size_t i = 0; i < signals.size(); ++i) ::sigaction(signals[i], &before_[i], nullptr);
    served = nullptr;
  }
  StopAtSignals(const StopAtSignals&) = delete;
  StopAtSignals& operator=(const StopAtSignals&) = delete;

 private:
  static constexpr std::array<int, 2> signals{SIGINT, SIGTERM};
  std::array<struct sigaction, 2> before_{};
};

void serve(const Settings& settings, draw::DigitModel& model, draw::Corrections* corrections) {
#ifdef __GLIBC__
  // What a large request took goes back to the system at once, and threads share their memory's reserve.
  ::mallopt(M_MMAP_THRESHOLD, 256 << 10);
  ::mallopt(M_ARENA_MAX, 2);
#endif
  draw::HttpServer server(settings.limits);
  const draw::Api api(server, model, corrections);
  const int port = server.bind(settings.host, settings.port);
  const bool local = settings.host == "127.0.0.1" || settings.host == "localhost" || settings.host == "::1";
  if (local) server.hosts = {"127.0.0.1", "localhost", "[::1]"};
  const std::string host =
      settings.host.find(':') == std::string::npos ? settings.host : "[" + settings.host + "]";
  const StopAtSignals stop(server);
  std::printf("Draw a digit at http://%s:%d/ (Ctrl-C ends)\n", host.c_str(), port);
  if (!local) std::printf("Everyone who reaches this machine can use it.\n");
  std::fflush(stdout);
  server.serve();
  std::printf("Stopped; every request was answered.\n");
}

int run(const Settings& settings) {
  const auto model = draw::load_model(settings.model);
  std::unique_ptr<draw::Corrections> corrections;
  if (!settings.corrections.empty()) corrections = std::make_unique<draw::Corrections>(settings.corrections);
  if (settings.finetune) {
    if (!corrections) fail("--finetune trains on corrections: name their folder with --corrections");
    finetune(settings, *model, *corrections);
    return 0;
  }
  serve(settings, *model, corrections.get());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  CLI::App app{"Serves a page that reads handwritten digits, and an API (see /openapi.json)."};
  app.add_option("--model", settings.model, "parameters of the network of pretrained_cnn or of mnist_cnn")
      ->capture_default_str();
  app.add_option("--host", settings.host, "address to serve at; 0.0.0.0 for all of this machine's")
      ->capture_default_str();
  app.add_option("--port", settings.port, "0 takes a free one")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  app.add_option("--corrections", settings.corrections,
                 "folder for digits that were read wrongly, with what was meant; without it none are stored");
  app.add_flag("--finetune", settings.finetune,
               "train on MNIST and the corrections, write finetuned.safetensors beside them, and end");
  app.add_option("--epochs", settings.training.epochs, "of --finetune")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--data", settings.data, "folder with MNIST, for --finetune");
  app.add_option("--connections", settings.limits.connections, "that may be open at once")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  app.add_option("--address-connections", settings.address_connections,
                 "of these, from one address; by default half of them")
      ->check(CLI::Range(1, 10'000));
  app.add_option("--body-megabytes", settings.megabytes, "that a request may have")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--memory-megabytes", settings.memory_megabytes, "that all requests may need together")
      ->check(CLI::Range(256, 65536))
      ->capture_default_str();
  app.add_option("--request-seconds", settings.request_seconds, "that a request and its answer may take")
      ->check(CLI::Range(1, 600))
      ->capture_default_str();
  app.add_option("--idle-seconds", settings.idle_seconds, "that a connection may wait for its next request")
      ->check(CLI::Range(1, 600))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  settings.limits.body_bytes = settings.megabytes << 20;
  // One large body and one large picture fit what an address may have.
  settings.limits.memory_bytes = std::max(settings.memory_megabytes, 192 + 16 * settings.megabytes) << 20;
  settings.limits.address_connections = settings.address_connections != 0
                                            ? settings.address_connections
                                            : (settings.limits.connections + 1) / 2;
  settings.limits.request = std::chrono::seconds(settings.request_seconds);
  settings.limits.idle = std::chrono::seconds(settings.idle_seconds);
  try {
    return run(settings);
  } catch (const std::exception& error) {
    std::cerr << argv[0] << ": " << error.what() << "\n";
    return 1;
  }
}
