#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <digitnet/core/file_lock.hpp>
#include <optional>

#include "support/support.hpp"

using namespace digitnet;

TEST_CASE("a lock is held once, names its holder, and leaves no file") {
  const support::Folder folder;
  std::optional<FileLock> lock(std::in_place, folder / "a.lock", "The folder a");
  CHECK(folder.files() == std::vector<std::string>{"a.lock"});
  CHECK_ERROR("The folder a is in use by another process (" + std::to_string(::getpid()) + "): wait",
              FileLock(folder / "a.lock", "The folder a"));
  CHECK(folder.files().size() == 1);
  FileLock moved(std::move(*lock));
  lock.reset();
  CHECK_ERROR("is in use", FileLock(folder / "a.lock", "The folder a"));
  { const FileLock taken(std::move(moved)); }
  CHECK(folder.files().empty());
  { const FileLock again(folder / "a.lock", "The folder a"); }
  CHECK(folder.files().empty());
  CHECK_ERROR("cannot be made to lock it: No such file", FileLock(folder / "none/a.lock", "x"));
}

TEST_CASE("the lock of a process that was killed stops nobody") {
  const support::Folder folder;
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const ::pid_t child = ::fork();
  if (child == 0) {
    const FileLock lock(folder / "a.lock", "a");
    if (::write(ready[1], "x", 1) == 1) ::pause();
    ::_exit(0);
  }
  char byte;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  CHECK_ERROR("a is in use by another process (" + std::to_string(child) + ")",
              FileLock(folder / "a.lock", "a"));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  CHECK(folder.files().size() == 1);
  { const FileLock lock(folder / "a.lock", "a"); }
  CHECK(folder.files().empty());
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_CASE("of many that want a lock at once, one at a time has it") {
  const support::Folder folder;
  // Each adds 1 to a number in a file, which only goes well if none does at the same time.
  support::write_file(folder / "count", "0");
  constexpr int processes = 4, each = 50;
  for (int i = 0; i < processes; ++i)
    if (::fork() == 0) {
      for (int done = 0; done < each;) {
        try {
          const FileLock lock(folder / "a.lock", "a");
          const int count = std::stoi(support::read_file(folder / "count"));
          support::write_file(folder / "count", std::to_string(count + 1));
          ++done;
        } catch (const Error&) {
          ::usleep(100);
        }
      }
      ::_exit(0);
    }
  for (int i = 0; i < processes; ++i) ::wait(nullptr);
  CHECK(support::read_file(folder / "count") == std::to_string(processes * each));
}
