/// Batches of a data set, prepared ahead by threads, in an order that neither their number nor a restart changes.
///
///     Loader loader(data, std::make_shared<ShuffleSampler>(data->size(), Random(seed, 0)), {.batch_size = 32, .workers = 4});
///     loader.seek(saved_state);
///     while (...) { Batch batch = loader.next(); ... }   // goes on from epoch to epoch without end
///
/// One consumer. Worker threads run their tensor ops serially (SerialScope); at most `prefetch` finished batches wait. Destroying the
/// loader, or seek(), waits for the items that are being read.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "tenon/data/collate.hpp"
#include "tenon/data/dataset.hpp"
#include "tenon/data/sampler.hpp"
#include "tenon/device.hpp"

namespace tenon::data {

struct LoaderOptions {
  std::int64_t batch_size = 1;
  bool drop_last = false;     ///< leave out the shorter batch at an epoch's end
  int workers = 1;            ///< 0: next() does the work itself
  int prefetch = 2;           ///< batches that may wait, at least 1
  std::uint64_t seed = 0;     ///< of the random transforms
  RandomTransform transform;  ///< of each sample, in the workers; empty: none
  CollateOptions collate;
  Device device = kCpu;             ///< where next() puts the batch
  RandomTransform batch_transform;  ///< of each batch, on that device, by the caller of next(); empty: none
};

struct Batch {
  Sample tensors;
  std::vector<std::int64_t> indices;  ///< of the items, in order
  std::int64_t number = 0;            ///< batches before it in the run
  std::int64_t epoch = 0;
};

class TENON_API Loader {
 public:
  Loader(DatasetPtr data, SamplerPtr sampler, LoaderOptions options = {});
  ~Loader();
  Loader(Loader&&) noexcept;
  Loader& operator=(Loader&&) noexcept;

  /// The next batch. What a data set or a transform threw for one of its items is thrown here, as an Error whose message names the item's
  /// index ("item 17: ..."); the call after that gives the batch that follows.
  Batch next();

  std::int64_t batches_per_epoch() const noexcept;  ///< this and the others below: 0 once the loader was moved from
  /// The whole state: the number of batches taken so far, failed ones too.
  std::int64_t state() const noexcept;
  /// Goes on as if `state` batches had been taken.
  void seek(std::int64_t state);
  double waited_seconds() const noexcept;  ///< time that next() waited for workers so far

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tenon::data
