#include "ops/fft_tensor.cuh"

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <tuple>
#include <utility>
#include <vector>

#include "backend/cpu/fft/fft_tables.hpp"
#include "backend/cuda/device_attribute.cuh"
#include "backend/cuda/device_memory.hpp"
#include "backend/cuda/lanes.cuh"
#include "backend/cuda/packs.cuh"
#include "backend/cuda/tensor_core.cuh"

namespace tenon::cuda {
namespace {

constexpr int kWarps = 4, kThreads = 32 * kWarps;
constexpr int kWarpColumns = 32, kColumns = kWarps * kWarpColumns;  ///< lines of a warp, four tiles of 8, and of a block
constexpr int kTiles = kWarpColumns / 8;
constexpr int kMostRowTiles = 6;                          ///< of 16 rows, whose sums a warp keeps
constexpr std::size_t kMostTableBytes = 192 * 1024;       ///< in the first-level cache, where that is so large
constexpr int kPieceBytes = 2 * 32 * int(sizeof(float4));  ///< of the matrix: 16 rows of 8, both halves of each number

/// The shapes of a transform as a product: what its matrix depends on, and the lines.
struct Product {
  FftKind kind;
  bool inverse;  ///< from the spectrum
  std::int64_t n, from, to, first, skipped;
  double scale, interior;
  int row_tiles;              ///< of a group
  std::int64_t groups, steps;  ///< of tiles; of 8 columns of the matrix

  Product(const FftGeometry& g, double scale_) : kind(g.kind), n(g.n), scale(scale_), interior(g.interior) {
    inverse = kind == FftKind::real_inverse || (kind == FftKind::complex && g.inverse);
    from = inverse ? g.kept() : g.n, to = inverse ? g.n : g.kept();
    first = g.first(), skipped = g.whole() - g.kept();
    const std::int64_t tiles = (to + values_a_tile() - 1) / values_a_tile();
    groups = std::max<std::int64_t>((tiles + kMostRowTiles - 1) / kMostRowTiles, 1);
    row_tiles = int((tiles + groups - 1) / groups);
    if (row_tiles == 5) row_tiles = 6;
    steps = (from + values_a_step() - 1) / values_a_step();
  }
  bool real_in() const { return kind == FftKind::real_forward; }
  bool real_out() const { return kind == FftKind::real_inverse; }
  /// A complex result's real and imaginary part are rows g and g + 8.
  int values_a_tile() const { return real_out() ? 16 : 8; }
  /// A complex value's parts are columns t and t + 4.
  int values_a_step() const { return real_in() ? 8 : 4; }
  std::size_t table_bytes() const { return std::size_t(groups * steps * row_tiles) * kPieceBytes; }
  auto key() const { return std::tuple(kind, inverse, n, from, to, first, skipped, scale, interior); }

  bool own_mirror(std::int64_t k) const { return k == 0 || 2 * k == n; }
  /// The factor with which value p of a line enters result q; its imaginary part is 0 for what an inverse real transform ignores.
  std::complex<double> entry(std::int64_t p, std::int64_t q) const {
    if (p >= from || q >= to) return 0;
    const std::int64_t kept = inverse ? p : q, j = inverse ? q : p, frequency = kept < first ? kept : kept + skipped;
    std::complex<double> w = cpu::unit_root(frequency * j % n, n) * scale;
    if (inverse) w = std::conj(w);
    if (real_out()) return own_mirror(p) ? std::complex<double>(w.real(), 0) : w * (2 * interior);
    return real_in() && !own_mirror(q) ? w * interior : w;
  }
};

/// As tensor cores round.
float rounded_to_tf32(double x) {
  int exponent = 0;
  const double mantissa = std::frexp(x, &exponent);  // in [0.5, 1)
  return float(std::ldexp(std::nearbyint(std::ldexp(mantissa, 11)), exponent - 11));
}

/// The matrix as the lanes take it: piece by piece ([group][step][tile]), of each first the rounded numbers of all lanes, then what that leaves.
std::vector<float4> table_of(const Product& p) {
  std::vector<float4> table;
  table.reserve(p.table_bytes() / sizeof(float4));
  for (std::int64_t group = 0; group < p.groups; ++group)
    for (std::int64_t step = 0; step < p.steps; ++step)
      for (int tile = 0; tile < p.row_tiles; ++tile) {
        std::array<float4, 64> piece;
        for (int lane = 0; lane < 32; ++lane) {
          const std::int64_t q = (group * p.row_tiles + tile) * p.values_a_tile() + lane / 4, v = step * p.values_a_step() + lane % 4;
          std::array<double, 4> a;
          if (p.real_in()) {
            const auto near = p.entry(v, q), far = p.entry(v + 4, q);
            a = {near.real(), near.imag(), far.real(), far.imag()};
          } else if (p.real_out()) {
            const auto near = p.entry(v, q), far = p.entry(v, q + 8);
            a = {near.real(), far.real(), -near.imag(), -far.imag()};
          } else {
            const auto w = p.entry(v, q);
            a = {w.real(), w.imag(), -w.imag(), w.real()};
          }
          std::array<float, 4> high, low;
          for (std::size_t i = 0; i < 4; ++i) {
            high[i] = rounded_to_tf32(a[i]);
            low[i] = rounded_to_tf32(a[i] - double(high[i]));
          }
          piece[std::size_t(lane)] = make_float4(high[0], high[1], high[2], high[3]);
          piece[std::size_t(32 + lane)] = make_float4(low[0], low[1], low[2], low[3]);
        }
        table.insert(table.end(), piece.begin(), piece.end());
      }
  return table;
}

/// The last tables are kept: eager calls make a kernel each.
std::shared_ptr<const DeviceMemory> device_table(const Product& p) {
  constexpr std::size_t kKept = 64;
  using Entry = std::pair<decltype(p.key()), std::shared_ptr<const DeviceMemory>>;
  static std::mutex mutex;
  static auto& tables = *new std::deque<Entry>;  // outlives the allocator's last use
  std::lock_guard lock(mutex);
  for (const auto& [key, table] : tables)
    if (key == p.key()) return table;
  const std::vector<float4> host = table_of(p);
  auto table = DeviceMemory::holding(host.data(), host.size() * sizeof(float4));
  if (tables.size() == kKept) tables.pop_front();
  tables.emplace_back(p.key(), table);
  return table;
}

// ---- the kernel ------------------------------------------------------------------------------------------------------

/// Lines [outer, values, inner] of which the kernel reads `from` and writes `to` values each; inner is a multiple of 4.
struct Lines {
  std::int64_t inner, columns, from, to, steps, groups, tiles;

  /// Where line `column` starts among lines of `values` values.
  __device__ std::int64_t start(std::int64_t column, std::int64_t values) const {
    std::int64_t o, c;
    if (columns <= 0x7fffffff) {
      o = std::uint32_t(column) / std::uint32_t(inner), c = std::uint32_t(column) % std::uint32_t(inner);
    } else {
      o = column / inner, c = column % inner;
    }
    return o * values * inner + c;
  }
};

/// Which line of a warp's 32 column c of tile j is, so that results are written 64 bytes at a time by four lanes: real ones as four neighbours a lane (of the
/// four tiles), complex ones as two and two.
template <bool RealOut>
__device__ int line_of(int j, int c) {
  return RealOut ? 16 * (c % 2) + 4 * (c / 2) + j : 16 * (c % 2) + 8 * (j / 2) + 2 * (c / 2) + j % 2;
}

/// A number as the sum of two that tensor cores take.
struct Halves {
  float high, low;
  __device__ explicit Halves(float x) : high(mma::to_tf32(x)), low(mma::to_tf32(x - high)) {}
};

/// What a lane reads of a step: the second operand's two numbers of each tile.
template <bool RealIn, bool RealOut>
struct Values {
  float first[kTiles], second[kTiles];

  /// `starts`: of the lane's tiles 0 and 2, in values; -1: no such line.
  __device__ void load(const float* x, const Lines& s, const std::int64_t (&starts)[2], std::int64_t step) {
    const int t = int(threadIdx.x) % 4;
    if constexpr (RealIn) {
      const std::int64_t p = step * 8 + t;
      load_row(x, s, starts, p, first);
      load_row(x, s, starts, p + 4, second);
    } else {
      const std::int64_t p = step * 4 + t;
#pragma unroll
      for (int h = 0; h < 2; ++h) {
        float4 v{};
        if (starts[h] >= 0 && p < s.from) v = *reinterpret_cast<const float4*>(x + 2 * (starts[h] + p * s.inner));
        first[2 * h] = v.x, second[2 * h] = v.y, first[2 * h + 1] = v.z, second[2 * h + 1] = v.w;
      }
    }
  }

 private:
  __device__ static void load_row(const float* x, const Lines& s, const std::int64_t (&starts)[2], std::int64_t p, float (&to)[kTiles]) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      float2 v{};
      if (starts[h] >= 0 && p < s.from) v = *reinterpret_cast<const float2*>(x + starts[h] + p * s.inner);
      to[2 * h] = v.x, to[2 * h + 1] = v.y;
    }
  }
};

template <bool RealOut, int RowTiles>
__device__ void store_sums(float* y, const Lines& s, std::int64_t column0, std::int64_t group, const float (&sums)[RowTiles][kTiles][4]) {
  const int lane = int(threadIdx.x) % 32, g = lane / 4, t = lane % 4;
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    if constexpr (RealOut) {
      const std::int64_t column = column0 + line_of<true>(0, 2 * t + h);
      if (column >= s.columns) continue;
      float* line = y + s.start(column, s.to);
#pragma unroll
      for (int m = 0; m < RowTiles; ++m)
#pragma unroll
        for (int r = 0; r < 2; ++r) {
          const std::int64_t q = (group * RowTiles + m) * 16 + 8 * r + g;
          if (q < s.to)
            *reinterpret_cast<float4*>(line + q * s.inner) =
                make_float4(sums[m][0][2 * r + h], sums[m][1][2 * r + h], sums[m][2][2 * r + h], sums[m][3][2 * r + h]);
        }
    } else {
#pragma unroll
      for (int j = 0; j < kTiles; j += 2) {
        const std::int64_t column = column0 + line_of<false>(j, 2 * t + h);
        if (column >= s.columns) continue;
        float* line = y + 2 * s.start(column, s.to);
#pragma unroll
        for (int m = 0; m < RowTiles; ++m) {
          const std::int64_t q = (group * RowTiles + m) * 8 + g;
          const float4 v = make_float4(sums[m][j][h], sums[m][j][2 + h], sums[m][j + 1][h], sums[m][j + 1][2 + h]);
          if (q < s.to) store_bytes<16>(line + 2 * q * s.inner, &v);
        }
      }
    }
  }
}

/// A warp makes the results of 32 lines, for the rows of one group: lines go from memory to registers and are read once a group; the matrix comes from the
/// first-level cache.
template <bool RealIn, bool RealOut, int RowTiles>
__global__ void __launch_bounds__(kThreads) tensor_fft(const float* x, float* y, const float4* table, Lines s) {
  const int lane = int(threadIdx.x) % 32, g = lane / 4;
  for (std::int64_t block = blockIdx.x; block < s.tiles * s.groups; block += gridDim.x) {
    const std::int64_t group = block % s.groups, column0 = block / s.groups * kColumns + int(threadIdx.x) / 32 * kWarpColumns;
    std::int64_t starts[2];
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const std::int64_t column = column0 + line_of<RealOut>(2 * h, g);
      starts[h] = column < s.columns ? s.start(column, s.from) : -1;
    }
    const float4* piece = table + group * s.steps * RowTiles * 64 + lane;
    float sums[RowTiles][kTiles][4] = {};
    Values<RealIn, RealOut> next;
    next.load(x, s, starts, 0);
    for (std::int64_t step = 0; step < s.steps; ++step) {
      const Values<RealIn, RealOut> v = next;
      if (step + 1 < s.steps) next.load(x, s, starts, step + 1);
      float high[kTiles][2], low[kTiles][2];
#pragma unroll
      for (int j = 0; j < kTiles; ++j) {
        const Halves first(v.first[j]), second(v.second[j]);
        high[j][0] = first.high, low[j][0] = first.low;
        high[j][1] = second.high, low[j][1] = second.low;
      }
#pragma unroll
      for (int m = 0; m < RowTiles; ++m) {
        const float4 a = piece[m * 64], a_low = piece[m * 64 + 32];
        // Tensor cores cut their sums off, rather than round them: a chain of them drifts. So a step's are begun anew, and added by an addition that rounds. The
        // small ones first; one tile after the other, so that no sum waits for the one before.
        float part[kTiles][4] = {};
#pragma unroll
        for (int j = 0; j < kTiles; ++j) mma::multiply_tf32(part[j], a_low, high[j][0], high[j][1]);
#pragma unroll
        for (int j = 0; j < kTiles; ++j) mma::multiply_tf32(part[j], a, low[j][0], low[j][1]);
#pragma unroll
        for (int j = 0; j < kTiles; ++j) mma::multiply_tf32(part[j], a, high[j][0], high[j][1]);
#pragma unroll
        for (int j = 0; j < kTiles; ++j)
#pragma unroll
          for (int e = 0; e < 4; ++e) sums[m][j][e] += part[j][e];
      }
      piece += RowTiles * 64;
    }
    store_sums<RealOut, RowTiles>(y, s, column0, group, sums);
  }
}

using TensorFft = void (*)(const float*, float*, const float4*, Lines);

template <bool RealIn, bool RealOut>
TensorFft kernel_of(int row_tiles) {
  switch (row_tiles) {
    case 1:
      return tensor_fft<RealIn, RealOut, 1>;
    case 2:
      return tensor_fft<RealIn, RealOut, 2>;
    case 3:
      return tensor_fft<RealIn, RealOut, 3>;
    case 4:
      return tensor_fft<RealIn, RealOut, 4>;
    default:
      return tensor_fft<RealIn, RealOut, 6>;
  }
}

TensorFft kernel_of(const Product& p) {
  return p.real_in() ? kernel_of<true, false>(p.row_tiles) : p.real_out() ? kernel_of<false, true>(p.row_tiles) : kernel_of<false, false>(p.row_tiles);
}

}  // namespace

bool tensor_fft_fits(const FftGeometry& g) {
  const Product p(g, 1);
  return g.scalar == DType::f32 && g.inner % 4 == 0 && g.inner > 0 && g.outer > 0 && p.to > 0 && p.from > 0 &&
         p.table_bytes() <= std::min(kMostTableBytes, std::size_t(device_attribute(cudaDevAttrMaxSharedMemoryPerMultiprocessor)));
}

Kernel make_tensor_fft(const FftGeometry& g, double scale, Kernel plain) {
  const Product p(g, scale);
  Lines s{g.inner, g.outer * g.inner, p.from, p.to, p.steps, p.groups, 0};
  s.tiles = (s.columns + kColumns - 1) / kColumns;
  const auto blocks = unsigned(std::min<std::int64_t>(s.tiles * s.groups, std::int64_t(1) << 30));
  const TensorFft kernel = kernel_of(p);
  prefer_first_level_cache(kernel);  // the matrix is read from there
  return [=, table = device_table(p), plain = std::move(plain)](void* const* o) {
    if (!is_aligned(o[0], 16) || !is_aligned(o[1], 16)) return plain(o);
    start("tensor_fft", dim3(blocks), dim3(kThreads), 0, kernel, static_cast<const float*>(o[0]), static_cast<float*>(o[1]),
          table->as<const float4>(), s);
  };
}

}  // namespace tenon::cuda
