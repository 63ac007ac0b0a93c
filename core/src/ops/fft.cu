/// Fourier transforms as products with the matrix of the transform: a tile of lines by a tile of values, roots of unity made into tiles of that
/// matrix as they are needed. For few kept values this moves the least memory: lines are read once, only what is kept is written.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "backend/cpu/fft/fft_tables.hpp"
#include "backend/cuda/device_memory.hpp"
#include "backend/cuda/fft.hpp"
#include "backend/cuda/install.hpp"
#include "backend/cuda/launch.cuh"
#include "kernels/complex.hpp"
#include "ops/fft_kernels.hpp"

namespace tenon::cuda {
namespace {

using kernels::Complex;

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
  bool inverse, from_spectrum;
  double scale, interior;

  TENON_HD std::int64_t frequency(std::int64_t k) const { return k < first ? k : k + skipped; }
  TENON_HD bool own_mirror(std::int64_t k) const { return k == 0 || 2 * k == n; }
};

template <class V, int N> struct alignas(N * sizeof(V) < 16 ? N * sizeof(V) : 16) Pack {
  V at[N];
};

template <class T, bool RealIn, bool RealOut> struct DirectTypes {
  using In = std::conditional_t<RealIn, T, Complex<T>>;
  using Out = std::conditional_t<RealOut, T, Complex<T>>;
  static constexpr int kWide = 16 / sizeof(In);                   ///< elements of a piece
  static constexpr int kPieces = kColumns / kLanes / kWide;       ///< of a thread
  static constexpr int kRow = kColumns + kWide;                   ///< elements of a row in shared memory, padded by a piece
};

TENON_HD inline void add_product(Complex<float>& to, float x, Complex<float> w) { to.re = std::fma(x, w.re, to.re), to.im = std::fma(x, w.im, to.im); }
TENON_HD inline void add_product(Complex<double>& to, double x, Complex<double> w) { to.re = std::fma(x, w.re, to.re), to.im = std::fma(x, w.im, to.im); }
template <class T> TENON_HD void add_product(Complex<T>& to, Complex<T> x, Complex<T> w) {
  to.re = std::fma(x.re, w.re, to.re), to.re = std::fma(-x.im, w.im, to.re);
  to.im = std::fma(x.re, w.im, to.im), to.im = std::fma(x.im, w.re, to.im);
}
template <class T> TENON_HD void add_product(T& to, Complex<T> x, Complex<T> w) { to = std::fma(x.re, w.re, to), to = std::fma(-x.im, w.im, to); }

template <class T> __device__ T times(T v, T by) { return v * by; }
template <class T> __device__ Complex<T> times(Complex<T> v, T by) { return {v.re * by, v.im * by}; }
template <class T> __device__ void drop_imaginary(Complex<T>& v) { v.im = 0; }
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
template <class T, bool RealOut> __device__ Complex<T> entry(const Complex<T>* roots, const DirectSizes& s, std::int64_t p, std::int64_t q) {
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
__device__ void load_lines(const typename Types::In* x, const DirectSizes& s, std::int64_t column0, std::int64_t p0, const std::int64_t* starts,
                           typename Types::In (*xs)[Types::kRow]) {
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
    for (int row = group; row < kDepth; row += groups) {
      const std::int64_t p = p0 + row;
#pragma unroll
      for (int m = 0; m < count; ++m) {
        const int column = (m * kLanes + lane) * N;
        Pack<In, N> v{};
        if (p < s.from && column0 + column < s.columns) v = *reinterpret_cast<const Pack<In, N>*>(x + starts[m] + p * s.inner);
        if (RealOut && s.own_mirror(p)) {
#pragma unroll
          for (int i = 0; i < N; ++i) drop_imaginary(v.at[i]);
        }
        *reinterpret_cast<Pack<In, N>*>(&xs[row][column]) = v;
      }
    }
  }
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
      const T scale = T(RealIn && !s.own_mirror(q) ? s.scale * s.interior : s.scale);
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
  for (std::int64_t block = blockIdx.x; block < s.tiles * s.value_tiles; block += gridDim.x) {
    const std::int64_t column0 = block / s.value_tiles * kColumns, q0 = block % s.value_tiles * values;
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
    for (std::int64_t p0 = 0; p0 < s.from; p0 += kDepth) {
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
    store_values<T, RealIn, RealOut, A>(y, s, column0, q0 + group * kValues, sums);
  }
}

/// exp(-2 pi i k / n) for k in [0, n), rounded from f64. The last tables are kept: eager calls make a kernel each.
template <class T> std::shared_ptr<const DeviceMemory> roots_of(std::int64_t n) {
  constexpr std::size_t kKept = 64;
  static std::mutex mutex;
  static auto& tables = *new std::vector<std::pair<std::int64_t, std::shared_ptr<const DeviceMemory>>>;  // outlives the allocator's last use
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

bool aligned(const void* p) { return reinterpret_cast<std::uintptr_t>(p) % 16 == 0; }

template <class T, bool RealIn, bool RealOut> Kernel make_of_kind(const DirectSizes& s, int groups) {
  using Types = DirectTypes<T, RealIn, RealOut>;
  auto table = roots_of<T>(s.n);
  const auto blocks = unsigned(std::min<std::int64_t>(s.tiles * s.value_tiles, std::int64_t(1) << 30));
  return [=](void* const* p) {
    if (s.columns == 0 || s.to == 0) return;
    auto kernel = direct_fft<T, RealIn, RealOut, Access::single>;
    if (s.inner == 1)
      kernel = direct_fft<T, RealIn, RealOut, Access::lines>;
    else if (s.inner % Types::kWide == 0 && aligned(p[0]) && aligned(p[1]))
      kernel = direct_fft<T, RealIn, RealOut, Access::wide>;
    start("direct_fft", dim3(blocks), dim3(kLanes, unsigned(groups)), 0, kernel, static_cast<const typename Types::In*>(p[0]),
          static_cast<typename Types::Out*>(p[1]), table->template as<const Complex<T>>(), s);
  };
}

template <class T> Kernel make_of_type(FftKind kind, const DirectSizes& s, int groups) {
  switch (kind) {
    case FftKind::real_forward: return make_of_kind<T, true, false>(s, groups);
    case FftKind::real_inverse: return make_of_kind<T, false, true>(s, groups);
    default: return make_of_kind<T, false, false>(s, groups);
  }
}

}  // namespace

Kernel make_direct_fft(const FftGeometry& g, double scale) {
  DirectSizes s{};
  s.n = g.n, s.inner = g.inner, s.columns = g.outer * g.inner;
  s.inverse = g.kind == FftKind::real_inverse || (g.kind == FftKind::complex && g.inverse);
  s.from_spectrum = s.inverse;
  s.from = s.inverse ? g.kept() : g.n, s.to = s.inverse ? g.n : g.kept();
  s.first = g.first(), s.skipped = g.whole() - g.kept();
  s.scale = scale, s.interior = g.interior;
  s.tiles = (s.columns + kColumns - 1) / kColumns;
  const std::int64_t wanted = (s.to + kValues - 1) / kValues;  // groups
  s.value_tiles = (wanted + kMostGroups - 1) / kMostGroups;
  const int groups = s.value_tiles ? int((wanted + s.value_tiles - 1) / s.value_tiles) : 1;
  return g.scalar == DType::f64 ? make_of_type<double>(g.kind, s, groups) : make_of_type<float>(g.kind, s, groups);
}

void install_fft() {
  fft_kernel.set(DeviceType::cuda, make_direct_fft);
  set_fft_workspace(DeviceType::cuda, [](const FftGeometry&) { return std::size_t(0); });
}

}  // namespace tenon::cuda
