#include <atomic>
#include <chrono>
#include <digitnet/core/thread_team.hpp>
#include <vector>

#include "support/support.hpp"

using namespace digitnet;

TEST_CASE("every task runs exactly once, on any team, again and again") {
  for (const std::size_t size : {1, 2, 3, 8}) {
    ThreadTeam team(size);
    CHECK(team.size() == size);
    for (std::size_t count : {0, 1, 2, 3, 7, 64, 1000}) {
      std::vector<std::atomic<int>> runs(count);
      for (int round = 0; round < 20; ++round)
        team.for_each(count, [&](std::size_t index, std::size_t thread) {
          CHECK_UNARY(thread < size);
          ++runs[index];
        });
      for (const auto& run : runs) CHECK(run == 20);
    }
  }
}

TEST_CASE("what tasks wrote is visible afterwards") {
  ThreadTeam team(3);
  std::vector<std::size_t> values(50);
  for (std::size_t round = 0; round < 500; ++round) {
    team.for_each(values.size(), [&](std::size_t index, std::size_t) { values[index] += index; });
  }
  for (std::size_t i = 0; i < values.size(); ++i) CHECK(values[i] == 500 * i);
}

TEST_CASE("sleeping threads wake up again") {
  ThreadTeam team(2);
  for (int round = 0; round < 3; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    std::atomic<int> sum = 0;
    team.for_each(10, [&](std::size_t index, std::size_t) { sum += static_cast<int>(index); });
    CHECK(sum == 45);
  }
}

TEST_CASE("a team may end while a helper still reaches for a task of the last job") {
  for (int round = 0; round < 3000; ++round) {
    ThreadTeam team(4);
    std::atomic<int> sum = 0;
    team.for_each(2, [&](std::size_t index, std::size_t) { sum += static_cast<int>(index); });
    CHECK_UNARY(sum == 1);
  }
}

TEST_CASE("an exception of a task reaches the caller, and the team goes on") {
  for (const std::size_t size : {1, 2}) {
    ThreadTeam team(size);
    CHECK_ERROR("task 3", team.for_each(10, [](std::size_t index, std::size_t) {
      if (index == 3) fail("task 3");
    }));
    int sum = 0;
    team.for_each(1, [&](std::size_t, std::size_t) { ++sum; });
    CHECK(sum == 1);
  }
}

TEST_CASE("denormals are flushed to zero in tasks, and the caller's mode is restored") {
  ThreadTeam team(2);
  volatile float tiny = 1e-38f;
  std::atomic<int> zeros = 0;
  team.for_each(20, [&](std::size_t, std::size_t) { zeros += (tiny * 0.01f) == 0.0f; });
#if defined(__SSE2__)
  CHECK(zeros == 20);
#endif
  CHECK(tiny * 0.01f != 0.0f);
}

TEST_CASE("teams of impossible sizes are refused") {
  CHECK_ERROR("A thread team has 1 to 1024 threads, but 0 were asked for", ThreadTeam(0));
  CHECK_ERROR("5000 were asked for", ThreadTeam(5000));
  ThreadTeam team(2);
  CHECK_ERROR("takes at most", team.for_each(std::size_t{1} << 30, [](std::size_t, std::size_t) {}));
}
