/// Fourier transforms beside FFTW (FFTW_MEASURE, one thread), in turn in one run: milliseconds, GFLOP/s counted as 5 n log2 n
/// (half of it for real ones), the ratio, and what two threads gain.
///
///     fft_bench [rounds]
///
/// FFTW is opened at run time where it is there (Debian: libfftw3-single3); it is a peer here and part of nothing.
#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "backend/cpu/fft/fft.hpp"
#include "tenon/device.hpp"

using namespace tenon;

namespace {

/// The functions of FFTW's documented interface in single precision.
struct Fftw {
  using Plan = void*;
  Plan (*many)(int rank, const int* n, int howmany, float* in, const int* inembed, int istride, int idist, float* out, const int* onembed,
               int ostride, int odist, int sign, unsigned flags) = nullptr;
  Plan (*many_real)(int rank, const int* n, int howmany, float* in, const int* inembed, int istride, int idist, float* out,
                    const int* onembed, int ostride, int odist, unsigned flags) = nullptr;
  void (*execute)(Plan) = nullptr;
  void (*destroy)(Plan) = nullptr;

  Fftw() {
    void* library = dlopen("libfftw3f.so.3", RTLD_NOW);
    if (!library) return;
    many = reinterpret_cast<decltype(many)>(dlsym(library, "fftwf_plan_many_dft"));
    many_real = reinterpret_cast<decltype(many_real)>(dlsym(library, "fftwf_plan_many_dft_r2c"));
    execute = reinterpret_cast<decltype(execute)>(dlsym(library, "fftwf_execute"));
    destroy = reinterpret_cast<decltype(destroy)>(dlsym(library, "fftwf_destroy_plan"));
  }
};

template <class Body>
double seconds(const Body& body) {
  double best = 1e9, total = 0;
  for (int i = 0; i < 200 && (i < 3 || total < 0.15); ++i) {
    auto started = std::chrono::steady_clock::now();
    body();
    double t = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    best = std::min(best, t);
    total += t;
  }
  return best;
}

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 3;
  Fftw fftw;
  if (!fftw.many) std::fprintf(stderr, "fft_bench: no libfftw3f.so.3 (Debian: libfftw3-single3); own times only\n");
  struct Case {
    FftKind kind;
    std::int64_t outer, n, inner;
  };
  const Case cases[] = {{FftKind::complex, 16384, 64, 1},     {FftKind::complex, 4096, 256, 1},   {FftKind::complex, 1024, 1000, 1},
                        {FftKind::complex, 1024, 1024, 1},    {FftKind::complex, 256, 4096, 1},   {FftKind::complex, 1, 65536, 1},
                        {FftKind::complex, 1, 1048576, 1},    {FftKind::complex, 64, 1009, 1},    {FftKind::complex, 256, 64, 64},
                        {FftKind::complex, 64, 128, 32},      {FftKind::complex, 4, 1024, 256},   {FftKind::real_forward, 16384, 64, 1},
                        {FftKind::real_forward, 1024, 1024, 1}, {FftKind::real_forward, 1, 1048576, 1}, {FftKind::real_forward, 256, 64, 64}};
  std::printf("| transform | FFTW ms | Tenon ms | GFLOP/s | ratio | 2 threads ms | gain |\n|---|---|---|---|---|---|---|\n");
  for (const Case& c : cases) {
    const bool real = c.kind == FftKind::real_forward;
    FftGeometry g{c.kind, false, DType::f32, c.outer, c.n, c.inner};
    auto program = cpu::make_fft(g);
    std::vector<float> x(std::size_t(c.outer * c.n * c.inner * 2)), y(std::size_t(c.outer * (c.n + 2) * c.inner * 2)), z(y.size());
    std::vector<float> space(program->workspace_bytes() / sizeof(float) + 16);
    const int n = int(c.n), inner = int(c.inner), half = int((g.n / 2 + 1));
    std::vector<Fftw::Plan> plans;
    if (fftw.many) {  // [n, inner] for each outer index where there are columns, else one plan for all rows
      const int many = inner > 1 ? inner : int(c.outer), dist = inner > 1 ? 1 : n, out_dist = inner > 1 ? 1 : real ? half : n;
      for (std::int64_t o = 0; o < (inner > 1 ? c.outer : 1); ++o) {
        float* from = x.data() + o * n * inner * (real ? 1 : 2);
        float* to = z.data() + o * (real ? half : n) * inner * 2;
        plans.push_back(real ? fftw.many_real(1, &n, many, from, nullptr, inner, dist, to, nullptr, inner, out_dist, 0)
                             : fftw.many(1, &n, many, from, nullptr, inner, dist, to, nullptr, inner, out_dist, -1, 0));
      }
    }
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = float(std::sin(double(i) * 1.7));
    std::vector<double> theirs, ours, ours_2;
    for (int r = 0; r < rounds; ++r) {
      if (!plans.empty())
        theirs.push_back(seconds([&] {
          for (auto plan : plans) fftw.execute(plan);
        }));
      set_thread_count(1);
      ours.push_back(seconds([&] { program->run(x.data(), y.data(), space.data(), 1); }));
      set_thread_count(2);
      ours_2.push_back(seconds([&] { program->run(x.data(), y.data(), space.data(), 1); }));
    }
    for (auto plan : plans) fftw.destroy(plan);
    double off = 0;
    if (!plans.empty())
      for (std::size_t i = 0; i < std::size_t(c.outer * (real ? half : n) * inner * 2); ++i) off = std::max(off, double(std::abs(y[i] - z[i])));
    if (off > 1e-3 * std::sqrt(double(c.n))) {
      std::fprintf(stderr, "fft_bench: results differ by %g\n", off);
      return 1;
    }
    double a = theirs.empty() ? 0 : median(theirs), b = median(ours), b2 = median(ours_2);
    double flop = (real ? 2.5 : 5.0) * double(c.n) * std::log2(double(c.n)) * double(c.outer * c.inner);
    std::printf("| %s [%ld, %ld, %ld] | %.3f | %.3f | %.1f | %.2f | %.3f | %.2f |\n", real ? "real" : "complex", long(c.outer), long(c.n), long(c.inner),
                a * 1e3, b * 1e3, flop / b * 1e-9, a > 0 ? b / a : 0.0, b2 * 1e3, b / b2);
    std::fflush(stdout);
  }
}
