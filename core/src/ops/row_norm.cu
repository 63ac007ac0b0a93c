/// Layer norm and RMS norm on the device: a team of threads a row, which keeps its first loads in registers; sums over the rows for the
/// parameters' gradients by columns, in a second pass that finds the rows in the cache where they fit.
#include "backend/cuda/columns.cuh"
#include "backend/cuda/install.hpp"
#include "backend/cuda/row_norm_own.hpp"
#include "backend/cuda/row_team.cuh"
#include "kernels/norm.hpp"
#include "ops/dispatch.hpp"
#include "ops/rms_norm_kernels.hpp"

namespace tenon::cuda {
namespace {

/// Rms: no mean, no shift.
template <class T, int N, bool Rms>
__global__ void row_norm(RowCut k, Acc<T> eps, const T* x, const Acc<T>* scale, const Acc<T>* shift, T* y, Acc<T>* means, Acc<T>* rstds) {
  using A = Acc<T>;
  __shared__ A shared[kBlock / 32];
  const TeamPlace at = team_place(k.team);
  const bool active = at.row < k.rows;
  const RowPart<T, N, 4> part(k, at, x);
  A mean = A(0);
  if constexpr (!Rms) {
    A sum = A(0);
    each_pack<4>(k, at.lane, active, [&](int u, std::int64_t pack) {
      A v[N];
      part.get(u, pack, v);
#pragma unroll
      for (int i = 0; i < N; ++i) sum += v[i];
    });
    mean = team_sum<A>(sum, k.team, shared) / A(k.channels);
  }
  A square = A(0);
  each_pack<4>(k, at.lane, active, [&](int u, std::int64_t pack) {
    A v[N];
    part.get(u, pack, v);
#pragma unroll
    for (int i = 0; i < N; ++i) square += (v[i] - mean) * (v[i] - mean);
  });
  const A rstd = A(1) / std::sqrt(team_sum<A>(square, k.team, shared) / A(k.channels) + eps);
  each_pack<4>(k, at.lane, active, [&](int u, std::int64_t pack) {
    A v[N], gain[N], add[N];
    part.get(u, pack, v);
    load_any<A, N>(scale + pack * N, gain);
    if constexpr (!Rms) load_any<A, N>(shift + pack * N, add);
#pragma unroll
    for (int i = 0; i < N; ++i) {
      if constexpr (Rms) {
        v[i] = (v[i] * rstd) * gain[i];
      } else {
        v[i] = ((v[i] - mean) * rstd) * gain[i] + add[i];
      }
    }
    store_lanes<T, N>(y + at.row * k.channels + pack * N, v);
  });
  if (active && at.lane == 0) {
    if constexpr (!Rms) means[at.row] = mean;
    rstds[at.row] = rstd;
  }
}

template <class T, int N, bool Rms>
__global__ void row_gradient(RowCut k, const T* x, const T* dy, const Acc<T>* means, const Acc<T>* rstds, const Acc<T>* scale, T* dx) {
  using A = Acc<T>;
  __shared__ A shared[kBlock / 32];
  const TeamPlace at = team_place(k.team);
  const bool active = at.row < k.rows;
  const RowPart<T, N, 2> values(k, at, x), slopes(k, at, dy);
  const A rstd = active ? rstds[at.row] : A(0);
  A mean = A(0), sum1 = A(0), sum2 = A(0);
  if constexpr (!Rms) mean = active ? means[at.row] : A(0);
  each_pack<2>(k, at.lane, active, [&](int u, std::int64_t pack) {
    A v[N], g[N], gain[N];
    values.get(u, pack, v);
    slopes.get(u, pack, g);
    load_any<A, N>(scale + pack * N, gain);
#pragma unroll
    for (int i = 0; i < N; ++i) {
      const A scaled = g[i] * gain[i];
      if constexpr (!Rms) sum1 += scaled;
      sum2 += scaled * (v[i] - mean);
    }
  });
  if constexpr (!Rms) sum1 = team_sum<A>(sum1, k.team, shared);
  sum2 = team_sum<A>(sum2, k.team, shared);
  const A offset = -rstd * (sum1 / A(k.channels)), pull = -rstd * rstd * (sum2 * rstd / A(k.channels));
  each_pack<2>(k, at.lane, active, [&](int u, std::int64_t pack) {
    A v[N], g[N], gain[N];
    values.get(u, pack, v);
    slopes.get(u, pack, g);
    load_any<A, N>(scale + pack * N, gain);
#pragma unroll
    for (int i = 0; i < N; ++i) v[i] = gain[i] * g[i] * rstd + (pull * (v[i] - mean) + offset);
    store_lanes<T, N>(dx + at.row * k.channels + pack * N, v);
  });
}

/// Runs of `each` rows, a block each and slice of the columns.
struct ParameterCut {
  std::int64_t rows, channels, each;
  unsigned slices;
  int tx, ty;
};

/// partial [pieces, 1 or 2, channels]: sums of dy (not for Rms) and of dy times the normal row. Backwards: the pass before has left the end
/// in the cache.
template <class T, int N, bool Rms, class P>
__global__ void row_parameter_sums(ParameterCut k, const T* x, const T* dy, const Acc<T>* means, const Acc<T>* rstds, P* partial) {
  using A = Acc<T>;
  constexpr int M = Rms ? N : 2 * N;
  const unsigned block = gridDim.x - 1 - blockIdx.x, slice = block % k.slices;
  const std::int64_t piece = block / k.slices, begin = piece * k.each, end = begin + k.each < k.rows ? begin + k.each : k.rows;
  const int row = int(threadIdx.x) / k.tx;
  const std::int64_t c = (std::int64_t(slice) * k.tx + int(threadIdx.x) % k.tx) * N;
  P total[M];
#pragma unroll
  for (int i = 0; i < M; ++i) total[i] = P(0);
  for (std::int64_t r = begin + row; c < k.channels && r < end;) {
    A sum[M];
#pragma unroll
    for (int i = 0; i < M; ++i) sum[i] = A(0);
#pragma unroll 2
    for (int turn = 0; turn < 32 && r < end; ++turn, r += k.ty) {
      A v[N], g[N], mean = A(0);
      load_lanes<T, N>(x + r * k.channels + c, v);
      load_lanes<T, N>(dy + r * k.channels + c, g);
      const A rstd = rstds[r];
      if constexpr (!Rms) mean = means[r];
#pragma unroll
      for (int i = 0; i < N; ++i) {
        if constexpr (!Rms) sum[i] += g[i];
        sum[M - N + i] += g[i] * ((v[i] - mean) * rstd);
      }
    }
#pragma unroll
    for (int i = 0; i < M; ++i) total[i] += P(sum[i]);
  }
  sum_tile_rows<P, M>(total, dynamic_shared<P>(), k.tx, k.ty);
  if (row != 0 || c >= k.channels) return;
#pragma unroll
  for (int i = 0; i < M; ++i) partial[(piece * (M / N) + i / N) * k.channels + c + i % N] = total[i];
}

template <class P, class A>
__global__ void row_parameters(const P* partial, std::int64_t channels, A* first, A* second) {
  const std::int64_t c = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (c >= channels) return;
  first[c] = A(partial[c]);
  if (second) second[c] = A(partial[channels + c]);
}

template <class T, int N, bool Rms, class P>
void parameter_gradients(const RowNorm& p, const T* x, const T* dy, const Acc<T>* mean, const Acc<T>* rstd, P* partial, Acc<T>* first,
                         Acc<T>* second) {
  using A = Acc<T>;
  constexpr int M = Rms ? N : 2 * N;
  // The partial sums have room for blocks() pieces; fewer, longer ones save work.
  const std::int64_t each = p.block() * ((p.blocks() + 2 * kFillBlocks - 1) / (2 * kFillBlocks)), pieces = (p.rows + each - 1) / each;
  const ColumnTile t = column_tile(p.channels / N, pieces);
  const ParameterCut k{p.rows, p.channels, each, t.slices, t.tx, t.ty};
  start("row_norm_parameter_sums", dim3(grid_blocks(pieces * t.slices)), dim3(t.threads()), sizeof(P) * M * t.threads(),
        row_parameter_sums<T, N, Rms, P>, k, x, dy, mean, rstd, partial);
  fold_rows<P>("row_norm_parameter_fold", partial, 1, pieces, (M / N) * p.channels);
  start("row_norm_parameters", dim3(grid_blocks((p.channels + kBlock - 1) / kBlock)), dim3(kBlock), 0, row_parameters<P, A>, partial,
        p.channels, first, second);
}

template <class T, bool Rms>
void run_rows(const RowNorm& p, const void* x, const void* scale, const void* shift, void* y, void* mean, void* rstd) {
  using A = Acc<T>;
  by_lanes<T>(p.channels, {x, y}, [&](auto lanes) {
    constexpr int N = decltype(lanes)::value;
    const RowCut k = row_cut(p.rows, p.channels, N);
    start("row_norm", dim3(team_blocks(k.rows, k.team)), dim3(kBlock), 0, row_norm<T, N, Rms>, k, A(p.eps), static_cast<const T*>(x),
          static_cast<const A*>(scale), static_cast<const A*>(shift), static_cast<T*>(y), static_cast<A*>(mean), static_cast<A*>(rstd));
  });
}

/// first, second: d_shift and d_scale; d_scale and nothing for Rms.
template <class T, bool Rms, class P>
void run_gradient(const RowNorm& p, const void* x_, const void* dy_, const void* mean_, const void* rstd_, const void* scale, void* dx,
                  void* partial, void* first, void* second) {
  using A = Acc<T>;
  const T *x = static_cast<const T*>(x_), *dy = static_cast<const T*>(dy_);
  const A *mean = static_cast<const A*>(mean_), *rstd = static_cast<const A*>(rstd_);
  by_lanes<T>(p.channels, {x, dy, dx}, [&](auto lanes) {
    constexpr int N = decltype(lanes)::value;
    const RowCut k = row_cut(p.rows, p.channels, N);
    start("row_norm_gradient", dim3(team_blocks(k.rows, k.team)), dim3(kBlock), 0, row_gradient<T, N, Rms>, k, x, dy, mean, rstd,
          static_cast<const A*>(scale), static_cast<T*>(dx));
    parameter_gradients<T, N, Rms, P>(p, x, dy, mean, rstd, static_cast<P*>(partial), static_cast<A*>(first), static_cast<A*>(second));
  });
}

template <class T>
Kernel make_kernel(const RowNorm& p, RowNormPass pass) {
  switch (pass) {
    case RowNormPass::layer:
      return [p](void* const* o) { run_rows<T, false>(p, o[0], o[1], o[2], o[3], o[4], o[5]); };
    case RowNormPass::layer_gradient:
      return [p](void* const* o) { run_gradient<T, false, double>(p, o[0], o[1], o[2], o[3], o[4], o[5], o[6], o[8], o[7]); };
    case RowNormPass::rms:
      return [p](void* const* o) { run_rows<T, true>(p, o[0], o[1], nullptr, o[2], nullptr, o[3]); };
    default:
      return [p](void* const* o) { run_gradient<T, true, Acc<T>>(p, o[0], o[1], nullptr, o[2], o[3], o[4], o[5], o[6], nullptr); };
  }
}

}  // namespace

Kernel own_row_norm(const RowNorm& p, RowNormPass pass) {
  return dispatch_floating("row_norm", p.dtype, [&](auto tag) -> Kernel { return make_kernel<typename decltype(tag)::type>(p, pass); });
}

void install_row_norm() {
  for_row_norm_slots(
      [](auto& slot, RowNormPass pass) { slot.set(DeviceType::cuda, [pass](const RowNorm& p) { return own_row_norm(p, pass); }); });
}

}  // namespace tenon::cuda
