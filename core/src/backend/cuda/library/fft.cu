/// Fourier transforms through cuFFT where our own sums would cost more than they save (ops/fft.cu).
///
/// cuFFT transforms many lines of one stride a call. What it does not do, a pass before or after does: lines turned so that they lie one
/// after the other, pruned spectra filled up or cut, weights, and copies of what an inverse real transform would overwrite. What cuFFT works in is part of the
/// op's workspace, in the arena of a recorded step like every other value that lives for one launch.
#include <cufft.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <utility>

#include "backend/cuda/complex.cuh"
#include "backend/cuda/fft.hpp"
#include "backend/cuda/install.hpp"
#include "backend/cuda/launch.cuh"
#include "backend/cuda/library/fft_tune.hpp"
#include "ops/fft_kernels.hpp"

namespace tenon::cuda {
namespace {

void check_fft(cufftResult status, const char* call) {
  if (status == CUFFT_SUCCESS) return;
  throw Error(ErrorKind::device, "cuda.cufft", std::string(call) + " failed with status " + std::to_string(int(status)),
              "run `tenon devices`; --device cpu needs no GPU");
}

/// What a plan depends on.
struct Lines {
  cufftType type;
  long long n, from, to;  ///< values read and written
  bool strided;           ///< side by side instead of one after the other
  long long batch;
  bool operator==(const Lines&) const = default;
};

std::size_t padded(std::size_t bytes) {
  return (bytes + 255) / 256 * 256;
}

class Plan {
 public:
  explicit Plan(const Lines& l) : type_(l.type) {
    check_fft(cufftCreate(&plan_), "cufftCreate");
    try {
      prepare(l);
    } catch (...) {
      cufftDestroy(plan_);
      throw;
    }
  }
  ~Plan() { cufftDestroy(plan_); }
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;

  /// What it works in; never 0.
  std::size_t area_bytes() const { return area_bytes_; }

  void run(void* x, void* y, bool inverse, void* area) const {
    const std::lock_guard lock(mutex_);  // the area is an attribute of the plan
    check_fft(cufftSetWorkArea(plan_, area), "cufftSetWorkArea");
    const int direction = inverse ? CUFFT_INVERSE : CUFFT_FORWARD;
    switch (type_) {
      case CUFFT_C2C:
        return check_fft(cufftExecC2C(plan_, static_cast<cufftComplex*>(x), static_cast<cufftComplex*>(y), direction), "cufftExecC2C");
      case CUFFT_Z2Z:
        return check_fft(cufftExecZ2Z(plan_, static_cast<cufftDoubleComplex*>(x), static_cast<cufftDoubleComplex*>(y), direction),
                         "cufftExecZ2Z");
      case CUFFT_R2C:
        return check_fft(cufftExecR2C(plan_, static_cast<cufftReal*>(x), static_cast<cufftComplex*>(y)), "cufftExecR2C");
      case CUFFT_D2Z:
        return check_fft(cufftExecD2Z(plan_, static_cast<cufftDoubleReal*>(x), static_cast<cufftDoubleComplex*>(y)), "cufftExecD2Z");
      case CUFFT_C2R:
        return check_fft(cufftExecC2R(plan_, static_cast<cufftComplex*>(x), static_cast<cufftReal*>(y)), "cufftExecC2R");
      default:
        return check_fft(cufftExecZ2D(plan_, static_cast<cufftDoubleComplex*>(x), static_cast<cufftDoubleReal*>(y)), "cufftExecZ2D");
    }
  }

 private:
  void prepare(const Lines& l) {
    long long n = l.n, from = l.from, to = l.to;
    std::size_t bytes = 0;
    check_fft(cufftSetAutoAllocation(plan_, 0), "cufftSetAutoAllocation");
    check_fft(cufftMakePlanMany64(plan_, 1, &n, &from, l.strided ? l.batch : 1, l.strided ? 1 : l.from, &to, l.strided ? l.batch : 1,
                                  l.strided ? 1 : l.to, l.type, l.batch, &bytes),
              "cufftMakePlanMany64");
    area_bytes_ = padded(std::max<std::size_t>(bytes, 1));
    check_fft(cufftSetStream(plan_, stream()), "cufftSetStream");
  }

  cufftType type_;
  cufftHandle plan_{};
  std::size_t area_bytes_ = 0;
  mutable std::mutex mutex_;
};

std::shared_ptr<const Plan> plan_of(const Lines& l) {
  constexpr std::size_t kKept = 128;
  static std::mutex mutex;
  static auto& plans = *new std::deque<std::pair<Lines, std::shared_ptr<const Plan>>>;
  std::lock_guard lock(mutex);
  for (const auto& [lines, plan] : plans)
    if (lines == l) return plan;
  auto plan = std::make_shared<const Plan>(l);
  if (plans.size() == kKept) plans.pop_front();
  plans.emplace_back(l, plan);
  return plan;
}

// ---- passes before and after ----------------------------------------------------------------------------------------

/// [outer, rows, columns] to the same with other strides and, where a spectrum is filled up or cut, other rows.
struct Rearrangement {
  std::int64_t outer = 1, columns = 1, from_rows = 0, to_rows = 0;
  std::int64_t from_row = 0, from_column = 0, to_row = 0, to_column = 0;
  std::int64_t first = 0, high = 0;  ///< rows that are there at the start and the end of the shorter side
  std::int64_t mirror = 0;           ///< rows are the spectrum of a real line of so many values; 0: they are not
  bool drop = false;                 ///< imaginary parts of rows that are their own mirror
  double scale = 1, interior = 1;

  TENON_HD std::int64_t source(std::int64_t row) const {
    if (row < first) return row;
    return row >= to_rows - high ? row + from_rows - to_rows : -1;
  }
};

template <class T>
__device__ T weighed(T v, const Rearrangement& r, std::int64_t) {
  return v * T(r.scale);
}
template <class T>
__device__ Complex<T> weighed(Complex<T> v, const Rearrangement& r, std::int64_t row) {
  const bool own = r.mirror && (row == 0 || 2 * row == r.mirror);
  const T by = T(r.mirror && !own ? r.scale * r.interior : r.scale);
  return {v.re * by, own && r.drop ? T(0) : v.im * by};
}

constexpr int kTile = 32, kTileRows = 8;

template <class V>
__global__ void rearrange(const V* x, V* y, Rearrangement r, std::int64_t row_tiles, std::int64_t column_tiles) {
  __shared__ V tile[kTile][kTile + 1];
  const int lane = threadIdx.x;
  for (std::int64_t t = blockIdx.x; t < r.outer * row_tiles * column_tiles; t += gridDim.x) {
    const std::int64_t column0 = t % column_tiles * kTile, rest = t / column_tiles, row0 = rest % row_tiles * kTile, o = rest / row_tiles;
    for (int k = threadIdx.y; k < kTile; k += kTileRows) {
      const int i = r.from_column == 1 ? k : lane, j = r.from_column == 1 ? lane : k;
      V v{};
      if (row0 + i < r.to_rows && column0 + j < r.columns) {
        const std::int64_t from = r.source(row0 + i);
        if (from >= 0) v = weighed(x[o * r.from_rows * r.columns + from * r.from_row + (column0 + j) * r.from_column], r, row0 + i);
      }
      tile[i][j] = v;
    }
    __syncthreads();
    for (int k = threadIdx.y; k < kTile; k += kTileRows) {
      const int i = r.to_column == 1 ? k : lane, j = r.to_column == 1 ? lane : k;
      if (row0 + i < r.to_rows && column0 + j < r.columns)
        y[o * r.to_rows * r.columns + (row0 + i) * r.to_row + (column0 + j) * r.to_column] = tile[i][j];
    }
    __syncthreads();
  }
}

template <class V>
void run_rearrange(const Rearrangement& r, const void* x, void* y) {
  const std::int64_t row_tiles = (r.to_rows + kTile - 1) / kTile, column_tiles = (r.columns + kTile - 1) / kTile;
  const std::int64_t tiles = r.outer * row_tiles * column_tiles;
  if (tiles == 0) return;
  start("fft_rearrange", dim3(unsigned(std::min<std::int64_t>(tiles, 1 << 30))), dim3(kTile, kTileRows), 0, rearrange<V>,
        static_cast<const V*>(x), static_cast<V*>(y), r, row_tiles, column_tiles);
}

void rearrange_values(const Rearrangement& r, DType scalar, bool real, const void* x, void* y) {
  if (scalar == DType::f64)
    real ? run_rearrange<double>(r, x, y) : run_rearrange<Complex<double>>(r, x, y);
  else
    real ? run_rearrange<float>(r, x, y) : run_rearrange<Complex<float>>(r, x, y);
}

// ---- the transform ----------------------------------------------------------------------------------------------------

/// Which passes a geometry needs, and where their results lie in the workspace.
struct Route {
  static constexpr std::int64_t kFewCalls = 4;
  bool real_in, real_out, from_spectrum;
  std::int64_t from, to;            ///< values of a line in x and y
  std::int64_t full_from, full_to;  ///< as cuFFT has them
  bool turn;                        ///< lines are made contiguous and turned back
  std::int64_t calls = 1;
  bool before, after_elsewhere, copy;  ///< copy: where x is not aligned for pairs of reals
  std::size_t in_bytes, out_bytes, at_out = 0, workspace = 0;

  explicit Route(const FftGeometry& g)
      : real_in(g.kind == FftKind::real_forward),
        real_out(g.kind == FftKind::real_inverse),
        from_spectrum(real_out || (!real_in && g.inverse)) {
    from = from_spectrum ? g.kept() : g.n, to = from_spectrum ? g.n : g.kept();
    full_from = from_spectrum ? g.whole() : g.n, full_to = from_spectrum ? g.n : g.whole();
    const bool both = g.outer > 1 && g.inner > 1, even_parts = full_from * g.inner % 2 == 0 && full_to * g.inner % 2 == 0;
    turn = both && !(g.outer <= kFewCalls && even_parts);
    if (both && !turn) calls = g.outer;
    before = turn || real_out || from != full_from;
    after_elsewhere = turn || to != full_to;
    copy = real_in && !before;
    const std::size_t part = size_of(g.scalar), lines = std::size_t(g.outer * g.inner);
    in_bytes = lines * std::size_t(full_from) * part * (real_in ? 1 : 2);
    out_bytes = lines * std::size_t(full_to) * part * (real_out ? 1 : 2);
    if (before || copy) workspace = padded(in_bytes);
    at_out = workspace;
    if (after_elsewhere) workspace += padded(out_bytes);
  }
  bool strided(const FftGeometry& g) const { return g.inner > 1 && !turn; }  ///< the lines that cuFFT is given
};

bool ours_is_best(const FftGeometry& g) {
  constexpr std::int64_t kFewKept = 48, kShort = 32, kShortTurned = 64;
  if (g.pruned() && g.kept() <= kFewKept) return true;
  return g.n <= (g.outer > 1 && g.inner > 1 ? kShortTurned : kShort);
}

cufftType cufft_type(const FftGeometry& g) {
  const bool wide = g.scalar == DType::f64;
  switch (g.kind) {
    case FftKind::real_forward:
      return wide ? CUFFT_D2Z : CUFFT_R2C;
    case FftKind::real_inverse:
      return wide ? CUFFT_Z2D : CUFFT_C2R;
    default:
      return wide ? CUFFT_Z2Z : CUFFT_C2C;
  }
}

std::shared_ptr<const Plan> plan_of(const FftGeometry& g, const Route& route) {
  const bool strided = route.strided(g);
  return plan_of(Lines{cufft_type(g), g.n, route.full_from, route.full_to, strided, strided ? g.inner : g.outer * g.inner});
}

/// From strides of the op's layout to those of the transform (`into`), or back.
Rearrangement strides_of(const FftGeometry& g, const Route& route, bool into) {
  Rearrangement r;
  r.from_rows = into ? route.from : route.full_to, r.to_rows = into ? route.full_from : route.to;
  const std::int64_t first = g.first();
  const bool spectrum = into == route.from_spectrum;
  r.first = spectrum && r.from_rows != r.to_rows ? first : r.to_rows;
  r.high = spectrum && r.from_rows != r.to_rows ? g.high : 0;
  if (g.inner == 1) {  // one line after the other: lines are the columns
    r.columns = g.outer;
    r.from_row = r.to_row = 1;
    r.from_column = r.from_rows, r.to_column = r.to_rows;
    return r;
  }
  r.outer = g.outer, r.columns = g.inner;
  r.from_row = r.to_row = g.inner;
  r.from_column = r.to_column = 1;
  if (!route.turn) return r;
  if (into)
    r.to_row = 1, r.to_column = r.to_rows;
  else
    r.from_row = 1, r.from_column = r.from_rows;
  return r;
}

Kernel make_fft(const FftGeometry& g, double scale) {
  if (ours_is_best(g)) return tensor_cores_are_faster(g) ? make_direct_fft(g, scale) : make_plain_fft(g, scale);
  const Route route(g);
  Rearrangement before = strides_of(g, route, true), after = strides_of(g, route, false);
  (route.before ? before : after).scale = scale;
  if (route.real_out) before.mirror = g.n, before.drop = true, before.interior = g.interior;
  if (route.real_in) after.mirror = g.n, after.interior = g.interior;
  const bool finish = route.after_elsewhere || after.scale != 1 || (route.real_in && g.interior != 1);
  return [=, plan = plan_of(g, route)](void* const* p) {
    const void* from = p[0];
    auto* space = static_cast<std::byte*>(p[2]);
    auto* area = space + route.workspace;
    if (route.before) {
      rearrange_values(before, g.scalar, route.real_in, from, space);
      from = space;
    } else if (route.copy && reinterpret_cast<std::uintptr_t>(from) % (2 * size_of(g.scalar)) != 0) {
      check(cudaMemcpyAsync(space, from, route.in_bytes, cudaMemcpyDeviceToDevice, stream()), "cudaMemcpyAsync");
      from = space;
    }
    void* to = route.after_elsewhere ? space + route.at_out : p[1];
    for (std::int64_t call = 0; call < route.calls; ++call) {
      const auto part = std::size_t(call), calls = std::size_t(route.calls);
      plan->run(static_cast<std::byte*>(const_cast<void*>(from)) + part * (route.in_bytes / calls),
                static_cast<std::byte*>(to) + part * (route.out_bytes / calls),
                g.inverse, area);  // x is only read: an inverse real transform has its own copy
    }
    if (finish) rearrange_values(after, g.scalar, route.real_out, to, p[1]);
  };
}

}  // namespace

void install_fft_library() {
  fft_kernel.set(DeviceType::cuda, make_fft);
  set_fft_workspace(DeviceType::cuda, [](const FftGeometry& g) {
    if (ours_is_best(g)) return direct_fft_workspace(g);
    const Route route(g);
    return route.workspace + plan_of(g, route)->area_bytes();
  });
}

}  // namespace tenon::cuda
