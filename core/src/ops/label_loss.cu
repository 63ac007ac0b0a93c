/// Cross entropy and Dice on the device: tiles of rows in shared memory up to 256 classes, teams of threads a row beyond.
#include "backend/cuda/install.hpp"
#include "backend/cuda/last_block.cuh"
#include "ops/label_loss.cuh"

namespace tenon::cuda {
namespace {

constexpr std::int64_t kMostLeft = kMostTurns * kBlock;  ///< partial sums that one block may add up

/// Where a loss goes; none: partial sums are for other kernels to finish.
template <class A>
struct LossTo {
  double* totals;
  A* loss;
  double smooth;
};

/// By one block; partial is folded. shared: kBlock values.
template <class A, bool Dice>
__device__ void finish_loss(const LossCut& k, const LossTo<A>& to, const double* partial, double* shared) {
  const std::int64_t t = threadIdx.x, K = k.classes, step = k.chunks * (Dice ? k.width() : 1);
  double entropy = 0, dice = 0;
  for (std::int64_t s = t; s < k.samples; s += kBlock) entropy += partial[s * step];
  if constexpr (Dice) {
    for (std::int64_t i = t; i < k.samples * 3 * K; i += kBlock) to.totals[i] = partial[i / (3 * K) * step + 1 + i % (3 * K)];
    for (std::int64_t i = t; i < k.samples * (K - 1); i += kBlock) {
      const double* in = partial + i / (K - 1) * step + 2 + i % (K - 1);  // the background is left out
      dice += dice_term(in[0], in[K], in[2 * K], to.smooth).value();
    }
    dice = segment_sum(dice, shared, kBlock);
  }
  entropy = segment_sum(entropy, shared, kBlock);
  if (t != 0) return;
  double value = entropy / (double(k.samples) * double(k.voxels));
  if constexpr (Dice) {
    value += 1 - dice / double(k.samples * (K - 1));
  } else {
    to.totals[0] = 0;
  }
  *to.loss = A(value);
}

/// What the blocks of all samples left, added up by one block into the first chunk's place. shared: kBlock values.
__device__ inline void fold_losses(const LossCut& k, std::int64_t width, double* partial, double* shared) {
  const int t = int(threadIdx.x), columns = int(k.samples * width), lanes = columns < kBlock ? kBlock / columns : 1;
  for (int first = 0; first < columns; first += kBlock) {
    const int column = first + t % (columns < kBlock ? columns : kBlock), lane = columns < kBlock ? t / columns : 0;
    double* at = partial + column / width * k.chunks * width + column % width;
    double sum = 0;
    if (lane < lanes && column < columns) {
#pragma unroll 4
      for (std::int64_t chunk = lane; chunk < k.chunks; chunk += lanes) sum += __ldcg(at + chunk * width);
    }
    __syncthreads();
    shared[t] = sum;
    __syncthreads();
    if (lane != 0 || column >= columns) continue;
    for (int l = 1; l < lanes; ++l) sum += shared[l * columns + column];
    *at = sum;
  }
  __syncthreads();
}

/// partial: cross entropy of a chunk; then, for Dice, sums of p t, p and t a class.
template <class T, bool Dice>
__global__ void label_sums(LossCut k, const T* x, const void* labels, double* partial, LossTo<Acc<T>> to) {
  using A = Acc<T>;
  __shared__ A tile[kTilePadded];
  __shared__ int label[kTileRows];
  __shared__ double shared[kBlock];
  const LossRows at = loss_rows(k);
  const int t = int(threadIdx.x), K = k.tile.classes, own = t / k.segment;
  A entropy = A(0), inter = A(0), prob = A(0), truth = A(0);
  for (std::int64_t first = at.begin; first < at.end; first += k.tile.rows) {
    const int n = int(at.end - first < k.tile.rows ? at.end - first : k.tile.rows);
    load_rows<T>(k, x, labels, first, n, tile, label);
    each_tile_row(k.tile, n, [&](const TileRow& row) {
      A chosen = A(0);
      if (row.leads()) chosen = label[row.index] < 0 ? std::numeric_limits<A>::quiet_NaN() : tile[tile_at(row.begin + label[row.index])];
      const A top = tile_row_max<A>(tile, row.begin, k.tile, row.lane);
      if (k.tile.team > 1) __syncwarp();  // the chosen one has been read before any is written
      const A sum = tile_row_exponentials<Dice, A>(tile, row.begin, k.tile, row.lane, top);
      if (row.leads()) entropy += log_fast(sum) - (chosen - top);
      if constexpr (Dice) {
        const A share = A(1) / sum;
        for (int c = row.lane; c < K; c += k.tile.team) tile[tile_at(row.begin + c)] *= share;
      }
    });
    if constexpr (Dice) {
      __syncthreads();
      for (int r = t % k.segment; own < K && r < n; r += k.segment) {
        const A p = tile[tile_at(r * K + own)];
        prob += p;
        if (label[r] == own) {
          inter += p;
          truth += A(1);
        }
      }
    }
  }
  double* out = partial + std::int64_t(blockIdx.x) * (Dice ? k.width() : 1);
  const double entropy_sum = segment_sum(double(entropy), shared, kBlock);
  if (t == 0) out[0] = entropy_sum;
  if constexpr (Dice) {
    const double a = segment_sum(double(inter), shared, k.segment), b = segment_sum(double(prob), shared, k.segment),
                 c = segment_sum(double(truth), shared, k.segment);
    if (own < K && t % k.segment == 0) {
      out[1 + own] = a;
      out[1 + K + own] = b;
      out[1 + 2 * K + own] = c;
    }
  }
  if (!to.loss || !is_last_block(0, gridDim.x)) return;
  fold_losses(k, Dice ? k.width() : 1, partial, shared);
  finish_loss<A, Dice>(k, to, partial, shared);
}

/// Cross entropy of rows of many classes: a row a team, and partial its own.
template <class T, int N>
__global__ void label_sums_teams(LossCut k, RowCut row, const T* x, const void* labels, double* partial) {
  using A = Acc<T>;
  __shared__ A shared[kBlock / 32];
  const TeamPlace at = team_place(row.team);
  const bool active = at.row < row.rows;
  const RowPart<T, N, 4> part(row, at, x);
  const RowSoftmax<T, N> soft(row, at, active, part, shared);
  if (!active || at.lane != 0) return;
  const int hit = read_label(k, labels, at.row);
  const A chosen = hit < 0 ? std::numeric_limits<A>::quiet_NaN() : widen<T>(x[at.row * row.channels + hit]);
  partial[at.row] = double(log_fast(soft.sum) - (chosen - soft.top));
}

template <class A, bool Dice>
__global__ void label_loss_finish(LossCut k, const double* partial, LossTo<A> to) {
  __shared__ double shared[kBlock];
  finish_loss<A, Dice>(k, to, partial, shared);
}

template <class T, bool Dice>
Kernel forward(const LabelLoss& p) {
  return [p, fault = label_fault(p.op(), p.classes)](void* const* o) {
    const LossCut k = loss_cut(p, fault);
    const T* x = static_cast<const T*>(o[0]);
    const void* labels = o[1];
    double* partial = static_cast<double*>(o[2]);
    const LossTo<Acc<T>> to{static_cast<double*>(o[3]), static_cast<Acc<T>*>(o[4]), p.smooth};
    if (p.classes <= kManyClasses) {
      const unsigned blocks = grid_blocks(k.samples * k.chunks);
      const bool whole = std::int64_t(blocks) * p.sums() <= kMostLeft;
      start("label_sums", dim3(blocks), dim3(kBlock), 0, label_sums<T, Dice>, k, x, labels, partial, whole ? to : LossTo<Acc<T>>{});
      if (whole) return;
    } else {
      by_lanes<T>(p.classes, {x}, [&](auto lanes) {
        constexpr int N = decltype(lanes)::value;
        const RowCut row = row_cut(p.samples * p.voxels, p.classes, N);
        start("label_sums_teams", dim3(team_blocks(row.rows, row.team)), dim3(kBlock), 0, label_sums_teams<T, N>, k, row, x, labels,
              partial);
      });
    }
    fold_rows<double>("label_sums_fold", partial, p.samples, k.chunks, p.sums());
    start("label_loss_finish", dim3(1), dim3(kBlock), 0, label_loss_finish<Acc<T>, Dice>, k, static_cast<const double*>(partial), to);
  };
}

__global__ void __launch_bounds__(kBlock)
    check_labels(DType type, const void* labels, std::int64_t* y, std::int64_t count, std::int64_t classes, bool ignores, std::int64_t ignored,
                 FaultSite fault) {
  const std::int64_t threads = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += threads) {
    std::int64_t v = raw_label(labels, type, i);
    if (ignores && v == ignored) {
      v = -1;
    } else if (std::uint64_t(v) >= std::uint64_t(classes)) {
      fault.raise(i, v);
    }
    y[i] = v;
  }
}

Kernel make_check(const LabelCheck& p) {
  return [p, fault = label_fault(p.op, p.classes)](void* const* o) {
    start_items("checked_labels", p.count, check_labels, p.labels, static_cast<const void*>(o[0]), static_cast<std::int64_t*>(o[1]), p.count,
                p.classes, p.ignored.has_value(), p.ignored.value_or(0), fault);
  };
}

}  // namespace

void install_label_loss() {
  checked_labels_kernel.set(DeviceType::cuda, make_check);
  label_loss_kernel.set(DeviceType::cuda, [](const LabelLoss& p) -> Kernel {
    return dispatch_floating("cross_entropy", p.dtype, [&](auto tag) -> Kernel {
      using T = typename decltype(tag)::type;
      return p.dice ? forward<T, true>(p) : forward<T, false>(p);
    });
  });
}

}  // namespace tenon::cuda
