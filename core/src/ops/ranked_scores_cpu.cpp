/// CPU kernels of scores of a yes or no: what is taken, and what is counted from high scores to low.
#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <mutex>

#include "ops/dispatch.hpp"
#include "ops/labels.hpp"
#include "ops/metric_kernels.hpp"

namespace tenon {
namespace {

constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::max(), kElementsATask = 1 << 14;

template <class T, class L>
void check_binary(const BinaryCheck& p, const T* scores, const L* truth, std::uint8_t* yes) {
  std::mutex mutex;
  std::int64_t refused = kNone, value = 0;
  parallel_blocks(p.count, kElementsATask, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const double score = double(Acc<T>(scores[i]));
      const bool is_label = truth[i] == L(0) || truth[i] == L(1);
      yes[i] = is_label && truth[i] == L(1);
      if (is_taken(score, p.probabilities) && is_label) continue;
      const std::lock_guard lock(mutex);
      const Why why = why_refused(score, p.probabilities);
      if (const std::int64_t at = refused_at(i, why); at < refused) {
        refused = at;
        value = why == Why::binary ? std::int64_t(truth[i]) : std::bit_cast<std::int64_t>(score);
      }
      break;  // this task's first
    }
  });
  if (refused != kNone) refuse_metric(p.op, value, refused);
}

Kernel make_check(const BinaryCheck& p) {
  return [p](void* const* o) {
    dispatch_floating(p.op, p.scores, [&](auto scores) {
      dispatch_integer(p.truth, [&](auto truth) {
        check_binary(p, static_cast<const typename decltype(scores)::type*>(o[0]), static_cast<const typename decltype(truth)::type*>(o[1]), static_cast<std::uint8_t*>(o[2]));
      });
    });
  };
}

/// What the runs that start in [begin, end) of a row add.
template <class T, class Sum>
Sum add_runs(const T* scores, const std::int64_t* hits, std::int64_t n, std::int64_t begin, std::int64_t end) {
  Sum sum = 0;
  for (std::int64_t i = begin; i < end;) {
    if (i > 0 && Acc<T>(scores[i]) == Acc<T>(scores[i - 1])) {
      ++i;
      continue;
    }
    const std::int64_t past = run_end(scores, i, n);
    const ScoreRun run{i, past, i ? hits[i - 1] : 0, hits[past - 1], hits[n - 1], n};
    if constexpr (std::is_same_v<Sum, double>)
      sum += run.precision();
    else
      sum += run.pairs();
    i = past;
  }
  return sum;
}

template <class T, class Sum>
void rank(const RankedScores& p, const T* scores, const std::int64_t* hits, Sum* partial, double* out) {
  const std::int64_t n = p.cut.n, parts = p.cut.parts(), length = p.cut.part();
  parallel_blocks(p.cut.rows * parts, std::max<std::int64_t>(1, kElementsATask / length), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t row = i / parts, at = i % parts * length;
      const Sum sum = add_runs<T, Sum>(scores + row * n, hits + row * n, n, at, std::min(n, at + length));
      if (parts > 1)
        partial[i] = sum;
      else
        out[row] = ranked_value(sum, hits[row * n + n - 1], n);
    }
  });
  if (parts == 1) return;
  for (std::int64_t row = 0; row < p.cut.rows; ++row) {
    Sum sum = 0;
    for (std::int64_t k = 0; k < parts; ++k) sum += partial[row * parts + k];
    out[row] = ranked_value(sum, hits[row * n + n - 1], n);
  }
}

Kernel make_ranked(const RankedScores& p) {
  return dispatch_floating("auroc", p.dtype, [&](auto tag) -> Kernel {
    using T = typename decltype(tag)::type;
    return [p](void* const* o) {
      const T* scores = static_cast<const T*>(o[0]);
      const auto* hits = static_cast<const std::int64_t*>(o[1]);
      auto* out = static_cast<double*>(o[3]);
      if (p.area)
        rank(p, scores, hits, static_cast<std::uint64_t*>(o[2]), out);
      else
        rank(p, scores, hits, static_cast<double*>(o[2]), out);
    };
  });
}

}  // namespace

KernelSlot<const BinaryCheck&> binary_check_kernel("binary_check", make_check);
KernelSlot<const RankedScores&> ranked_scores_kernel("ranked_scores", make_ranked);

}  // namespace tenon
