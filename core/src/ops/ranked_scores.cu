/// Scores of a yes or no on the device: what is taken, and what is counted from high scores to low.
#include <bit>

#include "backend/cuda/faults.cuh"
#include "backend/cuda/install.hpp"
#include "backend/cuda/lanes.cuh"
#include "ops/dispatch.hpp"
#include "ops/row_parts.cuh"

namespace tenon::cuda {
namespace {

__global__ void __launch_bounds__(kBlock)
    check_binary(DType score_type, DType truth_type, bool probabilities, const void* scores, const void* truth, std::uint8_t* yes, std::int64_t count, FaultSite fault) {
  const std::int64_t threads = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += threads) {
    const double score = score_type == DType::f64 ? load_lane<double>(score_type, scores, i) : double(load_lane<float>(score_type, scores, i));
    const std::int64_t label = load_lane<std::int64_t>(truth_type, truth, i);
    const bool is_label = label == 0 || label == 1;
    yes[i] = is_label && label == 1;
    if (is_taken(score, probabilities) && is_label) continue;
    const Why why = why_refused(score, probabilities);
    fault.raise(refused_at(i, why), why == Why::binary ? label : std::bit_cast<std::int64_t>(score));
  }
}

Kernel make_check(const BinaryCheck& p) {
  const FaultSite fault = fault_site(std::string("scores of ") + p.op, [op = p.op](std::int64_t value, std::int64_t at) { refuse_metric(op, value, at); });
  return [p, fault](void* const* o) {
    start_items("binary_check", p.count, check_binary, p.scores, p.truth, p.probabilities, static_cast<const void*>(o[0]), static_cast<const void*>(o[1]),
                static_cast<std::uint8_t*>(o[2]), p.count, fault);
  };
}

/// The thread at which a run of equal scores starts looks for its end.
template <class T, class Sum>
__global__ void __launch_bounds__(kBlock, 4) rank_scores(PartCut k, const T* scores, const std::int64_t* hits, Sum* partial, double* out) {
  __shared__ Sum shared[kBlock / 32];
  const PartPlace at = part_place(k);
  const std::int64_t row = at.row < k.rows ? at.row : 0;
  scores += row * k.n;
  hits += row * k.n;
  Sum sums[1] = {Sum(0)};
  for (std::int64_t i = at.first + at.lane; i < at.first + at.count; i += k.team) {
    if (i > 0 && widen<T>(scores[i]) == widen<T>(scores[i - 1])) continue;
    const std::int64_t past = run_end(scores, i, k.n);
    const ScoreRun run{i, past, i ? hits[i - 1] : 0, hits[past - 1], hits[k.n - 1], k.n};
    if constexpr (std::is_same_v<Sum, double>)
      sums[0] += run.precision();
    else
      sums[0] += run.pairs();
  }
  finish_rows<Sum, 1>(k, at, sums, partial, shared, [&](const Sum(&total)[1]) { out[at.row] = ranked_value(total[0], hits[k.n - 1], k.n); });
}

template <class T, class Sum>
Kernel rank_of(const RankedScores& p) {
  return [p](void* const* o) {
    const PartCut k(p.cut, 1);
    start("ranked_scores", dim3(k.blocks()), dim3(kBlock), 0, rank_scores<T, Sum>, k, static_cast<const T*>(o[0]), static_cast<const std::int64_t*>(o[1]),
          static_cast<Sum*>(o[2]), static_cast<double*>(o[3]));
  };
}

}  // namespace

void install_ranked_scores() {
  binary_check_kernel.set(DeviceType::cuda, make_check);
  ranked_scores_kernel.set(DeviceType::cuda, [](const RankedScores& p) -> Kernel {
    return dispatch_floating("auroc", p.dtype, [&](auto tag) -> Kernel {
      using T = typename decltype(tag)::type;
      return p.area ? rank_of<T, std::uint64_t>(p) : rank_of<T, double>(p);
    });
  });
}

}  // namespace tenon::cuda
