/// Products of modes: for each mode a small complex matrix product. A block makes one tile of one mode's result, so that each weight is
/// read (or written) once as long as the batch fits a tile, which is what bounds the time.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "backend/cuda/complex.cuh"
#include "backend/cuda/install.hpp"
#include "backend/cuda/launch.cuh"
#include "ops/fft_kernels.hpp"

namespace tenon::cuda {
namespace {

/// c[mode](row, column) = sum over p of a[mode](row, p) b[mode](p, column), in elements; columns of c are contiguous.
struct ModeGemm {
  std::int64_t modes, rows, columns, depth;
  std::int64_t a_mode, a_row, a_depth;
  std::int64_t b_mode, b_depth, b_column;
  std::int64_t c_mode, c_row;
  std::int64_t row_tiles, column_tiles;
  bool wide;  ///< kWide numbers of a row of c lie at a multiple of 16 bytes
};

constexpr int kThreads = 128, kAcross = 8, kDown = kThreads / kAcross;  ///< threads of a block, and how they stand on a tile
constexpr int kWide = 4;                                                ///< columns of a thread
constexpr int kColumns = kAcross * kWide, kDepth = 16;

template <class T, int N>
struct alignas(16) Run {
  Complex<T> at[N];
};

template <class T>
__device__ void add_product(Complex<T>& to, Complex<T> a, Complex<T> b) {
  to.re = std::fma(a.re, b.re, to.re), to.re = std::fma(-a.im, b.im, to.re);
  to.im = std::fma(a.re, b.im, to.im), to.im = std::fma(a.im, b.re, to.im);
}

/// Element e of a tile of kDepth by `Across` values: threads side by side take neighbours in memory.
template <int Across, bool DepthFast>
__device__ void place_of(int e, int& depth, int& across) {
  depth = DepthFast ? e % kDepth : e / Across;
  across = DepthFast ? e / kDepth : e % Across;
}

/// This thread's share of a tile, on its way from memory while the tile before is multiplied.
template <class T, int Across, bool DepthFast, bool Conj>
struct Share {
  static constexpr int kOwn = kDepth * Across / kThreads;
  Complex<T> at[kOwn];

  __device__ void load(const Complex<T>* from, std::int64_t depth_step, std::int64_t across_step, std::int64_t depth_left,
                       std::int64_t across_left) {
#pragma unroll
    for (int i = 0; i < kOwn; ++i) {
      int d, a;
      place_of<Across, DepthFast>(i * kThreads + int(threadIdx.x), d, a);
      at[i] = d < depth_left && a < across_left ? from[d * depth_step + a * across_step] : Complex<T>{T(0), T(0)};
      if (Conj) at[i].im = -at[i].im;
    }
  }
  template <int Row>
  __device__ void store(Complex<T> (*to)[Row]) const {
#pragma unroll
    for (int i = 0; i < kOwn; ++i) {
      int d, a;
      place_of<Across, DepthFast>(i * kThreads + int(threadIdx.x), d, a);
      to[d][a] = at[i];
    }
  }
};

/// Tall: rows of a thread, kDown apart.
template <class T, int Tall, bool AFast, bool ConjA, bool BFast, bool ConjB>
__global__ void mode_gemm(const Complex<T>* a, const Complex<T>* b, Complex<T>* c, ModeGemm g) {
  constexpr int kRows = kDown * Tall, kPad = 16 / sizeof(Complex<T>);  // a row of b stays aligned to 16 bytes
  __shared__ __align__(16) Complex<T> as[kDepth][kRows + 1];
  __shared__ __align__(16) Complex<T> bs[kDepth][kColumns + kPad];
  const int across = int(threadIdx.x) % kAcross, down = int(threadIdx.x) / kAcross;
  for (std::int64_t block = blockIdx.x; block < g.modes * g.row_tiles * g.column_tiles; block += gridDim.x) {
    const std::int64_t column0 = block % g.column_tiles * kColumns, rest = block / g.column_tiles;
    const std::int64_t row0 = rest % g.row_tiles * kRows, mode = rest / g.row_tiles;
    const Complex<T>* from_a = a + mode * g.a_mode + row0 * g.a_row;
    const Complex<T>* from_b = b + mode * g.b_mode + column0 * g.b_column;
    Share<T, kRows, AFast, ConjA> share_a;
    Share<T, kColumns, BFast, ConjB> share_b;
    share_a.load(from_a, g.a_depth, g.a_row, g.depth, g.rows - row0);
    share_b.load(from_b, g.b_depth, g.b_column, g.depth, g.columns - column0);
    Complex<T> sums[Tall][kWide] = {};
    for (std::int64_t p = 0; p < g.depth; p += kDepth) {
      share_a.store(as), share_b.store(bs);
      __syncthreads();
      if (const std::int64_t next = p + kDepth; next < g.depth) {
        share_a.load(from_a + next * g.a_depth, g.a_depth, g.a_row, g.depth - next, g.rows - row0);
        share_b.load(from_b + next * g.b_depth, g.b_depth, g.b_column, g.depth - next, g.columns - column0);
      }
#pragma unroll
      for (int d = 0; d < kDepth; ++d) {
        const auto values = *reinterpret_cast<const Run<T, kWide>*>(&bs[d][across * kWide]);
#pragma unroll
        for (int i = 0; i < Tall; ++i) {
          const Complex<T> v = as[d][i * kDown + down];
#pragma unroll
          for (int j = 0; j < kWide; ++j) add_product(sums[i][j], v, values.at[j]);
        }
      }
      __syncthreads();
    }
    Complex<T>* to = c + mode * g.c_mode;
#pragma unroll
    for (int i = 0; i < Tall; ++i) {
      const std::int64_t row = row0 + i * kDown + down, column = column0 + across * kWide;
      if (row >= g.rows) continue;
      Complex<T>* at = to + row * g.c_row + column;
      if (g.wide && column + kWide <= g.columns) {
        Run<T, kWide> run;
#pragma unroll
        for (int j = 0; j < kWide; ++j) run.at[j] = sums[i][j];
        *reinterpret_cast<Run<T, kWide>*>(at) = run;
        continue;
      }
#pragma unroll
      for (int j = 0; j < kWide; ++j)
        if (column + j < g.columns) at[j] = sums[i][j];
    }
  }
}

template <class T, int Tall>
auto kernel_of(ModeProduct which) {
  switch (which) {
    case ModeProduct::y:
      return mode_gemm<T, Tall, true, false, false, false>;
    case ModeProduct::x:
      return mode_gemm<T, Tall, true, false, true, true>;
    default:
      return mode_gemm<T, Tall, false, true, false, false>;
  }
}

template <class T>
Kernel make_of_type(ModeProduct which, ModeGemm g) {
  const bool tall = g.rows > kDown;
  const int rows = tall ? 2 * kDown : kDown;
  g.row_tiles = (g.rows + rows - 1) / rows, g.column_tiles = (g.columns + kColumns - 1) / kColumns;
  const std::int64_t tiles = g.modes * g.row_tiles * g.column_tiles;
  auto kernel = tall ? kernel_of<T, 2>(which) : kernel_of<T, 1>(which);
  const bool even = sizeof(Complex<T>) == 16 || g.columns % 2 == 0;  // then so are the distances of rows and modes
  return [=](void* const* p) {
    if (tiles == 0) return;
    ModeGemm sizes = g;
    sizes.wide = even && reinterpret_cast<std::uintptr_t>(p[2]) % 16 == 0;
    start("mode_product", dim3(unsigned(std::min<std::int64_t>(tiles, 1 << 30))), dim3(kThreads), 0, kernel,
          static_cast<const Complex<T>*>(p[0]), static_cast<const Complex<T>*>(p[1]), static_cast<Complex<T>*>(p[2]), sizes);
  };
}

Kernel make_mode_product(ModeProduct which, const ModeSizes& s) {
  ModeGemm g{};
  g.modes = s.k;
  switch (which) {
    case ModeProduct::y:  // x w
      g.rows = s.n, g.depth = s.in, g.columns = s.out;
      g.a_mode = s.in, g.a_row = s.k * s.in, g.a_depth = 1;
      g.b_mode = s.in * s.out, g.b_depth = s.out, g.b_column = 1;
      g.c_mode = s.out, g.c_row = s.k * s.out;
      break;
    case ModeProduct::x:  // y conj(w)
      g.rows = s.n, g.depth = s.out, g.columns = s.in;
      g.a_mode = s.out, g.a_row = s.k * s.out, g.a_depth = 1;
      g.b_mode = s.in * s.out, g.b_depth = 1, g.b_column = s.out;
      g.c_mode = s.in, g.c_row = s.k * s.in;
      break;
    case ModeProduct::w:  // conj(x) y, summed over the batch
      g.rows = s.in, g.depth = s.n, g.columns = s.out;
      g.a_mode = s.in, g.a_row = 1, g.a_depth = s.k * s.in;
      g.b_mode = s.out, g.b_depth = s.k * s.out, g.b_column = 1;
      g.c_mode = s.in * s.out, g.c_row = s.out;
      break;
  }
  return s.dtype == DType::c128 ? make_of_type<double>(which, g) : make_of_type<float>(which, g);
}

}  // namespace

void install_mode_product() {
  mode_product_kernel.set(DeviceType::cuda, make_mode_product);
}

}  // namespace tenon::cuda
