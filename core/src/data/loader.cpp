#include "tenon/data/loader.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>

#include "data/prefetch.hpp"
#include "tenon/autograd.hpp"
#include "tenon/error.hpp"
#include "tenon/plan.hpp"

namespace tenon::data {
namespace {

/// Runs `call`; whatever it throws becomes an Error that names the item.
template <class Call>
auto for_item(std::int64_t index, Call call) {
  const std::string item = "item " + std::to_string(index) + ": ";
  try {
    return call();
  } catch (const Error& error) {
    throw Error(error.kind(), error.code(), item + error.message(), error.hint(), error.where());
  } catch (const std::bad_alloc&) {
    throw Error(ErrorKind::device, "memory.exhausted", item + "out of memory", "use a smaller batch or fewer workers");
  } catch (const std::exception& error) {
    throw Error(ErrorKind::data, "loader.item_failed", item + error.what(), "read it alone to see what is wrong with it");
  } catch (...) {
    throw Error(ErrorKind::data, "loader.item_failed", item + "an exception that is no std::exception",
                "read it alone to see what is wrong with it");
  }
}

// More is a slip of the pen: each worker is a thread, each batch ahead is kept in memory.
constexpr int kMostWorkers = 1024, kMostPrefetch = 1 << 16;

}  // namespace

struct Loader::Impl {
  Impl(DatasetPtr data_, SamplerPtr sampler_, LoaderOptions options_)
      : data(std::move(data_)), sampler(std::move(sampler_)), options(std::move(options_)) {
    if (!data || !sampler) throw_usage("Loader", data ? "no sampler given" : "no data set given");
    if (options.batch_size < 1 || options.workers < 0 || options.prefetch < 1)
      throw_usage("Loader",
                  "batch_size " + std::to_string(options.batch_size) + ", workers " + std::to_string(options.workers) + ", prefetch " +
                      std::to_string(options.prefetch),
                  "batch_size and prefetch are at least 1, workers at least 0");
    if (options.workers > kMostWorkers || options.prefetch > kMostPrefetch)
      throw_usage("Loader", "workers " + std::to_string(options.workers) + ", prefetch " + std::to_string(options.prefetch),
                  "at most " + std::to_string(kMostWorkers) + " workers, about as many as there are cores, and " + std::to_string(kMostPrefetch) +
                      " batches ahead");
    const std::int64_t n = sampler->length();
    per_epoch = n / options.batch_size + (!options.drop_last && n % options.batch_size != 0);
    if (per_epoch == 0)
      throw_usage("Loader", "an epoch of " + std::to_string(n) + " items has no batch of " + std::to_string(options.batch_size),
                  "use a smaller batch_size, or drop_last = false");
    ready.resize(Prefetch::slots(options.prefetch));
    start(0);
  }

  void start(std::int64_t first) {
    if (prefetch) waited += prefetch->waited_seconds();
    prefetch.reset();  // the old threads end before the slots are used anew
    prefetch.emplace(first, options.workers, options.prefetch,
                     [this](std::int64_t number, std::size_t slot) { ready[slot] = make(number); });
  }

  /// The last state from which whole positions (epoch times length) can be counted for as long again.
  std::int64_t furthest() const { return std::numeric_limits<std::int64_t>::max() / 2 / sampler->length() * per_epoch; }

  Batch make(std::int64_t number) const {
    NoGrad no_grad;
    Batch batch;
    batch.number = number;
    batch.epoch = number / per_epoch;
    const std::int64_t begin = number % per_epoch * options.batch_size, end = std::min(begin + options.batch_size, sampler->length());
    std::vector<Sample> samples;
    for (std::int64_t k = begin; k < end; ++k) {
      const std::int64_t position = batch.epoch * sampler->length() + k, index = sampler->at(position);
      batch.indices.push_back(index);
      samples.push_back(for_item(index, [&] {
        Sample sample = data->get(index);
        return options.transform ? options.transform(sample, Random(options.seed, 0).child(std::uint64_t(position))) : sample;
      }));
    }
    batch.tensors = collate(samples, options.collate);
    return batch;
  }

  Batch next() {
    if (is_recording())
      throw_usage("Loader::next", "a recorded step cannot load data", "take the batch before the step and assign it to inputs of the step");
    Batch batch = std::exchange(ready[prefetch->next()], {});
    if (options.device != kCpu) {
      Sample moved;
      for (const auto& [name, tensor] : batch.tensors.items()) moved.set(name, tensor.to(options.device));
      batch.tensors = std::move(moved);
    }
    if (options.batch_transform) {
      NoGrad no_grad;
      batch.tensors = options.batch_transform(batch.tensors, Random(options.seed, 1).child(std::uint64_t(batch.number)));
    }
    return batch;
  }

  DatasetPtr data;
  SamplerPtr sampler;
  LoaderOptions options;
  std::int64_t per_epoch = 0;
  double waited = 0;  ///< before the last seek
  std::vector<Batch> ready;
  std::optional<Prefetch> prefetch;  ///< last: its threads use all of the above
};

Loader::Loader(DatasetPtr data, SamplerPtr sampler, LoaderOptions options)
    : impl_(std::make_unique<Impl>(std::move(data), std::move(sampler), std::move(options))) {}
Loader::~Loader() = default;
Loader::Loader(Loader&&) noexcept = default;
Loader& Loader::operator=(Loader&&) noexcept = default;

Batch Loader::next() {
  if (!impl_) throw_usage("Loader::next", "the loader was moved from", "use the one it was moved to");
  return impl_->next();
}
std::int64_t Loader::batches_per_epoch() const noexcept {
  return impl_ ? impl_->per_epoch : 0;
}
std::int64_t Loader::state() const noexcept {
  return impl_ ? impl_->prefetch->taken() : 0;
}
void Loader::seek(std::int64_t state) {
  if (!impl_) throw_usage("Loader::seek", "the loader was moved from", "use the one it was moved to");
  if (state < 0) throw_usage("Loader::seek", "state " + std::to_string(state), "give what state() gave");
  if (state > impl_->furthest())
    throw_usage("Loader::seek", "state " + std::to_string(state) + " is beyond " + std::to_string(impl_->furthest()) + ", the last that can be counted on from",
                "give what state() gave");
  impl_->start(state);
}
double Loader::waited_seconds() const noexcept {
  return impl_ ? impl_->waited + impl_->prefetch->waited_seconds() : 0;
}

}  // namespace tenon::data
