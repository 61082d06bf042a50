#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <csignal>
#include <cstring>
#include <digitnet/core/atomic_file.hpp>
#include <digitnet/core/read_file.hpp>
#include <utility>

#include "support/support.hpp"

using namespace digitnet;

TEST_CASE("an atomic file appears whole or not at all") {
  const support::Folder folder;
  {
    AtomicFile file(folder / "a");
    file.write("lost", 4);
  }
  CHECK(folder.files().empty());
  {
    AtomicFile file(folder / "a");
    file.write("one ", 4);
    file.write("two", 3);
    file.commit();
  }
  CHECK(support::read_file(folder / "a") == "one two");
  CHECK(folder.files().size() == 1);
  {
    AtomicFile file(folder / "a");
    file.write("other", 5);
  }
  CHECK(support::read_file(folder / "a") == "one two");
  CHECK_ERROR("No such file or directory", AtomicFile(folder / "missing/file"));
}

TEST_CASE("an atomic file keeps the mode of what it replaces, and follows links as cp does") {
  const support::Folder folder;
  const auto put = [](const std::string& path, const std::string& text) {
    AtomicFile file(path);
    file.write(text.data(), text.size());
    file.commit();
  };
  const auto mode = [](const std::string& path) {
    struct ::stat status {};
    REQUIRE(::lstat(path.c_str(), &status) == 0);
    return status.st_mode & 07777;
  };
  for (const ::mode_t kept : {0600u, 0644u, 0666u, 0755u, 02750u}) {
    support::write_file(folder / "a", "old");
    REQUIRE(::chmod((folder / "a").c_str(), kept) == 0);
    put(folder / "a", "new");
    CHECK(support::read_file(folder / "a") == "new");
    CHECK(mode(folder / "a") == kept);
  }

  REQUIRE(::mkdir((folder / "inner").c_str(), 0777) == 0);
  support::write_file(folder / "inner/file", "old");
  REQUIRE(::symlink("inner/file", (folder / "link").c_str()) == 0);
  REQUIRE(::symlink("link", (folder / "link to a link").c_str()) == 0);
  put(folder / "link to a link", "through links");
  CHECK(support::read_file(folder / "inner/file") == "through links");
  struct ::stat status {};
  REQUIRE(::lstat((folder / "link").c_str(), &status) == 0);
  CHECK(S_ISLNK(status.st_mode));

  REQUIRE(::symlink("missing", (folder / "nowhere").c_str()) == 0);
  CHECK_ERROR("is a symbolic link that leads nowhere", AtomicFile(folder / "nowhere"));
  REQUIRE(::symlink("loop", (folder / "loop").c_str()) == 0);
  CHECK_ERROR("Too many levels", AtomicFile(folder / "loop"));
  CHECK_ERROR("cannot be written", AtomicFile(""));
  CHECK_ERROR("cannot be written", AtomicFile(folder / "new/"));
}

TEST_CASE("only files are replaced or read: no folder, FIFO, socket or device, and nothing is waited for") {
  const support::Folder folder;
  REQUIRE(::mkfifo((folder / "fifo").c_str(), 0666) == 0);
  REQUIRE(::mkdir((folder / "folder").c_str(), 0777) == 0);
  REQUIRE(::symlink("fifo", (folder / "link").c_str()) == 0);
  REQUIRE(::symlink("/dev/null", (folder / "null").c_str()) == 0);
  const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
  struct ::sockaddr_un address {};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, (folder / "socket").c_str(), sizeof address.sun_path - 1);
  REQUIRE(::bind(listener, reinterpret_cast<const ::sockaddr*>(&address), sizeof address) == 0);
  const std::vector<std::pair<std::string, std::string>> kinds{
      {folder / "fifo", "not a file, but a FIFO"},     {folder / "link", "not a file, but a FIFO"},
      {folder / "folder", "not a file, but a folder"}, {folder / "socket", "not a file, but a socket"},
      {"/dev/null", "not a file, but a device"},       {folder / "null", "not a file, but a device"}};
  for (const auto& kind : kinds) {
    // clang++ 14 lets no lambda see a structured binding.
    const auto& path = kind.first;
    const auto& why = kind.second;
    CAPTURE(path);
    CHECK_ERROR(why, AtomicFile{path});
    CHECK_ERROR(why, InputFile{path});
    CHECK_ERROR(why, digitnet::read_file(path));
    CHECK(file_exists(path));
  }
  ::close(listener);
  CHECK_ERROR("missing cannot be opened: No such file or directory", InputFile(folder / "missing"));
  CHECK(!file_exists(folder / "missing"));
  CHECK(!file_exists(folder / "fifo/missing"));
  REQUIRE(::symlink("loop", (folder / "loop").c_str()) == 0);
  CHECK_ERROR("loop cannot be opened: Too many levels", file_exists(folder / "loop"));

  // Root may do everything, so a child process becomes somebody else.
  support::write_file(folder / "locked", "kept");
  REQUIRE(::chmod((folder / "locked").c_str(), 0444) == 0);
  support::write_file(folder / "secret", "kept");
  REQUIRE(::chmod((folder / "secret").c_str(), 0) == 0);
  REQUIRE(::chmod(folder.path().c_str(), 0777) == 0);
  const ::pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0 && ::setuid(65534) != 0) ::_exit(0);
    const auto says = [](const std::string& part, const auto& action) {
      try {
        action();
      } catch (const Error& error) {
        if (support::contains(error.what(), part)) return;
      }
      ::_exit(1);
    };
    says("locked cannot be written: Permission denied", [&] { AtomicFile{folder / "locked"}; });
    says("secret cannot be opened: Permission denied", [&] { InputFile{folder / "secret"}; });
    ::_exit(0);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  CHECK(status == 0);
}

TEST_CASE("a full disk is reported and leaves nothing") {
  if (::access("/dev/full", W_OK) != 0) return;
  const support::Folder folder;
  // A file cannot grow beyond the limit that this child process sets itself.
  const std::string path = folder / "big";
  const ::pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const struct rlimit limit { 1000, 1000 };
    ::setrlimit(RLIMIT_FSIZE, &limit);
    int status = 1;
    try {
      AtomicFile file(path);
      const std::string bytes(5000, 'x');
      file.write(bytes.data(), bytes.size());
    } catch (const Error& error) {
      status =
          support::contains(error.what(), "File too large") && support::contains(error.what(), path) ? 0 : 2;
    }
    ::_exit(status);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  CHECK(status == 0);
  CHECK(folder.files().empty());
}
