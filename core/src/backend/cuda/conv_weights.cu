/// Weight gradients: dW[o, tap, i] = sum over y's rows of y[row, o] x[source(row, tap), i]. Rows are cut in fixed runs whose sums go to the
/// workspace and are added in order by add_cuts, so that the same input gives the same bits.
#include <algorithm>

#include "backend/cuda/conv_map.cuh"
#include "backend/cuda/conv_own.hpp"
#include "ops/dispatch.hpp"

namespace tenon::cuda {
namespace {

constexpr int kDepth = 16;              // rows that a tile takes at once
constexpr int kSettle = 64;             // steps after which a running sum goes into the total: no long chain of roundings
constexpr std::int64_t kWanted = 1056;  // blocks that fill a large device
constexpr int kFew = 4, kQuad = 4, kShort = 8;

/// y's rows [begin, end) of one cut.
struct Cut {
  std::int64_t begin, end;
  __device__ Cut(std::int64_t rows, std::int64_t cuts, std::int64_t index, std::int64_t round) {
    const std::int64_t each = ((rows + cuts - 1) / cuts + round - 1) / round * round;
    begin = index * each < rows ? index * each : rows;
    end = begin + each < rows ? begin + each : rows;
  }
};

__device__ inline void tap_offsets(const ConvMap& m, int tap, int* offset) {
  for (int a = 2; a >= 0; --a) {
    offset[a] = tap % m.kernel[a] * m.dilation[a] - m.pad[a];
    tap /= m.kernel[a];
  }
}

/// Grid: tiles (group, tap, out tile, in tile), cuts. (Tile / 4)^2 threads of 4 x 4 weights.
template <class T, int Tile>
__global__ void __launch_bounds__(Tile* Tile / 16)
    weight_tiles(const T* x, const T* y, Acc<T>* partial, ConvMap m, std::int64_t cuts, bool wide_x, bool wide_y) {
  using A = Acc<T>;
  constexpr int kSide = Tile / 4, kThreads = kSide * kSide;
  __shared__ __align__(16) A y_tile[kDepth][Tile];
  __shared__ __align__(16) A x_tile[kDepth][Tile];
  const RowClass<true> rows(m, 0);
  const int in_tiles = (m.sources + Tile - 1) / Tile, out_tiles = (m.results + Tile - 1) / Tile;
  int index = int(blockIdx.x);
  const int in0 = index % in_tiles * Tile;
  index /= in_tiles;
  const int out0 = index % out_tiles * Tile;
  index /= out_tiles;
  const int tap = index % int(m.taps), group = index / int(m.taps);
  int offset[3];
  tap_offsets(m, tap, offset);
  const int tid = int(threadIdx.x), down = tid / kSide * 4, across = tid % kSide * 4;
  A sum[4][4], total[4][4];
#pragma unroll
  for (int i = 0; i < 4; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j) sum[i][j] = total[i][j] = 0;
  const Cut cut(rows.rows, cuts, blockIdx.y, kDepth);
  int steps = 0;
  for (std::int64_t at = cut.begin; at < cut.end; at += kDepth) {
#pragma unroll
    for (int item = 0; item < kDepth * kSide / kThreads; ++item) {
      const int place = item * kThreads + tid, line = place / kSide, c = place % kSide * 4;
      A yv[4] = {0, 0, 0, 0}, xv[4] = {0, 0, 0, 0};
      if (at + line < cut.end) {
        const std::int64_t voxel = Row(rows, at + line).source(m, rows, offset);
        if (voxel >= 0) {  // a row outside x counts for nothing, whatever y holds there
          const int y_left = m.results - out0 - c, x_left = m.sources - in0 - c;
          if (y_left > 0)
            load_some<T, 4>(y + (at + line) * m.result_channels + std::int64_t(group) * m.results + out0 + c, yv, y_left, wide_y);
          if (x_left > 0) load_some<T, 4>(x + voxel * m.source_channels + std::int64_t(group) * m.sources + in0 + c, xv, x_left, wide_x);
        }
      }
      store_words<A, 4>(&y_tile[line][c], yv);
      store_words<A, 4>(&x_tile[line][c], xv);
    }
    __syncthreads();
#pragma unroll
    for (int k = 0; k < kDepth; ++k) {
      A a[4], b[4];
      load_words<A, 4>(&y_tile[k][down], a);
      load_words<A, 4>(&x_tile[k][across], b);
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) sum[i][j] += a[i] * b[j];
    }
    __syncthreads();
    if (++steps % kSettle == 0) {
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          total[i][j] += sum[i][j];
          sum[i][j] = 0;
        }
    }
  }
  A* to = partial + std::int64_t(blockIdx.y) * m.groups * m.results * m.taps * m.sources;
#pragma unroll
  for (int i = 0; i < 4; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j)
      if (out0 + down + i < m.results && in0 + across + j < m.sources)
        to[weight_at<true>(m, group, tap, in0 + across + j, out0 + down + i)] = total[i][j] + sum[i][j];
}

/// One thread a weight and cut, the out channel innermost: for many groups of few channels. Grid: weights, cuts.
template <class T>
__global__ void weight_each(const T* x, const T* y, Acc<T>* partial, ConvMap m, std::int64_t cuts) {
  const RowClass<true> rows(m, 0);
  const std::int64_t weights = std::int64_t(m.result_channels) * m.taps * m.sources, pace = std::int64_t(gridDim.x) * blockDim.x;
  const Cut cut(rows.rows, cuts, blockIdx.y, 1);
  for (std::int64_t w = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; w < weights; w += pace) {
    int out = 0, in = 0, offset[3];
    const int tap = int(divide(divide(w, m.result_channels, out), m.sources, in)), group = out / m.results;
    tap_offsets(m, tap, offset);
    Acc<T> sum = 0, total = 0;
    for (std::int64_t at = cut.begin; at < cut.end; ++at) {
      const std::int64_t voxel = Row(rows, at).source(m, rows, offset);
      if (voxel >= 0)
        sum += Acc<T>(y[at * m.result_channels + out]) * Acc<T>(x[voxel * m.source_channels + std::int64_t(group) * m.sources + in]);
      if (((at - cut.begin) & 1023) == 1023) {
        total += sum;
        sum = 0;
      }
    }
    partial[std::int64_t(blockIdx.y) * weights + weight_at<true>(m, group, tap, in, out % m.results)] = total + sum;
  }
}

/// One operand with few channels: a thread holds 4 channels of the wide one and up to 8 places (tap, channel) of the narrow one, and takes
/// every lanes-th row; the lanes of a block are added in a tree. Grid: cuts, places by 8, wide channels by a tile.
/// `swapped`: y is the narrow one (then of a single tap at the same place as its row).
struct FewShape {
  int wide_channels, narrow_channels, places, quads;  // quads: threads along the wide channels, a power of two
  std::int64_t wide_step, place_step;                 // where a weight lies
  bool swapped;
};

template <class T>
__global__ void __launch_bounds__(256)
    weight_few(const T* x, const T* y, Acc<T>* partial, ConvMap m, FewShape f, std::int64_t cuts, bool wide_load) {
  using A = Acc<T>;
  __shared__ A added[256][kQuad];
  const RowClass<true> rows(m, 0);
  const int tid = int(threadIdx.x), lanes = 256 / f.quads, lane = tid / f.quads,
            channel = (int(blockIdx.z) * f.quads + tid % f.quads) * kQuad;
  const int place0 = int(blockIdx.y) * kShort, left = f.wide_channels - channel;
  int offset[kShort][3], narrow[kShort];
#pragma unroll
  for (int j = 0; j < kShort; ++j) {
    const int place = place0 + j < f.places ? place0 + j : f.places - 1;
    narrow[j] = place % f.narrow_channels;
    tap_offsets(m, f.swapped ? 0 : place / f.narrow_channels, offset[j]);
  }
  A sum[kShort][kQuad];
#pragma unroll
  for (int j = 0; j < kShort; ++j)
#pragma unroll
    for (int c = 0; c < kQuad; ++c) sum[j][c] = 0;
  const Cut cut(rows.rows, cuts, blockIdx.x, 1);
  const T *wide = f.swapped ? x : y, *thin = f.swapped ? y : x;
  for (std::int64_t at = cut.begin + lane; at < cut.end; at += lanes) {
    A w[kQuad] = {0, 0, 0, 0};
    if (left > 0) load_some<T, kQuad>(wide + at * f.wide_channels + channel, w, left, wide_load);
    const Row row(rows, at);
#pragma unroll
    for (int j = 0; j < kShort; ++j) {
      const std::int64_t voxel = f.swapped ? at : row.source(m, rows, offset[j]);
      if (voxel < 0) continue;
      const A v = A(thin[voxel * f.narrow_channels + narrow[j]]);
#pragma unroll
      for (int c = 0; c < kQuad; ++c) sum[j][c] += v * w[c];
    }
  }
  A* to = partial + std::int64_t(blockIdx.x) * f.wide_channels * f.places;
#pragma unroll
  for (int j = 0; j < kShort; ++j) {
#pragma unroll
    for (int c = 0; c < kQuad; ++c) added[tid][c] = sum[j][c];
    __syncthreads();
    for (int half = lanes / 2; half > 0; half /= 2) {
      if (lane < half)
        for (int c = 0; c < kQuad; ++c) added[tid][c] += added[tid + half * f.quads][c];
      __syncthreads();
    }
    if (lane == 0 && place0 + j < f.places)
      for (int c = 0; c < kQuad; ++c)
        if (c < left) to[(channel + c) * f.wide_step + (place0 + j) * f.place_step] = added[tid][c];
    __syncthreads();
  }
}

FewShape few_shape(const ConvGeometry& g) {
  const ConvMap m(g, true);
  FewShape f{};
  f.swapped = m.sources > kFew;
  f.wide_channels = f.swapped ? m.sources : m.results;
  f.narrow_channels = f.swapped ? m.results : m.sources;
  f.places = int(m.taps) * f.narrow_channels;
  f.quads = 1;
  while (f.quads < 16 && f.quads * kQuad < f.wide_channels) f.quads *= 2;
  f.wide_step = f.swapped ? 1 : f.places;
  f.place_step = f.swapped ? f.wide_channels : 1;
  return f;
}

bool pointwise(const ConvGeometry& g) {
  constexpr ConvGeometry::Sizes kOnes{1, 1, 1}, kZeros{0, 0, 0};
  return g.kernel == kOnes && g.stride == kOnes && g.pad == kZeros && g.in == g.out;
}

int tile_of(const ConvGeometry& g) {
  return std::max(g.in_channels, g.out_channels) / g.groups <= 32 ? 32 : 64;
}
bool worth_tiles(const ConvGeometry& g) {
  return g.groups == 1 || std::min(g.in_channels, g.out_channels) / g.groups >= 8;
}

/// Blocks of one cut.
std::int64_t cut_blocks(const ConvGeometry& g) {
  auto tiles = [](std::int64_t n, std::int64_t tile) { return (n + tile - 1) / tile; };
  if (conv_few_weights_fits(g)) {
    const FewShape f = few_shape(g);
    return tiles(f.places, kShort) * tiles(f.wide_channels, std::int64_t(f.quads) * kQuad);
  }
  if (worth_tiles(g))
    return g.groups * g.taps() * tiles(g.in_channels / g.groups, tile_of(g)) * tiles(g.out_channels / g.groups, tile_of(g));
  return tiles(g.weights(), kBlock);
}

template <class T, int Tile>
void run_tiles(const ConvGeometry& g, const void* x, const void* y, void* partial, std::int64_t cuts) {
  const ConvMap m(g, true);
  const std::size_t item = sizeof(T) * 4 < 16 ? sizeof(T) * 4 : 16;
  start("conv_weight_tiles", dim3(unsigned(cut_blocks(g)), unsigned(cuts)), dim3(Tile * Tile / 16), 0, weight_tiles<T, Tile>,
        static_cast<const T*>(x), static_cast<const T*>(y), static_cast<Acc<T>*>(partial), m, cuts, m.sources % 4 == 0 && aligned(x, item),
        m.results % 4 == 0 && aligned(y, item));
}

}  // namespace

bool conv_few_weights_fits(const ConvGeometry& g) {
  if (g.groups != 1) return false;
  return (g.in_channels <= kFew && g.taps() <= 65535) || (g.out_channels <= kFew && pointwise(g));
}

std::int64_t conv_weight_cuts(const ConvGeometry& g) {
  const std::int64_t rows = g.batch * g.out_voxels(), least = conv_few_weights_fits(g) ? 512 : 128;
  const std::int64_t item = g.dtype == DType::f64 ? 8 : 4, most = (std::int64_t(256) << 20) / std::max<std::int64_t>(1, g.weights() * item);
  const std::int64_t wanted = std::min((kWanted + cut_blocks(g) - 1) / cut_blocks(g), rows / least);
  return std::clamp<std::int64_t>(std::min(std::max(wanted, rows >> 18), most), 1,
                                  4096);  // at least so many that no sum has a long chain of roundings
}

void conv_few_weights(const ConvGeometry& g, const void* x, const void* y, void* partial, std::int64_t cuts) {
  dispatch_floating("conv", g.dtype, [&](auto t) {
    using T = typename decltype(t)::type;
    const FewShape f = few_shape(g);
    const unsigned places = unsigned((f.places + kShort - 1) / kShort),
                   tiles = unsigned((f.wide_channels + f.quads * kQuad - 1) / (f.quads * kQuad));
    const bool wide = f.wide_channels % kQuad == 0 && aligned(f.swapped ? x : y, sizeof(T) * 4 < 16 ? sizeof(T) * 4 : 16);
    start("conv_weight_few", dim3(unsigned(cuts), places, tiles), dim3(256), 0, weight_few<T>, static_cast<const T*>(x),
          static_cast<const T*>(y), static_cast<Acc<T>*>(partial), ConvMap(g, true), f, cuts, wide);
  });
}

void conv_weights(const ConvGeometry& g, const void* x, const void* y, void* partial, std::int64_t cuts) {
  dispatch_floating("conv", g.dtype, [&](auto t) {
    using T = typename decltype(t)::type;
    if (worth_tiles(g)) return tile_of(g) == 32 ? run_tiles<T, 32>(g, x, y, partial, cuts) : run_tiles<T, 64>(g, x, y, partial, cuts);
    start("conv_weight_each", dim3(grid_for(g.weights()), unsigned(cuts)), dim3(kBlock), 0, weight_each<T>, static_cast<const T*>(x),
          static_cast<const T*>(y), static_cast<Acc<T>*>(partial), ConvMap(g, true), cuts);
  });
}

}  // namespace tenon::cuda
