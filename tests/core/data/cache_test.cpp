#include "tenon/data/cache.hpp"

#include <sys/wait.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cstdio>
#include <thread>

#include "core/data/numbers.hpp"
#include "core/io/faulty_files.hpp"
#include "core/io/temporary_folder.hpp"
#include "tenon/storage.hpp"

using namespace data_test;

namespace {

/// numbers(n) that counts how often it is asked.
struct Counted {
  std::shared_ptr<std::atomic<int>> reads = std::make_shared<std::atomic<int>>(0);
  DatasetPtr data;
  explicit Counted(std::int64_t n)
      : data(std::make_shared<MapDataset>(numbers(n), [reads = reads](const Sample& s) {
          ++*reads;
          return s;
        })) {}
};

constexpr std::uint64_t kItem = 16;  // two f32 and one i64

bool right(const Dataset& data, std::int64_t i) {
  const Sample s = data.get(i);
  return s.items()[0].first == "x" && s.items()[1].first == "y" && s["x"].to_vector() == std::vector<double>{double(i), double(i) + 0.5} &&
         s["y"].dtype() == DType::i64 && s["y"].item() == double(i);
}

}  // namespace

TEST_CASE("a memory cache holds what came first, within its budget", "[data][cache]") {
  Counted source(10);
  const MemoryCache cache(source.data, 3 * kItem);
  for (int pass = 0; pass < 3; ++pass)
    for (std::int64_t i = 0; i < 5; ++i) {
      const Sample s = cache.get(i);
      CHECK(s["y"].item() == double(i));
    }
  CHECK(*source.reads == 5 + 2 * 2);
  CHECK(cache.stats().hits == 6);
  CHECK(cache.stats().misses == 9);
  CHECK(cache.stats().bytes == 3 * kItem);
  CHECK(cache.stats().evicted == 0);
  CHECK(right(cache, 1));
  CHECK(cache.get(1)["x"].storage()->bytes() == 8);  // rows of its own, not views that keep all ten
}

TEST_CASE("a memory cache gives up what was not used for longest", "[data][cache]") {
  Counted source(10);
  const MemoryCache cache(source.data, 3 * kItem + 1, CachePolicy::lru);
  for (std::int64_t i : {0, 1, 2, 0, 3}) cache.get(i);  // 1 goes
  CHECK(*source.reads == 4);
  for (std::int64_t i : {0, 2, 3}) cache.get(i);
  CHECK(*source.reads == 4);
  cache.get(1);
  CHECK(*source.reads == 5);
  CHECK(cache.stats().evicted == 2);
  CHECK(cache.stats().bytes == 3 * kItem);
  const MemoryCache tiny(source.data, kItem - 1, CachePolicy::lru);
  tiny.get(0);
  CHECK(tiny.stats().bytes == 0);
}

TEST_CASE("a memory cache serves several threads", "[data][cache]") {
  Counted source(40);
  const MemoryCache cache(source.data, 20 * kItem, CachePolicy::lru);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (std::int64_t i = 0; i < 400; ++i)
        if (cache.get((i * (t + 3)) % 40)["y"].item() != double((i * (t + 3)) % 40)) ++wrong;
    });
  for (auto& t : threads) t.join();
  CHECK(wrong == 0);
  CHECK(cache.stats().hits + cache.stats().misses == 1600);
  CHECK(cache.stats().bytes <= 20 * kItem);
}

TEST_CASE("a disk cache is read by the next process, under its key alone", "[data][cache]") {
  TemporaryFolder folder("cache");
  Counted source(6);
  {
    const DiskCache cache(source.data, folder.path, "v1", 1 << 20);
    for (std::int64_t i = 0; i < 6; ++i) CHECK(cache.get(i)["y"].item() == double(i));
    CHECK(cache.stats().misses == 6);
  }
  const DiskCache again(source.data, folder.path, "v1", 1 << 20);
  for (std::int64_t i = 0; i < 6; ++i) CHECK(right(again, i));
  CHECK(*source.reads == 6);
  CHECK(again.stats().hits == 6);
  const DiskCache other(source.data, folder.path, "v2", 1 << 20);
  other.get(0);
  CHECK(*source.reads == 7);
  CHECK(again.stats().bytes > 6 * kItem);
  CHECK(again.stats().bytes < 1 << 20);
}

TEST_CASE("a damaged file of a disk cache is found and made anew", "[data][cache]") {
  TemporaryFolder folder("cache-damage");
  Counted source(3);
  const DiskCache cache(source.data, folder.path, "v", 1 << 20);
  for (std::int64_t i = 0; i < 3; ++i) cache.get(i);
  std::string bytes = read_text(cache.folder() / "1.safetensors");
  bytes[bytes.size() - 3] ^= 4;  // a value, in a file that still parses
  write_atomic(cache.folder() / "1.safetensors", bytes);
  write_atomic(cache.folder() / "2.safetensors", std::string_view("half a fi"));
  for (int pass = 0; pass < 2; ++pass)
    for (std::int64_t i = 0; i < 3; ++i) CHECK(right(cache, i));
  CHECK(cache.stats().damaged == 2);
  CHECK(*source.reads == 5);
}

TEST_CASE("a disk cache stays within its budget", "[data][cache]") {
  TemporaryFolder folder("cache-budget");
  Counted source(50);
  const DiskCache cache(source.data, folder.path, "v", 4000);
  for (std::int64_t i = 0; i < 50; ++i) cache.get(i);
  std::uint64_t bytes = 0;
  for (const auto& file : files().list(cache.folder())) bytes += files().stat(file)->size;
  CHECK(bytes == cache.stats().bytes);
  CHECK(bytes <= 4000);
  CHECK(bytes > 2000);
}

TEST_CASE("a disk that takes no more costs the cache, not the data", "[data][cache]") {
  TemporaryFolder folder("cache-full");
  Counted source(4);
  const DiskCache cache(source.data, folder.path, "v", 1 << 20);
  cache.get(0);
  {
    FaultyFiles full(2);
    for (std::int64_t i = 1; i < 4; ++i) CHECK(cache.get(i)["y"].item() == double(i));
    CHECK(full.calls() < 6);  // the first failure ends the writing
  }
  CHECK(cache.stats().unwritten == 1);
  CHECK(files().list(cache.folder()).size() == 1);
  CHECK(right(cache, 0));
}

TEST_CASE("two processes share the folder of a disk cache", "[data][cache]") {
  TemporaryFolder folder("cache-shared");
  Counted source(60);
  const auto visit = [&](std::int64_t step) {
    const DiskCache cache(source.data, folder.path, "v", 1 << 20);
    bool good = true;
    for (std::int64_t i = 0; i < 60; ++i) good = good && cache.get(i * step % 60)["y"].item() == double(i * step % 60);
    return good && cache.stats().damaged == 0 && cache.stats().unwritten == 0;
  };
  const pid_t child = ::fork();
  if (child == 0) ::_exit(visit(7) ? 0 : 1);
  CHECK(visit(1));
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  const DiskCache cache(source.data, folder.path, "v", 1 << 20);
  for (std::int64_t i = 0; i < 60; ++i) cache.get(i);
  CHECK(cache.stats().hits == 60);
  CHECK(files().list(cache.folder()).size() == 60);
}
