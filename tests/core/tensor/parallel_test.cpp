#include <atomic>
#include <catch2/catch.hpp>
#include <limits>
#include <vector>

#include "tenon/device.hpp"
#include "tenon/error.hpp"
#include "tenon/kernel.hpp"

using namespace tenon;
using Catch::Matchers::Contains;

namespace {
struct ThreadCount {
  int before = thread_count();
  explicit ThreadCount(int n) { set_thread_count(n); }
  ~ThreadCount() { set_thread_count(before); }
};
}  // namespace

TEST_CASE("parallel_for runs every index once, for any thread count", "[parallel]") {
  for (int threads : {1, 2, 4}) {
    ThreadCount guard(threads);
    std::vector<int> seen(1000);
    parallel_for(1000, [&](std::int64_t i) { ++seen[std::size_t(i)]; });
    CHECK(std::all_of(seen.begin(), seen.end(), [](int n) { return n == 1; }));
  }
  parallel_for(0, [](std::int64_t) { FAIL("no task was asked for"); });
  parallel_for(-3, [](std::int64_t) { FAIL("no task was asked for"); });
}

TEST_CASE("parallel_blocks cuts alike for any thread count and covers everything", "[parallel]") {
  for (int threads : {1, 4}) {
    ThreadCount guard(threads);
    std::vector<std::int64_t> begins(4, -1), ends(4, -1);
    parallel_blocks(10, 3, [&](std::int64_t b, std::int64_t e) {
      begins[std::size_t(b / 3)] = b;
      ends[std::size_t(b / 3)] = e;
    });
    CHECK(begins == std::vector<std::int64_t>{0, 3, 6, 9});
    CHECK(ends == std::vector<std::int64_t>{3, 6, 9, 10});
  }
  std::int64_t covered = 0;
  parallel_blocks(5, std::numeric_limits<std::int64_t>::max(), [&](std::int64_t b, std::int64_t e) { covered += e - b; });
  CHECK(covered == 5);
  parallel_blocks(1, 0, [&](std::int64_t b, std::int64_t e) { covered += e - b; });
  CHECK(covered == 6);
}

TEST_CASE("the failure of the lowest index is rethrown once all tasks ran", "[parallel]") {
  for (int threads : {1, 2, 4}) {
    ThreadCount guard(threads);
    std::atomic<int> ran{0};
    auto body = [&](std::int64_t i) {
      ++ran;
      if (i == 7 || i == 3 || i == 90) throw Error(ErrorKind::data, "test.task", "task " + std::to_string(i));
    };
    CHECK_THROWS_WITH(parallel_for(100, body), Contains("task 3"));
    CHECK(ran == 100);
    // and the pool is usable afterwards
    std::atomic<int> again{0};
    parallel_for(10, [&](std::int64_t) { ++again; });
    CHECK(again == 10);
  }
}

TEST_CASE("nested loops run, and their failures pass through", "[parallel]") {
  ThreadCount guard(4);
  std::vector<int> counts(64);
  parallel_for(8, [&](std::int64_t i) { parallel_for(8, [&](std::int64_t j) { ++counts[std::size_t(i * 8 + j)]; }); });
  CHECK(std::all_of(counts.begin(), counts.end(), [](int n) { return n == 1; }));
  CHECK_THROWS_WITH(parallel_for(4,
                                 [](std::int64_t i) {
                                   parallel_for(4, [i](std::int64_t j) {
                                     if (i >= 1 && j >= 2)
                                       throw Error(ErrorKind::data, "test.task", std::to_string(i) + "." + std::to_string(j));
                                   });
                                 }),
                    Contains("1.2"));
}

TEST_CASE("the thread count must make sense", "[parallel]") {
  CHECK_THROWS_WITH(set_thread_count(0), Contains("thread count 0 is not within 1 to 4096"));
  CHECK_THROWS_AS(set_thread_count(5000), Error);
  CHECK(thread_count() >= 1);
}
