#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <digitnet/data/datasets.hpp>
#include <digitnet/data/synthetic_digits.hpp>
#include <numeric>
#include <thread>

#include "support/support.hpp"

using namespace digitnet;
using support::Folder;
using support::write_file;

namespace {

const char* const names[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
                             "t10k-labels-idx1-ubyte"};

/// Writes a tiny dataset in MNIST's files.
void write_dataset(const std::string& folder, std::size_t images, std::size_t labels,
                   const std::string& ending = ".gz") {
  for (int part = 0; part < 2; ++part) {
    auto pixels = xt::xtensor<std::uint8_t, 3>::from_shape({images, 28, 28});
    pixels.fill(static_cast<std::uint8_t>(part));
    Labels classes = Labels::from_shape({labels});
    classes.fill(3);
    write_idx(folder + "/" + names[2 * part] + ending, pixels);
    write_idx(folder + "/" + names[2 * part + 1] + ending, classes);
  }
}

/// Sets an environment variable while it lives.
class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) {
    if (const char* const before = std::getenv(name)) before_ = before;
    if (value.empty())
      ::unsetenv(name);
    else
      ::setenv(name, value.c_str(), 1);
  }
  ~Environment() {
    if (before_)
      ::setenv(name_, before_->c_str(), 1);
    else
      ::unsetenv(name_);
  }

 private:
  const char* name_;
  std::optional<std::string> before_;
};

/// A server on this machine that gives the same answer to every request.
class Server {
 public:
  /// With `pause`, it waits so long after each byte.
  explicit Server(std::string answer, std::chrono::milliseconds pause = {})
      : answer_(std::move(answer)), pause_(pause) {
    socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(socket_, 8) == 0);
    socklen_t length = sizeof address;
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] {
      while (true) {
        const int client = ::accept(socket_, nullptr, nullptr);
        if (client < 0) return;
        char request[4096];
        if (::recv(client, request, sizeof request, 0) > 0) {
          for (std::size_t sent = 0; sent < answer_.size();) {
            const std::size_t most = pause_.count() > 0 ? 1 : answer_.size() - sent;
            const auto step = ::send(client, answer_.data() + sent, most, MSG_NOSIGNAL);
            if (step <= 0) break;
            sent += static_cast<std::size_t>(step);
            std::this_thread::sleep_for(pause_);
          }
        }
        ::close(client);
      }
    });
  }
  ~Server() {
    ::shutdown(socket_, SHUT_RDWR);
    thread_.join();
    ::close(socket_);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }

 private:
  std::string answer_;
  std::chrono::milliseconds pause_;
  int socket_;
  int port_ = 0;
  std::thread thread_;
};

/// What an action writes to stderr.
template <class Action>
std::string noted(const Action& action) {
  const Folder folder;
  const int before = ::dup(2), file = ::open((folder / "noted").c_str(), O_CREAT | O_WRONLY, 0666);
  ::dup2(file, 2);
  action();
  ::dup2(before, 2);
  ::close(before);
  ::close(file);
  return support::read_file(folder / "noted");
}

std::string answer(const std::string& body, std::size_t claimed) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(claimed) + "\r\nConnection: close\r\n\r\n" +
         body;
}

}  // namespace

TEST_CASE("a dataset is read from the folder given, packed or not") {
  for (const char* const ending : {".gz", ""}) {
    const Folder folder;
    write_dataset(folder.path(), 5, 5, ending);
    const auto [train, test] = datasets::mnist({.directory = folder.path()});
    CHECK(train.images.shape()[0] == 5);
    CHECK(train.images.shape()[3] == 1);
    CHECK(test.images(4, 27, 27, 0) == 1);
    CHECK(test.labels(0) == 3);
  }
}

TEST_CASE("the files' names may have a dot, and folders of these names are not taken for them") {
  for (const char* const ending : {".gz", ""}) {
    const Folder folder;
    write_dataset(folder.path(), 5, 5, ending);
    for (const std::string name : names) {
      std::string dotted = name;
      dotted[dotted.rfind("-idx")] = '.';
      CHECK(std::rename((folder / (name + ending)).c_str(), (folder / (dotted + ending)).c_str()) == 0);
      ::mkdir((folder / name).c_str(), 0777);
    }
    CHECK(datasets::mnist({.directory = folder.path()}).train.size() == 5);
  }
}

TEST_CASE("what is wrong with a given folder is said") {
  const Folder folder;
  CHECK_ERROR("has no train-images-idx3-ubyte.gz", datasets::mnist({.directory = folder.path()}));
  CHECK_ERROR("has no train-images-idx3-ubyte.gz", datasets::mnist({.directory = folder / "missing"}));
  write_dataset(folder.path(), 5, 4);
  CHECK_ERROR("has 5 images, but", datasets::mnist({.directory = folder.path()}));
  write_dataset(folder.path(), 5, 5);
  ::unlink((folder / "t10k-labels-idx1-ubyte.gz").c_str());
  CHECK_ERROR("has no t10k-labels-idx1-ubyte.gz", datasets::mnist({.directory = folder.path()}));
  write_file(folder / "t10k-labels-idx1-ubyte.gz", support::read_file(folder / "t10k-images-idx3-ubyte.gz"));
  CHECK_ERROR("holds an array of rank 3, but rank 1 is expected here: are images and labels exchanged?",
              datasets::mnist({.directory = folder.path()}));
}

TEST_CASE("the places are searched in order: environment, cache, then the network") {
  const Folder folder, cache;
  const Environment data("DIGITNET_DATA", folder.path()), cache_home("XDG_CACHE_HOME", cache.path());
  CHECK_ERROR("mnist is not on this machine", datasets::mnist({.allow_download = false}));
  CHECK_THROWS_AS(datasets::mnist({.allow_download = false}), DatasetNotFound);
  ::mkdir((cache / "digitnet").c_str(), 0777);
  ::mkdir((cache / "digitnet/mnist").c_str(), 0777);
  write_dataset(cache / "digitnet/mnist", 2, 2);
  // Only this library writes there.
  if (can_hash)
    CHECK_ERROR("/digitnet/mnist/train-images-idx3-ubyte.gz is not the file that mnist is known by",
                datasets::mnist({.allow_download = false}));
  write_dataset(folder.path(), 3, 3);
  CHECK(datasets::mnist({.allow_download = false}).train.size() == 3);
  ::mkdir((folder / "mnist").c_str(), 0777);
  write_dataset(folder / "mnist", 4, 4);
  CHECK(datasets::mnist({.allow_download = false}).train.size() == 4);
  // Fashion-MNIST has the same file names: it is never taken from MNIST's own folder.
  ::mkdir((folder / "fashion-mnist").c_str(), 0777);
  write_dataset(folder / "fashion-mnist", 6, 6);
  CHECK(datasets::fashion_mnist({.allow_download = false}).train.size() == 6);
}

#if defined(DIGITNET_WITH_DOWNLOAD)
TEST_CASE("files in the environment that are not the known ones are used, and a line says so once") {
  const Folder folder;
  const Environment data("DIGITNET_DATA", folder.path());
  write_dataset(folder.path(), 3, 3);
  const auto load = [] { CHECK(datasets::mnist({.allow_download = false}).train.size() == 3); };
  const std::string text = noted(load);
  CHECK(support::contains(text, "/train-images-idx3-ubyte.gz is not the file that mnist is known by"));
  CHECK(support::contains(text,
                          "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db was expected"));
  CHECK(std::count(text.begin(), text.end(), '\n') == 1);
  CHECK(noted(load).empty());
  // A folder that is named is taken as it is.
  CHECK(noted([&] { datasets::mnist({.directory = folder.path()}); }).empty());
}

TEST_CASE("a server that sends a little now and then is given up, and the next one is asked") {
  const Folder folder;
  write_idx(folder / "source.gz", Labels::from_shape({0}));
  write_idx(folder / "plain", Labels::from_shape({0}));
  const std::string body = support::read_file(folder / "source.gz"),
                    plain = support::read_file(folder / "plain");
  const Server slow(answer(std::string(1000, 'x'), 1000), std::chrono::milliseconds(20)),
      good(answer(body, body.size()));
  const Sha256 sum = detail::sha256({plain.begin(), plain.end()});
  const auto begin = std::chrono::steady_clock::now();
  download({slow.url(), good.url()}, "file.gz", sum, folder / "file.gz", std::chrono::milliseconds(1000));
  CHECK_ERROR("timed out",
              download({slow.url()}, "file.gz", sum, folder / "other", std::chrono::milliseconds(300)));
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(10));
  CHECK(support::read_file(folder / "file.gz") == body);
}

TEST_CASE("a download is kept only if it is whole and has the right content") {
  const Folder folder;
  auto array = xt::xtensor<std::uint8_t, 1>::from_shape({5000});
  for (std::size_t i = 0; i < array.size(); ++i) array.data()[i] = static_cast<std::uint8_t>(i * i >> 4);
  write_idx(folder / "plain", array);
  write_idx(folder / "source.gz", array);
  const std::string body = support::read_file(folder / "source.gz"),
                    plain = support::read_file(folder / "plain");
  const Sha256 sum = detail::sha256({plain.begin(), plain.end()});
  const std::string target = folder / "cache/deep/file.gz";

  std::string altered = body;
  altered[body.size() / 2] = static_cast<char>(altered[body.size() / 2] ^ 1);
  const Server good(answer(body, body.size())), cut(answer(body.substr(0, 100), body.size())),
      other(answer(altered, body.size())), short_gzip(answer(body.substr(0, 100), 100)),
      missing("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  CHECK_ERROR("file.gz could not be downloaded", download({cut.url()}, "file.gz", sum, target));
  CHECK_ERROR(": is damaged or incomplete gzip data", download({short_gzip.url()}, "file.gz", sum, target));
  CHECK_ERROR("404", download({missing.url()}, "file.gz", sum, target));
  CHECK_THROWS_AS(download({other.url()}, "file.gz", sum, target), Error);
  CHECK_ERROR("where " + std::string(64, '0') + " is expected",
              download({good.url()}, "file.gz", std::string(64, '0'), target));
  CHECK_ERROR("Could", download({"http://127.0.0.1:1/"}, "file.gz", sum, target));
  CHECK(folder.files().size() == 2);  // nothing was written
  download({cut.url(), missing.url(), good.url()}, "file.gz", sum, target);
  CHECK(support::read_file(target) == body);
}

TEST_CASE("a dataset that cannot be fetched says what each mirror did, and leaves no partial file") {
  const Folder folder, empty;
  const Environment data("DIGITNET_DATA", ""), cache_home("XDG_CACHE_HOME", folder.path());
  const Server wrong(answer("not gzip", 8));
  try {
    datasets::mnist({.mirrors = {wrong.url()}});
    FAIL("no Error was thrown");
  } catch (const DatasetNotFound& error) {
    CHECK(support::contains(
        error.what(),
        "mnist is not on this machine, and train-images-idx3-ubyte.gz could not be downloaded"));
    CHECK(support::contains(error.what(),
                            wrong.url() + "train-images-idx3-ubyte.gz: is damaged or incomplete gzip data"));
  }
  CHECK(folder.files().empty());
}
#endif

TEST_CASE("the real MNIST, where it is") {
  if (!std::getenv("DIGITNET_DATA")) return;
  TrainTest data;
  CHECK(noted([&] { data = datasets::mnist({.allow_download = false}); }).empty());  // it is the known one
  const auto& [train, test] = data;
  CHECK(train.images.shape()[0] == 60000);
  CHECK(test.size() == 10000);
  CHECK(train.labels(0) == 5);
  CHECK(test.labels(9999) == 6);
  // From the cache as well.
  const Folder cache;
  CHECK(::symlink(std::getenv("DIGITNET_DATA"), (cache / "mnist").c_str()) == 0);
  const Environment nowhere("DIGITNET_DATA", "");
  CHECK(datasets::mnist({.cache = cache.path(), .allow_download = false}).test.images == test.images);
}

TEST_CASE("synthetic digits of many writers are others, and bolder") {
  const Dataset usual = synthetic_digits(500, Seed{1}), many = synthetic_digits(500, Seed{1}, Writers::many);
  CHECK(many.images != usual.images);
  CHECK(synthetic_digits(20, Seed{1}, Writers::many).images == slice(many, 0, 20).images);
  const auto masses = [](const Dataset& data) {
    std::vector<std::size_t> result;
    for (std::size_t i = 0; i < data.size(); ++i)
      result.push_back(
          std::accumulate(&data.images(i, 0, 0, 0), &data.images(i, 0, 0, 0) + 784, std::size_t{0}));
    std::sort(result.begin(), result.end());
    return result;
  };
  CHECK(masses(many)[475] > masses(usual)[475]);
}

TEST_CASE("datasets are joined") {
  const Dataset one = synthetic_digits(3, Seed{1}), other = synthetic_digits(2, Seed{2});
  const Dataset both = joined({&one, &other, &one});
  REQUIRE(both.size() == 8);
  CHECK(slice(both, 0, 3).images == one.images);
  CHECK(slice(both, 3, 2).images == other.images);
  CHECK(slice(both, 3, 2).labels == other.labels);
  const Dataset wide{Images::from_shape({1, 3, 4, 1}), Labels::from_shape({1})};
  CHECK_ERROR("28 x 28 x 1 and 3 x 4 x 1", joined({&one, &wide}));
  CHECK_ERROR("nothing to join", joined({}));
}

TEST_CASE("synthetic digits are the same for the same seed, fit MNIST's frame, and all occur") {
  const Dataset data = synthetic_digits(2000, Seed{1}), again = synthetic_digits(100, Seed{1}),
                other = synthetic_digits(100, Seed{2});
  CHECK(slice(data, 0, 100).images == again.images);
  CHECK(other.images != again.images);
  std::array<std::size_t, 10> counts{};
  for (std::size_t i = 0; i < data.size(); ++i) {
    ++counts[data.labels(i)];
    double mass = 0, x_sum = 0, y_sum = 0;
    for (std::size_t y = 0; y < 28; ++y)
      for (std::size_t x = 0; x < 28; ++x) {
        const double value = data.images(i, y, x, 0);
        mass += value;
        x_sum += value * static_cast<double>(x);
        y_sum += value * static_cast<double>(y);
      }
    CHECK(mass > 20 * 255);
    CHECK(std::abs(x_sum / mass - 13.5) < 1);
    CHECK(std::abs(y_sum / mass - 13.5) < 1);
  }
  for (const std::size_t count : counts) CHECK(count > 150);
}
