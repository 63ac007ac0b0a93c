/// The gradient of cross entropy and Dice on the device.
#include <algorithm>

#include "backend/cuda/install.hpp"
#include "ops/label_loss.cuh"

namespace tenon::cuda {
namespace {

template <class T, bool Dice>
__global__ void label_gradient(LossCut k, double smooth, const T* x, const void* labels, const double* totals, const Acc<T>* d_loss,
                               T* dx) {
  using A = Acc<T>;
  __shared__ A tile[kTilePadded];
  __shared__ int label[kTileRows];
  __shared__ A hit_slope[Dice ? kManyClasses : 1], miss_slope[Dice ? kManyClasses : 1];
  const LossRows at = loss_rows(k);
  const int t = int(threadIdx.x), K = k.tile.classes;
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
    each_tile_row(k.tile, n, [&](const TileRow& row) {
      const int hit = label[row.index];
      const A top = tile_row_max<A>(tile, row.begin, k.tile, row.lane);
      const A one = A(1) / tile_row_exponentials<true, A>(tile, row.begin, k.tile, row.lane, top);
      A pull = A(0);
      if constexpr (Dice) {
        for (int c = row.lane; c < K; c += k.tile.team)
          pull += tile[tile_at(row.begin + c)] * one * (hit == c ? hit_slope[c] : miss_slope[c]);
        pull = team_sum<A>(pull, k.tile.team, nullptr);
      }
      if (hit < 0) pull = std::numeric_limits<A>::quiet_NaN();
      for (int c = row.lane; c < K; c += k.tile.team) {
        A& v = tile[tile_at(row.begin + c)];
        const A p = v * one, d = (p - (hit == c ? A(1) : A(0))) * share;
        v = d + p * ((Dice ? (hit == c ? hit_slope[c] : miss_slope[c]) : A(0)) - pull);
      }
    });
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
  const int hit = read_label(k, labels, at.row);
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

/// Nothing is left for others to add up, so blocks take fewer rows, down to a tile, until a device is full.
LossCut gradient_cut(const LabelLoss& p, const FaultSite& fault) {
  LossCut k = loss_cut(p, fault);
  while (k.chunk % 2 == 0 && k.chunk / 2 >= std::min<std::int64_t>(k.tile.rows, kBlock) && k.samples * k.chunks < kFillBlocks) {
    k.chunk /= 2;
    k.chunks = grid_blocks((k.voxels + k.chunk - 1) / k.chunk);
  }
  return k;
}

template <class T, bool Dice>
Kernel gradient(const LabelLoss& p) {
  using A = Acc<T>;
  return [p, fault = label_fault(p.op(), p.classes)](void* const* o) {
    const LossCut k = gradient_cut(p, fault);
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

void install_label_loss_gradient() {
  label_loss_gradient_kernel.set(DeviceType::cuda, [](const LabelLoss& p) -> Kernel {
    return dispatch_floating("cross_entropy.gradient", p.dtype, [&](auto tag) -> Kernel {
      using T = typename decltype(tag)::type;
      return p.dice ? gradient<T, true>(p) : gradient<T, false>(p);
    });
  });
}

}  // namespace tenon::cuda
