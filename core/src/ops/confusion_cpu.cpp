/// CPU kernels of confusion matrices: whole numbers, which add up to the same however the work is cut.
#include <algorithm>
#include <limits>
#include <mutex>
#include <vector>

#include "backend/cpu/tiles.hpp"
#include "ops/dispatch.hpp"
#include "ops/metric_kernels.hpp"
#include "tenon/device.hpp"

namespace tenon {
namespace {

constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::max();

/// The first of what tasks refuse.
class FirstRefused {
 public:
  void note(std::int64_t at, std::int64_t value) {
    const std::lock_guard lock(mutex_);
    if (at >= at_) return;
    at_ = at;
    value_ = value;
  }
  void tell(const ConfusionCount& p) const {
    if (at_ != kNone) refuse_metric(p.op, value_, at_, p.pair.classes);
  }

 private:
  std::mutex mutex_;
  std::int64_t at_ = kNone, value_ = 0;
};

/// The class of the largest score in each of n rows, the first of equals; a NaN is noted.
template <class T>
void largest(const T* scores, std::int64_t first, std::int64_t n, std::int64_t classes, std::int64_t* out, FirstRefused& refused) {
  for (std::int64_t i = 0; i < n; ++i) {
    const T* row = scores + (first + i) * classes;
    std::int64_t best = 0;
    for (std::int64_t c = 0; c < classes; ++c) {
      const Acc<T> v = Acc<T>(row[c]);
      if (v != v) refused.note(refused_at((first + i) * classes + c, Why::value), kNaNBits);
      if (v > Acc<T>(row[best])) best = c;
    }
    out[i] = best;
  }
}

void count_part(const ConfusionCount& p, const void* predicted, const void* truth, std::int64_t begin, std::int64_t end, std::int64_t* counts, FirstRefused& refused) {
  const auto load_truth = cpu::tile_loader<std::int64_t>(p.truth);
  std::int64_t said[cpu::kTile], label[cpu::kTile];
  for (std::int64_t at = begin; at < end; at += cpu::kTile) {
    const std::int64_t n = std::min(cpu::kTile, end - at);
    load_truth(static_cast<const char*>(truth) + at * std::int64_t(size_of(p.truth)), 1, label, n);
    if (p.scored)
      dispatch_floating(p.op, p.predicted, [&](auto tag) { largest(static_cast<const typename decltype(tag)::type*>(predicted), at, n, p.pair.classes, said, refused); });
    else
      cpu::tile_loader<std::int64_t>(p.predicted)(static_cast<const char*>(predicted) + at * std::int64_t(size_of(p.predicted)), 1, said, n);
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t cell = p.pair.cell(said[i], label[i]);
      if (cell >= 0)
        ++counts[cell];
      else if (cell == LabelPair::kPredicted)
        refused.note(refused_at(at + i, Why::label), said[i]);
      else if (cell == LabelPair::kTruth)
        refused.note(refused_at(at + i, Why::label_of_truth), label[i]);
    }
  }
}

Kernel make_confusion(const ConfusionCount& p) {
  return [p](void* const* o) {
    auto* counts = static_cast<std::int64_t*>(o[2]);
    const std::int64_t cells = p.pair.classes * p.pair.classes, n = p.cut.n;
    constexpr std::int64_t kWorthATask = 1 << 15;
    // rows by themselves where there are many, else parts of each row
    const std::int64_t tasks = p.cut.rows >= thread_count() ? 1 : std::clamp<std::int64_t>(n / std::max(kWorthATask, 4 * cells), 1, thread_count());
    const std::int64_t length = (n + tasks - 1) / tasks;
    std::vector<std::int64_t> others(std::size_t(p.cut.rows * (tasks - 1) * cells), 0);
    std::fill(counts, counts + p.cut.rows * cells, 0);
    FirstRefused refused;
    const std::int64_t grain = tasks > 1 ? 1 : std::max<std::int64_t>(1, kWorthATask / n);
    parallel_blocks(p.cut.rows * tasks, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t row = i / tasks, task = i % tasks;
        std::int64_t* mine = task ? others.data() + (row * (tasks - 1) + task - 1) * cells : counts + row * cells;
        count_part(p, o[0], o[1], row * n + task * length, row * n + std::min(n, (task + 1) * length), mine, refused);
      }
    });
    refused.tell(p);
    for (std::int64_t row = 0; row < p.cut.rows; ++row)
      for (std::int64_t task = 1; task < tasks; ++task)
        for (std::int64_t c = 0; c < cells; ++c) counts[row * cells + c] += others[std::size_t((row * (tasks - 1) + task - 1) * cells + c)];
  };
}

}  // namespace

KernelSlot<const ConfusionCount&> confusion_kernel("confusion", make_confusion);

}  // namespace tenon
