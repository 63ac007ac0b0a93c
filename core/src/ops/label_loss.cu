/// Cross entropy and Dice on the device: tiles of rows in shared memory up to 256 classes, teams of threads a row beyond.
///
/// A label outside [0, classes) cannot stop a kernel: it makes the loss, and its row of the gradient, NaN.
#include <limits>

#include "backend/cuda/class_tile.cuh"
#include "backend/cuda/columns.cuh"
#include "backend/cuda/install.hpp"
#include "kernels/loss.hpp"
#include "ops/dispatch.hpp"
#include "ops/loss_kernels.hpp"

namespace tenon::cuda {
namespace {

struct LossCut {
  std::int64_t samples, voxels, classes, chunk;
  unsigned chunks;
  DType labels;
  ClassTile tile;
  int segment;  ///< threads that add up one class, a power of two
  TENON_HD std::int64_t width() const { return 1 + 3 * classes; }
};

LossCut loss_cut(const LabelLoss& p) {
  int segment = kBlock;
  while (segment > 1 && segment * p.classes > kBlock) segment /= 2;
  return {p.samples,
          p.voxels,
          p.classes,
          p.chunk(),
          grid_blocks(p.chunks()),
          p.labels,
          class_tile(p.classes <= kManyClasses ? p.classes : kManyClasses),
          segment};
}

/// The label of row i, or -1.
__device__ int read_label(const void* labels, DType type, std::int64_t i, std::int64_t classes) {
  std::int64_t v = 0;
  switch (type) {
    case DType::i8:
      v = static_cast<const std::int8_t*>(labels)[i];
      break;
    case DType::i16:
      v = static_cast<const std::int16_t*>(labels)[i];
      break;
    case DType::i32:
      v = static_cast<const std::int32_t*>(labels)[i];
      break;
    case DType::i64:
      v = static_cast<const std::int64_t*>(labels)[i];
      break;
    default:
      v = static_cast<const std::uint8_t*>(labels)[i];
      break;
  }
  return v < 0 || v >= classes ? -1 : int(v);
}

/// The rows of a block: [begin, end) over all samples.
struct LossRows {
  std::int64_t sample, begin, end;
};
__device__ LossRows loss_rows(const LossCut& k) {
  LossRows at;
  at.sample = blockIdx.x / k.chunks;
  const std::int64_t first = blockIdx.x % k.chunks * k.chunk, n = k.voxels - first < k.chunk ? k.voxels - first : k.chunk;
  at.begin = at.sample * k.voxels + first;
  at.end = at.begin + n;
  return at;
}

template <class T>
__device__ void load_rows(const LossCut& k, const T* x, const void* labels, std::int64_t first, int n, Acc<T>* tile, int* label) {
  __syncthreads();  // the rows before are done with
  load_tile<T>(x + first * k.tile.classes, n * k.tile.classes, tile);
  for (int r = int(threadIdx.x); r < n; r += kBlock) label[r] = read_label(labels, k.labels, first + r, k.classes);
  __syncthreads();
}

/// The sum of v over the first `segment` threads of each aligned group of as many, in those groups' first threads.
__device__ double segment_sum(double v, double* shared, int segment) {
  const int t = int(threadIdx.x);
  __syncthreads();
  shared[t] = v;
  for (int half = segment / 2; half > 0; half /= 2) {
    __syncthreads();
    if (t % segment < half) {
      v += shared[t + half];
      shared[t] = v;
    }
  }
  return v;
}

/// partial: cross entropy of a chunk; then, for Dice, sums of p t, p and t a class.
template <class T, bool Dice>
__global__ void label_sums(LossCut k, const T* x, const void* labels, double* partial) {
  using A = Acc<T>;
  __shared__ A tile[kTilePadded];
  __shared__ int label[kTileRows];
  __shared__ double shared[kBlock];
  const LossRows at = loss_rows(k);
  const int t = int(threadIdx.x), K = k.tile.classes, lane = t % k.tile.team, own = t / k.segment;
  A entropy = A(0), inter = A(0), prob = A(0), truth = A(0);
  for (std::int64_t first = at.begin; first < at.end; first += k.tile.rows) {
    const int n = int(at.end - first < k.tile.rows ? at.end - first : k.tile.rows);
    load_rows<T>(k, x, labels, first, n, tile, label);
    for (int r = t / k.tile.team; r < n; r += kBlock / k.tile.team) {
      const int begin = r * K, hit = label[r];
      const A chosen = hit < 0 ? std::numeric_limits<A>::quiet_NaN() : tile[tile_at(begin + hit)];
      const A top = tile_row_max<A>(tile, begin, k.tile, lane);
      if (k.tile.team > 1) __syncwarp();  // every lane has read before any writes
      const A sum = tile_row_exponentials<Dice, A>(tile, begin, k.tile, lane, top);
      if (lane == 0) entropy += log_fast(sum) - (chosen - top);
      if constexpr (Dice) {
        const A share = A(1) / sum;
        for (int c = lane; c < K; c += k.tile.team) tile[tile_at(begin + c)] *= share;
      }
    }
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
}

/// Largest value of a row and the sum of exponentials over it, for the whole team.
template <class T, int N>
struct RowSoftmax {
  Acc<T> top, sum;
  __device__ RowSoftmax(const RowCut& k, const TeamPlace& at, bool active, const RowPart<T, N, 4>& part, Acc<T>* shared) {
    using A = Acc<T>;
    A high = -std::numeric_limits<A>::infinity(), total = A(0);
    each_pack<4>(k, at.lane, active, [&](int u, std::int64_t pack) {
      A v[N];
      part.get(u, pack, v);
#pragma unroll
      for (int i = 0; i < N; ++i) high = max_nan(v[i], high);
    });
    high = team_join<A>(high, k.team, shared, MaxValues<A>{});
    each_pack<4>(k, at.lane, active, [&](int u, std::int64_t pack) {
      A v[N];
      part.get(u, pack, v);
#pragma unroll
      for (int i = 0; i < N; ++i) total += exp_fast(v[i] - high);
    });
    sum = team_sum<A>(total, k.team, shared);
    top = high;
  }
};

/// Cross entropy of rows of many classes: a chunk a block, a row a team.
template <class T, int N>
__global__ void label_sums_teams(LossCut k, RowCut row, const T* x, const void* labels, double* partial) {
  using A = Acc<T>;
  __shared__ A shared[kBlock / 32];
  __shared__ double sums[kBlock];
  const LossRows at = loss_rows(k);
  const int t = int(threadIdx.x), lane = t % row.team;
  double entropy = 0;
  for (std::int64_t r = at.begin + t / row.team; r < at.end; r += kBlock / row.team) {
    const TeamPlace place{r, lane};
    const RowPart<T, N, 4> part(row, place, x);
    const RowSoftmax<T, N> soft(row, place, true, part, shared);
    if (lane == 0) {
      const int hit = read_label(labels, k.labels, r, k.classes);
      const A chosen = hit < 0 ? std::numeric_limits<A>::quiet_NaN() : widen<T>(x[r * row.channels + hit]);
      entropy += double(log_fast(soft.sum) - (chosen - soft.top));
    }
  }
  const double all = segment_sum(entropy, sums, kBlock);
  if (t == 0) partial[blockIdx.x] = all;
}

/// One block; partial is folded.
template <class A, bool Dice>
__global__ void label_loss_finish(LossCut k, double smooth, const double* partial, double* totals, A* loss) {
  __shared__ double shared[kBlock];
  const std::int64_t t = threadIdx.x, K = k.classes, step = k.chunks * (Dice ? k.width() : 1);
  double entropy = 0, dice = 0;
  for (std::int64_t s = t; s < k.samples; s += kBlock) entropy += partial[s * step];
  if constexpr (Dice) {
    for (std::int64_t i = t; i < k.samples * 3 * K; i += kBlock) totals[i] = partial[i / (3 * K) * step + 1 + i % (3 * K)];
    for (std::int64_t i = t; i < k.samples * (K - 1); i += kBlock) {
      const double* in = partial + i / (K - 1) * step + 2 + i % (K - 1);  // the background is left out
      dice += dice_term(in[0], in[K], in[2 * K], smooth).value();
    }
    dice = segment_sum(dice, shared, kBlock);
  }
  entropy = segment_sum(entropy, shared, kBlock);
  if (t != 0) return;
  double value = entropy / (double(k.samples) * double(k.voxels));
  if constexpr (Dice) {
    value += 1 - dice / double(k.samples * (K - 1));
  } else {
    totals[0] = 0;
  }
  *loss = A(value);
}

template <class T, bool Dice>
__global__ void label_gradient(LossCut k, double smooth, const T* x, const void* labels, const double* totals, const Acc<T>* d_loss,
                               T* dx) {
  using A = Acc<T>;
  __shared__ A tile[kTilePadded];
  __shared__ int label[kTileRows];
  __shared__ A hit_slope[Dice ? kManyClasses : 1], miss_slope[Dice ? kManyClasses : 1];
  const LossRows at = loss_rows(k);
  const int t = int(threadIdx.x), K = k.tile.classes, lane = t % k.tile.team;
  const A share = A(double(*d_loss) / (double(k.samples) * double(k.voxels)));
  if constexpr (Dice) {
    const double* in = totals + at.sample * 3 * K;
    for (int c = t; c < K; c += kBlock) {
      DiceSlope<A> slope{A(0), A(0)};
      if (c > 0) slope = dice_slope<A>(in[c], in[K + c], in[2 * K + c], smooth, double(k.samples * (K - 1)), double(*d_loss));
      hit_slope[c] = slope.always + slope.on_target;
      miss_slope[c] = slope.always;
    }
  }
  for (std::int64_t first = at.begin; first < at.end; first += k.tile.rows) {
    const int n = int(at.end - first < k.tile.rows ? at.end - first : k.tile.rows);
    load_rows<T>(k, x, labels, first, n, tile, label);
    for (int r = t / k.tile.team; r < n; r += kBlock / k.tile.team) {
      const int begin = r * K, hit = label[r];
      const A top = tile_row_max<A>(tile, begin, k.tile, lane);
      if (k.tile.team > 1) __syncwarp();  // lanes without a class of their own read another's
      const A one = A(1) / tile_row_exponentials<true, A>(tile, begin, k.tile, lane, top);
      A pull = A(0);
      if constexpr (Dice) {
        for (int c = lane; c < K; c += k.tile.team) pull += tile[tile_at(begin + c)] * one * (hit == c ? hit_slope[c] : miss_slope[c]);
        pull = team_sum<A>(pull, k.tile.team, nullptr);
      }
      if (hit < 0) pull = std::numeric_limits<A>::quiet_NaN();
      for (int c = lane; c < K; c += k.tile.team) {
        A& v = tile[tile_at(begin + c)];
        const A p = v * one, d = (p - (hit == c ? A(1) : A(0))) * share;
        v = d + p * ((Dice ? (hit == c ? hit_slope[c] : miss_slope[c]) : A(0)) - pull);
      }
    }
    __syncthreads();
    store_tile<T>(tile, n * K, dx + first * K);
  }
}

template <class T, int N>
__global__ void label_gradient_teams(LossCut k, RowCut row, const T* x, const void* labels, const Acc<T>* d_loss, T* dx) {
  using A = Acc<T>;
  __shared__ A shared[kBlock / 32];
  const TeamPlace at = team_place(row.team);
  const bool active = at.row < row.rows;
  const RowPart<T, N, 4> part(row, at, x);
  const RowSoftmax<T, N> soft(row, at, active, part, shared);
  if (!active) return;
  const int hit = read_label(labels, k.labels, at.row, k.classes);
  const A share = hit < 0 ? std::numeric_limits<A>::quiet_NaN() : A(double(*d_loss) / (double(k.samples) * double(k.voxels))),
          one = A(1) / soft.sum;
  each_pack<4>(row, at.lane, true, [&](int u, std::int64_t pack) {
    A v[N];
    part.get(u, pack, v);
#pragma unroll
    for (int i = 0; i < N; ++i) v[i] = (exp_fast(v[i] - soft.top) * one - (pack * N + i == hit ? A(1) : A(0))) * share;
    store_lanes<T, N>(dx + at.row * row.channels + pack * N, v);
  });
}

template <class T, bool Dice>
Kernel forward(const LabelLoss& p) {
  return [p](void* const* o) {
    const LossCut k = loss_cut(p);
    const T* x = static_cast<const T*>(o[0]);
    const void* labels = o[1];
    double *partial = static_cast<double*>(o[2]), *totals = static_cast<double*>(o[3]);
    const unsigned blocks = grid_blocks(k.samples * k.chunks);
    if (p.classes <= kManyClasses) {
      start("label_sums", dim3(blocks), dim3(kBlock), 0, label_sums<T, Dice>, k, x, labels, partial);
    } else {
      by_lanes<T>(p.classes, {x}, [&](auto lanes) {
        constexpr int N = decltype(lanes)::value;
        start("label_sums_teams", dim3(blocks), dim3(kBlock), 0, label_sums_teams<T, N>, k, row_cut(p.samples * p.voxels, p.classes, N), x,
              labels, partial);
      });
    }
    fold_rows<double>("label_sums_fold", partial, p.samples, k.chunks, p.sums());
    start("label_loss_finish", dim3(1), dim3(kBlock), 0, label_loss_finish<Acc<T>, Dice>, k, p.smooth, partial, totals,
          static_cast<Acc<T>*>(o[4]));
  };
}

template <class T, bool Dice>
Kernel gradient(const LabelLoss& p) {
  using A = Acc<T>;
  return [p](void* const* o) {
    const LossCut k = loss_cut(p);
    const T* x = static_cast<const T*>(o[0]);
    const void* labels = o[1];
    const double* totals = static_cast<const double*>(o[2]);
    const A* d_loss = static_cast<const A*>(o[3]);
    T* dx = static_cast<T*>(o[4]);
    if (p.classes <= kManyClasses) {
      start("label_gradient", dim3(grid_blocks(k.samples * k.chunks)), dim3(kBlock), 0, label_gradient<T, Dice>, k, p.smooth, x, labels,
            totals, d_loss, dx);
      return;
    }
    by_lanes<T>(p.classes, {x, dx}, [&](auto lanes) {
      constexpr int N = decltype(lanes)::value;
      const RowCut row = row_cut(p.samples * p.voxels, p.classes, N);
      start("label_gradient_teams", dim3(team_blocks(row.rows, row.team)), dim3(kBlock), 0, label_gradient_teams<T, N>, k, row, x, labels,
            d_loss, dx);
    });
  };
}

}  // namespace

void install_label_loss() {
  label_loss_kernel.set(DeviceType::cuda, [](const LabelLoss& p) -> Kernel {
    return dispatch_floating("cross_entropy", p.dtype, [&](auto tag) -> Kernel {
      using T = typename decltype(tag)::type;
      return p.dice ? forward<T, true>(p) : forward<T, false>(p);
    });
  });
  label_loss_gradient_kernel.set(DeviceType::cuda, [](const LabelLoss& p) -> Kernel {
    return dispatch_floating("cross_entropy.gradient", p.dtype, [&](auto tag) -> Kernel {
      using T = typename decltype(tag)::type;
      return p.dice ? gradient<T, true>(p) : gradient<T, false>(p);
    });
  });
}

}  // namespace tenon::cuda
