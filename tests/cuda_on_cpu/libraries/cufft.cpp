// cuFFT as its documentation has it, for lines, on the CPU: in f64, rounded once. What it demands is demanded; what it may overwrite is overwritten.
#include "cufft.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <complex>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <numbers>
#include <utility>
#include <vector>

#include "cuda_on_cpu/libraries/cufft.hpp"
#include "cuda_on_cpu/runtime/memory.hpp"
#include "cuda_on_cpu/runtime/spoil.hpp"
#include "cuda_on_cpu/runtime/work.hpp"

namespace {

using tenon::cuda::on_cpu::enqueue;
using tenon::cuda::on_cpu::note_damage;
using tenon::cuda::on_cpu::spoil;
using Complex = std::complex<double>;
using std::int64_t;

/// Where the values of a line lie.
struct Lines {
  int64_t values, step, distance, batch;
  int64_t at(int64_t line, int64_t value) const { return line * distance + value * step; }
  /// Values from the first to the last.
  std::size_t extent() const { return std::size_t(at(batch - 1, values - 1) + 1); }
};
/// What a plan was made for; a transform that is under way keeps it.
struct Layout {
  cufftType type;
  int64_t n;
  Lines from, to;
  std::size_t area_bytes;
  std::vector<Complex> roots;  ///< exp(-2 pi i j / n)
};
struct Plan {
  bool allocates = true;
  cudaStream_t stream = nullptr;
  void* area = nullptr;
  std::shared_ptr<const Layout> layout;
};

std::mutex mutex;
std::map<cufftHandle, Plan>& plans() {
  static auto* all = new std::map<cufftHandle, Plan>;
  return *all;
}
std::atomic<int> calls{0};

/// y [n] of n values that are `step` apart. Every `turn`-th root is one of this line's.
void transform(const Complex* x, int64_t step, Complex* y, int64_t n, const std::vector<Complex>& roots) {
  if (n == 1) {
    *y = *x;
    return;
  }
  int64_t p = 2;
  while (n % p != 0) ++p;
  const int64_t m = n / p, turn = int64_t(roots.size()) / n;
  for (int64_t r = 0; r < p; ++r) transform(x + r * step, step * p, y + r * m, m, roots);
  std::vector<Complex> part(std::size_t(p), 0.0);
  for (int64_t k = 0; k < m; ++k) {
    for (int64_t r = 0; r < p; ++r) part[std::size_t(r)] = y[r * m + k] * roots[std::size_t(r * k * turn)];
    for (int64_t q = 0; q < p; ++q) {
      Complex sum = 0;
      for (int64_t r = 0; r < p; ++r) sum += part[std::size_t(r)] * roots[std::size_t(r * q % p * m * turn)];
      y[q * m + k] = sum;
    }
  }
}

Complex wide(float v) { return v; }
Complex wide(double v) { return v; }
Complex wide(float2 v) { return {v.x, v.y}; }
Complex wide(double2 v) { return {v.x, v.y}; }
void put(float& to, Complex v) { to = float(v.real()); }
void put(double& to, Complex v) { to = v.real(); }
void put(float2& to, Complex v) { to = {float(v.real()), float(v.imag())}; }
void put(double2& to, Complex v) { to = {v.real(), v.imag()}; }

/// The whole line of a real one's first half. With an imaginary part where there can be none it is no such half, and what cuFFT makes of it is not said.
void complete(std::vector<Complex>& line, int64_t n) {
  for (int64_t k = 0; 2 * k <= n; ++k) {
    Complex& v = line[std::size_t(k)];
    if ((k == 0 || 2 * k == n) && v.imag() != 0) v = {NAN, NAN};
    if (k > 0) line[std::size_t(n - k)] = std::conj(v);
  }
}

template <class From, class To>
void run(const Layout& l, From* x, To* y, bool inverse) {
  constexpr bool from_real = sizeof(From) < sizeof(To), to_real = sizeof(To) < sizeof(From);
  std::vector<Complex> all;
  for (int64_t b = 0; b < l.from.batch; ++b)
    for (int64_t k = 0; k < l.from.values; ++k) all.push_back(wide(x[l.from.at(b, k)]));
  if (to_real && static_cast<void*>(x) != static_cast<void*>(y))
    for (int64_t b = 0; b < l.from.batch; ++b)
      for (int64_t k = 0; k < l.from.values; ++k) spoil(&x[l.from.at(b, k)], sizeof(From));
  std::vector<Complex> line(std::size_t(l.n), 0.0), result(line);
  for (int64_t b = 0; b < l.from.batch; ++b) {
    std::copy_n(all.begin() + b * l.from.values, l.from.values, line.begin());
    if (to_real) complete(line, l.n);
    if (inverse)  // the conjugate of the conjugate's transform
      for (Complex& v : line) v = std::conj(v);
    transform(line.data(), 1, result.data(), l.n, l.roots);
    for (int64_t k = 0; k < l.to.values; ++k) {
      Complex v = result[std::size_t(k)];
      if (from_real && (k == 0 || 2 * k == l.n)) v = v.real() + 0 * v.imag();  // its own mirror
      put(y[l.to.at(b, k)], inverse ? std::conj(v) : v);
    }
  }
}

template <class From, class To>
cufftResult execute(cufftHandle handle, cufftType type, From* x, To* y, int direction) {
  constexpr std::size_t complex_bytes = std::max(sizeof(From), sizeof(To));
  const std::lock_guard lock(mutex);
  const auto found = plans().find(handle);
  if (found == plans().end() || !found->second.layout || found->second.layout->type != type) return CUFFT_INVALID_PLAN;
  const Plan& plan = found->second;
  if (!x || !y || (direction != CUFFT_FORWARD && direction != CUFFT_INVERSE)) return CUFFT_INVALID_VALUE;
  for (const void* p : {static_cast<const void*>(x), static_cast<const void*>(y)})
    if (reinterpret_cast<std::uintptr_t>(p) % complex_bytes != 0) return CUFFT_INVALID_VALUE;
  if (!plan.area) return CUFFT_NO_WORKSPACE;
  if (!tenon::cuda::on_cpu::is_first(plan.stream)) note_damage("cuFFT was given another stream than the backend's");
  const Layout& l = *plan.layout;
  if (tenon::cuda::on_cpu::bytes_from(plan.area) < l.area_bytes) {
    note_damage("cuFFT's work area is smaller than it asked for");
    return CUFFT_NO_WORKSPACE;
  }
  const auto *x_begin = reinterpret_cast<const char*>(x), *y_begin = reinterpret_cast<const char*>(y);
  if (x_begin != y_begin && x_begin < y_begin + l.to.extent() * sizeof(To) && y_begin < x_begin + l.from.extent() * sizeof(From))
    note_damage("cuFFT was given an output that overlaps its input");
  enqueue([layout = plan.layout, area = plan.area, x, y, inverse = direction == CUFFT_INVERSE] {
    ++calls;
    spoil(area, layout->area_bytes);
    run(*layout, x, y, inverse);
    spoil(area, layout->area_bytes);
  });
  return CUFFT_SUCCESS;
}

/// With the plan, where there is one.
template <class F>
cufftResult of_plan(cufftHandle handle, F&& act) {
  const std::lock_guard lock(mutex);
  const auto found = plans().find(handle);
  return found == plans().end() ? CUFFT_INVALID_PLAN : act(found->second);
}

}  // namespace

int tenon::cuda::on_cpu::fft_calls_run() { return calls.exchange(0); }

cufftResult cufftGetVersion(int* version) { return *version = 12001, CUFFT_SUCCESS; }
cufftResult cufftCreate(cufftHandle* plan) {
  static cufftHandle last = 0;
  if (!plan) return CUFFT_INVALID_VALUE;
  if (tenon::cuda::on_cpu::allowed_while_recording() != cudaSuccess) return CUFFT_INTERNAL_ERROR;  // it takes memory
  const std::lock_guard lock(mutex);
  plans()[*plan = ++last];
  return CUFFT_SUCCESS;
}
cufftResult cufftDestroy(cufftHandle plan) {
  if (tenon::cuda::on_cpu::allowed_while_recording() != cudaSuccess) return CUFFT_INTERNAL_ERROR;
  const std::lock_guard lock(mutex);
  return plans().erase(plan) ? CUFFT_SUCCESS : CUFFT_INVALID_PLAN;
}
cufftResult cufftSetAutoAllocation(cufftHandle plan, int on) {
  return of_plan(plan, [&](Plan& p) { return p.allocates = on != 0, CUFFT_SUCCESS; });
}
cufftResult cufftSetStream(cufftHandle plan, cudaStream_t stream) {
  return of_plan(plan, [&](Plan& p) { return p.stream = stream, CUFFT_SUCCESS; });
}
cufftResult cufftSetWorkArea(cufftHandle plan, void* area) {
  return of_plan(plan, [&](Plan& p) { return p.area = area, CUFFT_SUCCESS; });
}

cufftResult cufftMakePlanMany64(cufftHandle plan, int rank, long long* n, long long* inembed, long long istride, long long idist, long long* onembed,
                                long long ostride, long long odist, cufftType type, long long batch, std::size_t* work_bytes) {
  return of_plan(plan, [&](Plan& p) {
    if (tenon::cuda::on_cpu::allowed_while_recording() != cudaSuccess) return CUFFT_INTERNAL_ERROR;
    if (p.layout) return CUFFT_INVALID_PLAN;                      // a plan is made once
    if (rank != 1 || p.allocates) return CUFFT_NOT_IMPLEMENTED;  // memory is not the library's to take
    if (!n || !work_bytes) return CUFFT_INVALID_VALUE;
    if (!std::ranges::count(std::vector{CUFFT_C2C, CUFFT_R2C, CUFFT_C2R, CUFFT_Z2Z, CUFFT_D2Z, CUFFT_Z2D}, type)) return CUFFT_INVALID_TYPE;
    if (*n < 1 || batch < 1) return CUFFT_INVALID_SIZE;
    const bool from_real = type == CUFFT_R2C || type == CUFFT_D2Z, to_real = type == CUFFT_C2R || type == CUFFT_Z2D;
    Layout l{type, *n, {to_real ? *n / 2 + 1 : *n, 1, 0, batch}, {from_real ? *n / 2 + 1 : *n, 1, 0, batch}, 0, {}};
    l.from.distance = l.from.values, l.to.distance = l.to.values;
    if (inembed && onembed) {  // without them lines lie one after the other, whatever else is given
      if (*inembed < l.from.values || *onembed < l.to.values || istride < 1 || ostride < 1 || (batch > 1 && (idist < 1 || odist < 1))) return CUFFT_INVALID_SIZE;
      l.from.step = istride, l.from.distance = idist;
      l.to.step = ostride, l.to.distance = odist;
    }
    const std::size_t part = (type & 0x40) ? sizeof(double) : sizeof(float);
    *work_bytes = l.area_bytes = std::size_t(*n * batch) * 2 * part;
    for (long long j = 0; j < *n; ++j) l.roots.push_back(std::polar(1.0, -2 * std::numbers::pi * double(j) / double(*n)));
    p.layout = std::make_shared<const Layout>(std::move(l));
    return CUFFT_SUCCESS;
  });
}

cufftResult cufftExecC2C(cufftHandle plan, cufftComplex* x, cufftComplex* y, int direction) { return execute(plan, CUFFT_C2C, x, y, direction); }
cufftResult cufftExecZ2Z(cufftHandle plan, cufftDoubleComplex* x, cufftDoubleComplex* y, int direction) {
  return execute(plan, CUFFT_Z2Z, x, y, direction);
}
cufftResult cufftExecR2C(cufftHandle plan, cufftReal* x, cufftComplex* y) { return execute(plan, CUFFT_R2C, x, y, CUFFT_FORWARD); }
cufftResult cufftExecD2Z(cufftHandle plan, cufftDoubleReal* x, cufftDoubleComplex* y) { return execute(plan, CUFFT_D2Z, x, y, CUFFT_FORWARD); }
cufftResult cufftExecC2R(cufftHandle plan, cufftComplex* x, cufftReal* y) { return execute(plan, CUFFT_C2R, x, y, CUFFT_INVERSE); }
cufftResult cufftExecZ2D(cufftHandle plan, cufftDoubleComplex* x, cufftDoubleReal* y) { return execute(plan, CUFFT_Z2D, x, y, CUFFT_INVERSE); }
