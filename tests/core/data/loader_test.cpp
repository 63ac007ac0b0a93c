#include "tenon/data/loader.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <limits>
#include <thread>

#include "core/data/numbers.hpp"
#include "tenon/error.hpp"
#include "tenon/plan.hpp"

using namespace data_test;
using Catch::Contains;

namespace {

/// numbers(n), each item at a pace of its own, so that threads finish out of order.
DatasetPtr uneven(std::int64_t n) {
  return std::make_shared<MapDataset>(numbers(n), [](const Sample& s) {
    std::this_thread::sleep_for(std::chrono::microseconds(std::int64_t(s["y"].item()) * 37 % 200));
    return s;
  });
}

LoaderOptions options(int workers) {
  LoaderOptions o;
  o.batch_size = 4;
  o.workers = workers;
  o.prefetch = 3;
  o.seed = 21;
  o.transform = [](const Sample& s, const Random& random) {
    Sample out = s;
    out.set("x", s["x"] + double(random.uniform(0)));
    return out;
  };
  return o;
}

std::vector<double> take(Loader& loader, int batches) {
  std::vector<double> all;
  for (int i = 0; i < batches; ++i) {
    const Batch batch = loader.next();
    for (std::int64_t index : batch.indices) all.push_back(double(index));
    for (double v : batch.tensors["x"].to_vector()) all.push_back(v);
    all.push_back(double(batch.number));
    all.push_back(double(batch.epoch));
  }
  return all;
}

}  // namespace

TEST_CASE("order and content of batches are the same for any number of workers and after resuming anywhere", "[data][loader]") {
  const DatasetPtr data = uneven(19);
  const auto sampler = std::make_shared<ShuffleSampler>(19, Random(4, 4));
  constexpr int kBatches = 13;  // two epochs and a half
  Loader plain(data, sampler, options(0));
  CHECK(plain.batches_per_epoch() == 5);
  std::vector<std::vector<double>> by_batch;
  std::vector<double> whole;
  for (int i = 0; i < kBatches; ++i) {
    by_batch.push_back(take(plain, 1));
    whole.insert(whole.end(), by_batch.back().begin(), by_batch.back().end());
  }
  CHECK(by_batch[4].size() == 3 + 6 + 2);  // the short one at the epoch's end
  for (int workers : {1, 2, 4}) {
    Loader loader(data, sampler, options(workers));
    CHECK(take(loader, kBatches) == whole);
    CHECK(loader.state() == kBatches);
    for (int step = 0; step < kBatches; ++step) {
      loader.seek(step);
      CHECK(take(loader, 1) == by_batch[std::size_t(step)]);
      Loader resumed(data, sampler, options(workers));
      resumed.seek(loader.state());
      if (step + 1 < kBatches) CHECK(take(resumed, 1) == by_batch[std::size_t(step + 1)]);
    }
  }
}

TEST_CASE("the last short batch is kept or dropped as stated, and padding reaches the batch", "[data][loader]") {
  LoaderOptions o;
  o.batch_size = 3;
  o.drop_last = true;
  o.collate.pad = {{"s", -1}};
  Loader loader(std::make_shared<Ragged>(8), std::make_shared<SequentialSampler>(8), o);
  CHECK(loader.batches_per_epoch() == 2);
  CHECK(loader.next().tensors["s"].shape() == Shape{3, 3});
  CHECK(loader.next().tensors["s_length"].to_vector() == std::vector<double>{4, 1, 2});
  const Batch third = loader.next();
  CHECK(third.epoch == 1);
  CHECK(third.indices == std::vector<std::int64_t>{0, 1, 2});
}

TEST_CASE("a transform of batches runs with the batch's own numbers", "[data][loader]") {
  LoaderOptions o;
  o.batch_size = 2;
  o.seed = 3;
  o.batch_transform = [](const Sample& s, const Random& random) {
    Sample out = s;
    out.set("noise", random_uniform({2}, random.seed(), random.stream()));
    return out;
  };
  Loader loader(numbers(6), std::make_shared<SequentialSampler>(6), o);
  const auto first = loader.next().tensors["noise"].to_vector(), second = loader.next().tensors["noise"].to_vector();
  CHECK(first != second);
  loader.seek(1);
  CHECK(loader.next().tensors["noise"].to_vector() == second);
}

TEST_CASE("a failure comes to the caller with the item's index, and loading goes on after it", "[data][loader]") {
  const auto failing = std::make_shared<MapDataset>(numbers(12), [](const Sample& s) -> Sample {
    const int i = int(s["y"].item());
    if (i == 5) throw Error(ErrorKind::data, "nifti.truncated", "the file ends early", "copy it again", "five.nii");
    if (i == 6) throw std::runtime_error("disk on fire");
    if (i == 10) throw 7;
    return s;
  });
  for (int workers : {0, 1, 2, 4}) {
    LoaderOptions o;
    o.batch_size = 2;
    o.workers = workers;
    o.prefetch = 2;
    Loader loader(failing, std::make_shared<SequentialSampler>(12), o);
    std::vector<std::string> seen;
    for (int i = 0; i < 7; ++i) {
      try {
        seen.push_back(std::to_string(loader.next().indices[0]));
      } catch (const Error& error) {
        seen.push_back(error.code() + " " + error.message() + " " + error.where());
      }
    }
    CHECK(seen == std::vector<std::string>{"0", "2", "nifti.truncated item 5: the file ends early five.nii",
                                           "loader.item_failed item 6: disk on fire ", "8",
                                           "loader.item_failed item 10: an exception that is no std::exception ", "0"});
  }
}

TEST_CASE("a loader may be destroyed or moved at any time", "[data][loader]") {
  std::atomic<int> inside{0};
  const auto counted = std::make_shared<MapDataset>(numbers(50), [&](const Sample& s) {
    ++inside;
    std::this_thread::sleep_for(std::chrono::microseconds(300));
    --inside;
    return s;
  });
  for (int taken = 0; taken < 4; ++taken)
    for (int workers : {1, 4}) {
      LoaderOptions o = options(workers);
      o.transform = nullptr;
      Loader loader(counted, std::make_shared<SequentialSampler>(50), o);
      for (int i = 0; i < taken; ++i) loader.next();
      Loader other = std::move(loader);
      CHECK(other.next().number == taken);
    }
  CHECK(inside == 0);  // destruction waited
}

TEST_CASE("no more batches are prepared than were asked for", "[data][loader]") {
  std::atomic<int> read{0};
  const auto counted = std::make_shared<MapDataset>(numbers(100), [&](const Sample& s) {
    ++read;
    return s;
  });
  LoaderOptions o;
  o.workers = 4;
  o.prefetch = 3;
  Loader loader(counted, std::make_shared<SequentialSampler>(100), o);
  loader.next();
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  CHECK(read == 4);  // the one taken and three that wait
}

TEST_CASE("loaders say what is wrong", "[data][loader][misuse]") {
  const auto sampler = std::make_shared<SequentialSampler>(3);
  LoaderOptions o;
  o.batch_size = 4;
  o.drop_last = true;
  CHECK_THROWS_WITH(Loader(numbers(3), sampler, o), Contains("an epoch of 3 items has no batch of 4"));
  o.batch_size = 0;
  CHECK_THROWS_WITH(Loader(numbers(3), sampler, o), Contains("batch_size 0"));
  CHECK_THROWS_WITH(Loader(nullptr, sampler), Contains("no data set"));
  CHECK_THROWS_WITH(Loader(numbers(3), nullptr), Contains("no sampler"));
  Loader loader(numbers(3), sampler);
  CHECK_THROWS_WITH(loader.seek(-1), Contains("state -1"));
  CHECK_THROWS_WITH(StepPlan::record([&] { loader.next(); }), Contains("recorded step"));
}

TEST_CASE("loaders refuse absurd numbers of workers and batches ahead", "[data][loader][misuse]") {
  const auto sampler = std::make_shared<SequentialSampler>(8);
  LoaderOptions o;
  o.workers = 1000000;
  CHECK_THROWS_WITH(Loader(numbers(8), sampler, o), Contains("Loader") && Contains("workers 1000000") && Contains("at most 1024"));
  o.workers = 0;
  o.prefetch = std::numeric_limits<int>::max();
  CHECK_THROWS_WITH(Loader(numbers(8), sampler, o), Contains("Loader") && Contains("prefetch 2147483647") && Contains("at most"));
}

TEST_CASE("a loader goes to any state that can be counted on from, and refuses those beyond", "[data][loader][misuse]") {
  for (int workers : {0, 2}) {
    LoaderOptions o;
    o.batch_size = 3;
    o.workers = workers;
    Loader loader(numbers(8), std::make_shared<SequentialSampler>(8), o);
    CHECK_THROWS_WITH(loader.seek(std::numeric_limits<std::int64_t>::max() - 1), Contains("Loader::seek") && Contains("9223372036854775806"));
    const std::int64_t far = std::int64_t(1) << 60;
    loader.seek(far);
    const Batch batch = loader.next();
    CHECK(batch.number == far);
    CHECK(batch.epoch == far / 3);
    CHECK(batch.indices.front() == far % 3 * 3);
  }
}

TEST_CASE("a loader that was moved from says so", "[data][loader][misuse]") {
  Loader loader(numbers(8), std::make_shared<SequentialSampler>(8));
  Loader moved = std::move(loader);
  CHECK_THROWS_WITH(loader.next(), Contains("Loader::next") && Contains("moved from"));
  CHECK_THROWS_WITH(loader.seek(0), Contains("Loader::seek") && Contains("moved from"));
  CHECK(loader.state() == 0);
  CHECK(loader.batches_per_epoch() == 0);
  CHECK(loader.waited_seconds() == 0);
  CHECK(moved.next().number == 0);
}
