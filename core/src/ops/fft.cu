/// Fourier transforms as products with the matrix of the transform: a tile of lines by a tile of values, roots of unity made into tiles of
/// that matrix as they are needed. For few kept values this moves the least memory: lines are read once, only what is kept is written. The same on tensor
/// cores: fft_tensor.cu.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "backend/cpu/fft/fft_tables.hpp"
#include "backend/cuda/complex.cuh"
#include "backend/cuda/device_memory.hpp"
#include "backend/cuda/fft.hpp"
#include "backend/cuda/install.hpp"
#include "backend/cuda/launch.cuh"
#include "ops/fft_kernels.hpp"
#include "ops/fft_tensor.cuh"

namespace tenon::cuda {
namespace {

constexpr int kLanes = 32, kColumns = 128;  ///< lines of a tile
constexpr int kDepth = 16;                  ///< values of a line at a time
constexpr int kValues = 4;                  ///< results of a thread for each of its kColumns / kLanes lines
constexpr int kMostGroups = 8;              ///< warps of a block: kValues results each

/// How a tile is read and written: elements one by one, 16 bytes at a time, or with each line contiguous.
enum class Access { single, wide, lines };

struct DirectSizes {
  std::int64_t n, inner, columns;  ///< columns: lines in all
  std::int64_t from, to;           ///< values of a line that are read and written
  std::int64_t first, skipped;     ///< kept value k is frequency k below first, k + skipped from there on
  std::int64_t tiles, value_tiles;
  std::int64_t splits, split_depth;  ///< long lines of few tiles are cut: each part's sums to a workspace, then their sum to y
  bool inverse, from_spectrum;
  double scale, interior;

  TENON_HD std::int64_t frequency(std::int64_t k) const { return k < first ? k : k + skipped; }
  TENON_HD bool own_mirror(std::int64_t k) const { return k == 0 || 2 * k == n; }
};

template <class V, int N>
struct alignas(N * sizeof(V) < 16 ? N * sizeof(V) : 16) Pack {
  V at[N];
};

template <class T, bool RealIn, bool RealOut>
struct DirectTypes {
  using In = std::conditional_t<RealIn, T, Complex<T>>;
  using Out = std::conditional_t<RealOut, T, Complex<T>>;
  static constexpr int kWide = 16 / sizeof(In);              ///< elements of a piece
  static constexpr int kPieces = kColumns / kLanes / kWide;  ///< of a thread
  static constexpr int kRow = kColumns + kWide;              ///< elements of a row in shared memory, padded by a piece
};

TENON_HD inline void add_product(Complex<float>& to, float x, Complex<float> w) {
  to.re = std::fma(x, w.re, to.re), to.im = std::fma(x, w.im, to.im);
}
TENON_HD inline void add_product(Complex<double>& to, double x, Complex<double> w) {
  to.re = std::fma(x, w.re, to.re), to.im = std::fma(x, w.im, to.im);
}
template <class T>
TENON_HD void add_product(Complex<T>& to, Complex<T> x, Complex<T> w) {
  to.re = std::fma(x.re, w.re, to.re), to.re = std::fma(-x.im, w.im, to.re);
  to.im = std::fma(x.re, w.im, to.im), to.im = std::fma(x.im, w.re, to.im);
}
template <class T>
TENON_HD void add_product(T& to, Complex<T> x, Complex<T> w) {
  to = std::fma(x.re, w.re, to), to = std::fma(-x.im, w.im, to);
}

template <class T>
__device__ T times(T v, T by) {
  return v * by;
}
template <class T>
__device__ Complex<T> times(Complex<T> v, T by) {
  return {v.re * by, v.im * by};
}
template <class T>
__device__ void drop_imaginary(Complex<T>& v) {
  v.im = 0;
}
__device__ inline void drop_imaginary(float&) {}
__device__ inline void drop_imaginary(double&) {}

/// Where line `column` starts among lines of `values` values.
__device__ inline std::int64_t start_of(const DirectSizes& s, std::int64_t column, std::int64_t values) {
  if (s.inner == 1) return column * values;
  std::int64_t o, c;
  if (s.columns <= 0x7fffffff) {
    o = std::uint32_t(column) / std::uint32_t(s.inner), c = std::uint32_t(column) % std::uint32_t(s.inner);
  } else {
    o = column / s.inner, c = column % s.inner;
  }
  return o * values * s.inner + c;
}

/// The matrix's entry for the read value p and the result q.
template <class T, bool RealOut>
__device__ Complex<T> entry(const Complex<T>* roots, const DirectSizes& s, std::int64_t p, std::int64_t q) {
  if (p >= s.from || q >= s.to) return {T(0), T(0)};
  const std::int64_t f = s.from_spectrum ? s.frequency(p) : s.frequency(q), j = s.from_spectrum ? q : p;
  const std::int64_t turn = s.n <= 65536 ? std::int64_t(std::uint32_t(f) * std::uint32_t(j) % std::uint32_t(s.n)) : f * j % s.n;
  Complex<T> w = roots[turn];
  if (s.inverse) w.im = -w.im;
  if (RealOut && !s.own_mirror(p)) w = times(w, T(2 * s.interior));  // the value and its mirror
  return w;
}

/// Rows [p0, p0 + kDepth) of the tile's lines into shared memory, zeros beyond the ends.
template <class T, bool RealIn, bool RealOut, Access A, class Types = DirectTypes<T, RealIn, RealOut>>
__device__ void load_lines(const typename Types::In* x, const DirectSizes& s, std::int64_t column0, std::int64_t p0,
                           const std::int64_t* starts, typename Types::In (*xs)[Types::kRow]) {
  using In = typename Types::In;
  const int lane = threadIdx.x, group = threadIdx.y, groups = blockDim.y;
  if constexpr (A == Access::lines) {
    for (int e = group * kLanes + lane; e < kDepth * kColumns; e += groups * kLanes) {
      const int row = e % kDepth, column = e / kDepth;
      In v{};
      if (p0 + row < s.from && column0 + column < s.columns) v = x[(column0 + column) * s.from + p0 + row];
      if (RealOut && s.own_mirror(p0 + row)) drop_imaginary(v);
      xs[row][column] = v;
    }
  } else {
    constexpr int N = A == Access::wide ? Types::kWide : 1, count = kColumns / kLanes / N;
    constexpr int kAhead = 4;  // rows under way at a time
    for (int row0 = group; row0 < kDepth; row0 += kAhead * groups) {
      Pack<In, N> v[kAhead][count] = {};
#pragma unroll
      for (int r = 0; r < kAhead; ++r) {
        const int row = row0 + r * groups;
        const std::int64_t p = p0 + row;
#pragma unroll
        for (int m = 0; m < count; ++m)
          if (row < kDepth && p < s.from && column0 + (m * kLanes + lane) * N < s.columns)
            v[r][m] = *reinterpret_cast<const Pack<In, N>*>(x + starts[m] + p * s.inner);
      }
#pragma unroll
      for (int r = 0; r < kAhead; ++r) {
        const int row = row0 + r * groups;
        if (row >= kDepth) continue;
#pragma unroll
        for (int m = 0; m < count; ++m) {
          if (RealOut && s.own_mirror(p0 + row)) {
#pragma unroll
            for (int i = 0; i < N; ++i) drop_imaginary(v[r][m].at[i]);
          }
          *reinterpret_cast<Pack<In, N>*>(&xs[row][(m * kLanes + lane) * N]) = v[r][m];
        }
      }
    }
  }
}

template <class T, bool RealIn>
__device__ T scale_of(const DirectSizes& s, std::int64_t q) {
  return T(RealIn && !s.own_mirror(q) ? s.scale * s.interior : s.scale);
}

template <class T, bool RealIn, bool RealOut, Access A, class Types = DirectTypes<T, RealIn, RealOut>>
__device__ void store_values(typename Types::Out* y, const DirectSizes& s, std::int64_t column0, std::int64_t q0,
                             const typename Types::Out (&sums)[kValues][Types::kPieces * Types::kWide]) {
  using Out = typename Types::Out;
  constexpr int N = Types::kWide;
#pragma unroll
  for (int m = 0; m < Types::kPieces; ++m) {
    const std::int64_t column = column0 + (m * kLanes + int(threadIdx.x)) * N;
    std::int64_t start = 0;
    if (A == Access::wide && column < s.columns) start = start_of(s, column, s.to);
#pragma unroll
    for (int i = 0; i < kValues; ++i) {
      const std::int64_t q = q0 + i;
      if (q >= s.to) continue;
      const T scale = s.splits > 1 ? T(1) : scale_of<T, RealIn>(s, q);
      Pack<Out, N> v;
#pragma unroll
      for (int l = 0; l < N; ++l) v.at[l] = times(sums[i][m * N + l], scale);
      if constexpr (A == Access::wide) {
        if (column < s.columns) *reinterpret_cast<Pack<Out, N>*>(y + start + q * s.inner) = v;
      } else {
#pragma unroll
        for (int l = 0; l < N; ++l)
          if (column + l < s.columns) y[start_of(s, column + l, s.to) + q * s.inner] = v.at[l];
      }
    }
  }
}

template <class T, bool RealIn, bool RealOut, Access A>
__global__ void direct_fft(const typename DirectTypes<T, RealIn, RealOut>::In* x, typename DirectTypes<T, RealIn, RealOut>::Out* y,
                           const Complex<T>* roots, DirectSizes s) {
  using Types = DirectTypes<T, RealIn, RealOut>;
  using In = typename Types::In;
  using Out = typename Types::Out;
  constexpr int N = Types::kWide, kOwn = Types::kPieces * N;  // kColumns / kLanes
  __shared__ __align__(16) In xs[kDepth][Types::kRow];
  __shared__ __align__(16) Complex<T> ws[kDepth][kValues * kMostGroups];
  const int lane = threadIdx.x, group = threadIdx.y, groups = blockDim.y, values = kValues * groups;
  for (std::int64_t block = blockIdx.x; block < s.tiles * s.value_tiles * s.splits; block += gridDim.x) {
    const std::int64_t split = block % s.splits, rest = block / s.splits;
    const std::int64_t column0 = rest / s.value_tiles * kColumns, q0 = rest % s.value_tiles * values;
    std::int64_t starts[kOwn] = {};
    if constexpr (A != Access::lines) {
      constexpr int step = A == Access::wide ? N : 1;
#pragma unroll
      for (int m = 0; m < kOwn / step; ++m) {
        const std::int64_t column = column0 + (m * kLanes + lane) * step;
        if (column < s.columns) starts[m] = start_of(s, column, s.from);
      }
    }
    Out sums[kValues][kOwn] = {};
    const std::int64_t end = (split + 1) * s.split_depth < s.from ? (split + 1) * s.split_depth : s.from;
    for (std::int64_t p0 = split * s.split_depth; p0 < end; p0 += kDepth) {
      load_lines<T, RealIn, RealOut, A>(x, s, column0, p0, starts, xs);
      for (int e = group * kLanes + lane; e < kDepth * values; e += groups * kLanes)
        ws[e / values][e % values] = entry<T, RealOut>(roots, s, p0 + e / values, q0 + e % values);
      __syncthreads();
#pragma unroll 4
      for (int p = 0; p < kDepth; ++p) {
        Pack<In, N> v[Types::kPieces];
        const auto w = *reinterpret_cast<const Pack<Complex<T>, kValues>*>(&ws[p][group * kValues]);
#pragma unroll
        for (int m = 0; m < Types::kPieces; ++m) v[m] = *reinterpret_cast<const Pack<In, N>*>(&xs[p][(m * kLanes + lane) * N]);
#pragma unroll
        for (int i = 0; i < kValues; ++i)
#pragma unroll
          for (int c = 0; c < kOwn; ++c) add_product(sums[i][c], v[c / N].at[c % N], w.at[i]);
      }
      __syncthreads();
    }
    store_values<T, RealIn, RealOut, A>(y + split * s.to * s.columns, s, column0, q0 + group * kValues, sums);
  }
}

/// The parts' sums in order.
template <class T, bool RealIn>
__global__ void add_splits(const Complex<T>* parts, Complex<T>* y, DirectSizes s) {
  const std::int64_t count = s.to * s.columns, step = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t e = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; e < count; e += step) {
    Complex<T> sum = parts[e];
    for (std::int64_t i = 1; i < s.splits; ++i) {
      const Complex<T> v = parts[i * count + e];
      sum.re += v.re, sum.im += v.im;
    }
    y[e] = times(sum, scale_of<T, RealIn>(s, e / s.inner % s.to));
  }
}

/// exp(-2 pi i k / n) for k in [0, n), rounded from f64. The last tables are kept: eager calls make a kernel each.
template <class T>
std::shared_ptr<const DeviceMemory> roots_of(std::int64_t n) {
  constexpr std::size_t kKept = 64;
  static std::mutex mutex;
  static auto& tables =
      *new std::vector<std::pair<std::int64_t, std::shared_ptr<const DeviceMemory>>>;  // outlives the allocator's last use
  std::lock_guard lock(mutex);
  for (const auto& [size, table] : tables)
    if (size == n) return table;
  std::vector<Complex<T>> host(static_cast<std::size_t>(n));
  for (std::int64_t k = 0; k < n; ++k) {
    const std::complex<double> root = cpu::unit_root(k, n);
    host[std::size_t(k)] = {T(root.real()), T(root.imag())};
  }
  auto table = DeviceMemory::holding(host.data(), host.size() * sizeof(Complex<T>));
  if (tables.size() == kKept) tables.erase(tables.begin());
  tables.emplace_back(n, table);
  return table;
}

bool aligned(const void* p) {
  return reinterpret_cast<std::uintptr_t>(p) % 16 == 0;
}

template <class T, bool RealIn, bool RealOut>
Kernel make_of_kind(const DirectSizes& s, int groups) {
  using Types = DirectTypes<T, RealIn, RealOut>;
  auto table = roots_of<T>(s.n);
  const auto blocks = unsigned(std::min<std::int64_t>(s.tiles * s.value_tiles * s.splits, std::int64_t(1) << 30));
  return [=](void* const* p) {
    if (s.columns == 0 || s.to == 0) return;
    void* to = s.splits > 1 ? p[2] : p[1];
    auto kernel = direct_fft<T, RealIn, RealOut, Access::single>;
    if (s.inner == 1)
      kernel = direct_fft<T, RealIn, RealOut, Access::lines>;
    else if (s.inner % Types::kWide == 0 && aligned(p[0]) && aligned(to))
      kernel = direct_fft<T, RealIn, RealOut, Access::wide>;
    start("direct_fft", dim3(blocks), dim3(kLanes, unsigned(groups)), 0, kernel, static_cast<const typename Types::In*>(p[0]),
          static_cast<typename Types::Out*>(to), table->template as<const Complex<T>>(), s);
    if constexpr (!RealOut) {
      if (s.splits > 1)
        start_items("add_splits", s.to * s.columns, add_splits<T, RealIn>, static_cast<const Complex<T>*>(to),
                    static_cast<Complex<T>*>(p[1]), s);
    }
  };
}

template <class T>
Kernel make_of_type(FftKind kind, const DirectSizes& s, int groups) {
  switch (kind) {
    case FftKind::real_forward:
      return make_of_kind<T, true, false>(s, groups);
    case FftKind::real_inverse:
      return make_of_kind<T, false, true>(s, groups);
    default:
      return make_of_kind<T, false, false>(s, groups);
  }
}

/// The sizes, and the warps of a block.
std::pair<DirectSizes, int> direct_sizes(const FftGeometry& g, double scale) {
  constexpr std::int64_t kEnough = 132, kWanted = 264, kShortest = 64;  // blocks that fill a device, and values of a part
  DirectSizes s{};
  s.n = g.n, s.inner = g.inner, s.columns = g.outer * g.inner;
  s.inverse = g.kind == FftKind::real_inverse || (g.kind == FftKind::complex && g.inverse);
  s.from_spectrum = s.inverse;
  s.from = s.inverse ? g.kept() : g.n, s.to = s.inverse ? g.n : g.kept();
  s.first = g.first(), s.skipped = g.whole() - g.kept();
  s.scale = scale, s.interior = g.interior;
  s.tiles = (s.columns + kColumns - 1) / kColumns;
  const std::int64_t groups = (s.to + kValues - 1) / kValues;
  s.value_tiles = (groups + kMostGroups - 1) / kMostGroups;
  s.splits = 1, s.split_depth = s.from;
  const std::int64_t blocks = s.tiles * s.value_tiles;
  if (!s.inverse && blocks > 0 && blocks < kEnough && s.from >= 2 * kShortest) {
    const std::int64_t parts = std::min((kWanted + blocks - 1) / blocks, s.from / kShortest);
    s.split_depth = ((s.from + parts - 1) / parts + kDepth - 1) / kDepth * kDepth;
    s.splits = (s.from + s.split_depth - 1) / s.split_depth;
  }
  return {s, s.value_tiles ? int((groups + s.value_tiles - 1) / s.value_tiles) : 1};
}

}  // namespace

Kernel make_plain_fft(const FftGeometry& g, double scale) {
  const auto [s, groups] = direct_sizes(g, scale);
  return g.scalar == DType::f64 ? make_of_type<double>(g.kind, s, groups) : make_of_type<float>(g.kind, s, groups);
}

bool direct_fft_on_tensor_cores(const FftGeometry& g) {
  return tensor_fft_fits(g) && direct_sizes(g, 1).first.splits == 1;
}

Kernel make_direct_fft(const FftGeometry& g, double scale) {
  Kernel plain = make_plain_fft(g, scale);
  return direct_fft_on_tensor_cores(g) ? make_tensor_fft(g, scale, std::move(plain)) : plain;
}

std::size_t direct_fft_workspace(const FftGeometry& g) {
  const DirectSizes s = direct_sizes(g, 1).first;
  return s.splits > 1 ? std::size_t(s.splits * s.to * s.columns) * 2 * size_of(g.scalar) : 0;
}

void install_fft() {
  fft_kernel.set(DeviceType::cuda, make_direct_fft);
  set_fft_workspace(DeviceType::cuda, direct_fft_workspace);
}

}  // namespace tenon::cuda
