// The stand-in for cuFFT: closed forms and what it demands. And that transforms of long lines go through it.
#include "cufft.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "backend/cuda/check.cuh"
#include "backend/cuda/fft.hpp"
#include "backend/cuda/install.hpp"
#include "backend/cuda/library/fft_tune.hpp"
#include "cuda/cases.hpp"
#include "cuda/device.hpp"
#include "cuda_on_cpu/libraries/cufft.hpp"
#include "cuda_on_cpu/libraries/process.hpp"
#include "cuda_on_cpu/on_device.hpp"
#include "cuda_on_cpu/runtime/device_clock.hpp"
#include "ops/fft_kernels.hpp"

using namespace tenon;
using namespace tenon::cuda;
using under_test::OnDevice;

namespace {

/// Two lines of n values, side by side or one after the other.
class Lines {
 public:
  Lines(cufftType type, long long n, long long from, long long to, bool side_by_side = false) {
    REQUIRE(cufftCreate(&plan) == CUFFT_SUCCESS);
    REQUIRE(cufftSetAutoAllocation(plan, 0) == CUFFT_SUCCESS);
    const long long step = side_by_side ? 2 : 1;
    REQUIRE(cufftMakePlanMany64(plan, 1, &n, &from, step, side_by_side ? 1 : from, &to, step, side_by_side ? 1 : to, type, 2, &bytes) == CUFFT_SUCCESS);
    REQUIRE(bytes > 0);
    REQUIRE(cufftSetStream(plan, stream()) == CUFFT_SUCCESS);
  }
  ~Lines() { cufftDestroy(plan); }
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;
  cufftHandle plan = 0;
  std::size_t bytes = 0;
};

bool near(double2 v, double re, double im) {
  return std::hypot(v.x - re, v.y - im) < 1e-12;
}

/// How often cuFFT is called for a geometry.
int calls(FftGeometry g) {
  const bool inverse = g.kind == FftKind::real_inverse || (g.kind == FftKind::complex && g.inverse);
  const auto lines = std::size_t(g.outer * g.inner);
  const OnDevice<double> x(lines * std::size_t(inverse ? g.kept() : g.n) * 2), y(lines * std::size_t(inverse ? g.n : g.kept()) * 2);
  std::fill_n(x.at, lines * std::size_t(inverse ? g.kept() : g.n) * 2, 0.5);
  const OnDevice<unsigned char> space(fft_workspace(under_test::kDevice, g));
  void* operands[] = {x.at, y.at, space.at};
  on_cpu::fft_calls_run();
  fft_kernel(under_test::kDevice, g, 1.0)(operands);
  return on_cpu::fft_calls_run();
}

}  // namespace

TEST_CASE("the stand-in for cuFFT transforms a delta and a wave", "[cuda_on_cpu][cufft]") {
  for (const int n : {1, 2, 12, 30, 37}) {
    const bool side_by_side = n % 2 == 0;
    const Lines lines(CUFFT_Z2Z, n, n, n, side_by_side);
    const OnDevice<double2> x(std::size_t(2 * n)), y(std::size_t(2 * n));
    const OnDevice<unsigned char> area(lines.bytes);
    REQUIRE(cufftSetWorkArea(lines.plan, area.at) == CUFFT_SUCCESS);
    const auto at = [&](int line, int k) { return side_by_side ? 2 * k + line : line * n + k; };
    const int shift = 5 % n, wave = 3 % n;
    for (int k = 0; k < n; ++k) {
      x.at[at(0, k)] = {k == shift ? 1.0 : 0.0, 0};
      const double turn = 2 * std::numbers::pi * k * wave / n;
      x.at[at(1, k)] = {std::cos(turn), std::sin(turn)};
    }
    for (const int direction : {CUFFT_FORWARD, CUFFT_INVERSE}) {
      REQUIRE(cufftExecZ2Z(lines.plan, x.at, y.at, direction) == CUFFT_SUCCESS);
      const int peak = direction == CUFFT_FORWARD ? wave : (n - wave) % n;
      for (int k = 0; k < n; ++k) {
        const double turn = direction * 2 * std::numbers::pi * k * shift / n;
        CHECK(near(y.at[at(0, k)], std::cos(turn), std::sin(turn)));
        CHECK(near(y.at[at(1, k)], k == peak ? n : 0, 0));
      }
    }
    CHECK(std::isnan(reinterpret_cast<double*>(area.at)[0]));
  }
  CHECK(on_cpu::fft_calls_run() > 0);
  under_test::end_run();
}

TEST_CASE("the stand-in for cuFFT overwrites the spectrum of an inverse real transform", "[cuda_on_cpu][cufft]") {
  for (const int n : {8, 9}) {
    const int half = n / 2 + 1;
    const Lines forward(CUFFT_D2Z, n, n, half), back(CUFFT_Z2D, n, half, n);
    const OnDevice<double> x(std::size_t(2 * n)), again(std::size_t(2 * n));
    const OnDevice<double2> z(std::size_t(2 * half));
    const OnDevice<unsigned char> area(forward.bytes);
    cufftSetWorkArea(forward.plan, area.at), cufftSetWorkArea(back.plan, area.at);
    for (int i = 0; i < 2 * n; ++i) x.at[i] = std::sin(1.7 * i * i);
    REQUIRE(cufftExecD2Z(forward.plan, x.at, z.at) == CUFFT_SUCCESS);
    REQUIRE(cufftExecZ2D(back.plan, z.at, again.at) == CUFFT_SUCCESS);
    for (int i = 0; i < 2 * n; ++i) {
      CHECK(x.at[i] == std::sin(1.7 * i * i));
      CHECK(std::abs(again.at[i] - n * x.at[i]) < 1e-12);
    }
    for (int i = 0; i < 2 * half; ++i) CHECK(std::isnan(z.at[i].y));
    for (int i = 0; i < 2 * half; ++i) z.at[i] = {1, i == 0 ? 0.5 : 0.0};  // the first line's is no spectrum of reals
    REQUIRE(cufftExecZ2D(back.plan, z.at, again.at) == CUFFT_SUCCESS);
    CHECK(std::isnan(again.at[3]));
    CHECK(std::abs(again.at[n] - n) < 1e-12);
  }
  under_test::end_run();
}

TEST_CASE("the stand-in for cuFFT refuses what cuFFT refuses", "[cuda_on_cpu][cufft]") {
  cufftHandle plan = 0;
  REQUIRE(cufftCreate(&plan) == CUFFT_SUCCESS);
  long long n = 8, from = 8, to = 5, small = 4;
  std::size_t bytes = 0;
  const auto make = [&](long long* inputs, cufftType type, long long batch, std::size_t* size) {
    return cufftMakePlanMany64(plan, 1, &n, inputs, 1, 8, &to, 1, 5, type, batch, size);
  };
  CHECK(make(&from, CUFFT_R2C, 2, &bytes) == CUFFT_NOT_IMPLEMENTED);  // it would take memory of its own
  cufftSetAutoAllocation(plan, 0);
  CHECK(make(&small, CUFFT_R2C, 2, &bytes) == CUFFT_INVALID_SIZE);
  CHECK(make(&from, CUFFT_C2C, 2, &bytes) == CUFFT_INVALID_SIZE);
  CHECK(make(&from, CUFFT_R2C, 0, &bytes) == CUFFT_INVALID_SIZE);
  CHECK(make(&from, cufftType(7), 2, &bytes) == CUFFT_INVALID_TYPE);
  CHECK(make(&from, CUFFT_R2C, 2, nullptr) == CUFFT_INVALID_VALUE);
  const OnDevice<float> x(17);
  const OnDevice<float2> y(10);
  std::fill_n(x.at, 17, 1.0f);
  CHECK(cufftExecR2C(plan, x.at, y.at) == CUFFT_INVALID_PLAN);
  CHECK(make(&from, CUFFT_R2C, 2, &bytes) == CUFFT_SUCCESS);
  CHECK(cufftExecR2C(plan, x.at, y.at) == CUFFT_NO_WORKSPACE);
  const OnDevice<unsigned char> area(bytes);
  cufftSetWorkArea(plan, area.at);
  CHECK(cufftExecR2C(plan, nullptr, y.at) == CUFFT_INVALID_VALUE);
  CHECK(cufftExecR2C(plan, x.at + 1, y.at) == CUFFT_INVALID_VALUE);  // between two pairs
  CHECK(cufftExecC2R(plan, y.at, x.at) == CUFFT_INVALID_PLAN);
  CHECK(cufftExecR2C(plan, x.at, y.at) == CUFFT_SUCCESS);
  CHECK_THROWS_WITH(under_test::end_run(), Catch::Matchers::Contains("work on the null stream"));
  cufftSetStream(plan, stream());
  const OnDevice<unsigned char> short_area(bytes - 1);
  cufftSetWorkArea(plan, short_area.at);
  CHECK(cufftExecR2C(plan, x.at, y.at) == CUFFT_NO_WORKSPACE);
  CHECK_THROWS_WITH(under_test::end_run(), Catch::Matchers::Contains("smaller than it asked for"));
  cufftSetWorkArea(plan, area.at);
  CHECK(cufftExecR2C(plan, x.at, reinterpret_cast<float2*>(x.at + 2)) == CUFFT_SUCCESS);
  CHECK_THROWS_WITH(under_test::end_run(), Catch::Matchers::Contains("overlaps"));
  CHECK(cufftDestroy(plan) == CUFFT_SUCCESS);
  CHECK(cufftExecR2C(plan, x.at, y.at) == CUFFT_INVALID_PLAN);
  CHECK(cufftDestroy(plan) == CUFFT_INVALID_PLAN);
}

TEST_CASE("long lines are transformed by cuFFT, short and much pruned ones are not", "[cuda_on_cpu][cufft]") {
  REQUIRE(under_test::has_device());
  for (const DType scalar : {DType::f32, DType::f64})
    for (const FftKind kind : {FftKind::complex, FftKind::real_forward, FftKind::real_inverse}) {
      const auto of = [&](std::int64_t outer, std::int64_t n, std::int64_t inner, std::int64_t low = -1) {
        return calls({.kind = kind, .scalar = scalar, .outer = outer, .n = n, .inner = inner, .low = low});
      };
      CHECK(of(7, 33, 1) == 1);
      CHECK(of(1, 33, 7) == 1);
      CHECK(of(4, 66, 4) == 4);
      CHECK(of(5, 66, 4) == 1);  // turned
      CHECK(of(2, 67, 3) == 1);  // its second part would begin between two pairs
      CHECK(of(2, 130, 3, 50) == 2);
      CHECK(of(2, 130, 3, 48) == 0);
      CHECK(of(7, 32, 1) == 0);
      CHECK(of(2, 64, 2) == 0);
    }
  under_test::end_run();
}

TEST_CASE("transforms are the CPU's by our own sums alone, too", "[cuda_on_cpu][cufft][slow]") {
  REQUIRE(under_test::has_device());
  install_fft();
  on_cpu::fft_calls_run();
  const under_test::Extra& e = under_test::extra_case("Fourier transforms");
  for (const DType type : e.types) CHECK(under_test::compare(e.name, e.run, type) == under_test::Verdict::agrees);
  CHECK(on_cpu::fft_calls_run() == 0);
  install_fft_library();
}

namespace {

/// What another process chooses that finds a product on tensor cores to take 10 us and the plain one `plain`; of so many lines.
std::string chosen(double plain, std::int64_t inner) {
  return under_test::in_another_process([=] {
    const FftGeometry g{.kind = FftKind::real_forward, .outer = 1, .n = 32, .inner = inner, .low = 9};
    on_cpu::count_time([=](const std::string& kernel) { return kernel == "tensor_fft" ? 10.0 : kernel == "direct_fft" ? plain : 0.0; });
    const bool faster = tensor_cores_are_faster(g);
    return (faster ? "faster; " : "not faster; ") + choices_made().back();
  });
}

}  // namespace

TEST_CASE("a transform runs on tensor cores where these are faster, from process to process", "[cuda_on_cpu][cufft][slow]") {
  REQUIRE(under_test::has_device());
  const std::string one = "faster; real transform f32 of 1 x 32 x 7360, 9 values kept: ", other = "not faster; real transform f32 of 1 x 32 x 7364, 9 values kept: ";
  CHECK(chosen(100, 7360) == one + "tensor cores: 10.0 us (plain arithmetic 100.0 us)");
  CHECK(chosen(5, 7360) == one + "tensor cores");
  CHECK(chosen(5, 7364) == other + "plain arithmetic: 5.0 us");
  CHECK(chosen(100, 7364) == other + "plain arithmetic");
}

TEST_CASE("whether a transform of many sums runs on tensor cores is asked once", "[cuda_on_cpu][cufft]") {
  REQUIRE(under_test::has_device());
  const auto told = [] { return choices_made().empty() ? "" : choices_made().back(); };
  FftGeometry g{.kind = FftKind::real_forward, .outer = 1, .n = 32, .inner = 7356, .low = 9};
  REQUIRE(direct_fft_on_tensor_cores(g));
  const std::size_t before = choices_made().size();
  CHECK_FALSE(tensor_cores_are_faster({.kind = FftKind::real_forward, .outer = 1, .n = 32, .inner = 6000, .low = 9}));  // a launch is all there is to it
  CHECK(choices_made().size() == before);
  const bool tensor = tensor_cores_are_faster(g);
  CHECK_THAT(told(), Catch::Matchers::StartsWith("real transform f32 of 1 x 32 x 7356, 9 values kept: " + std::string(tensor ? "tensor cores: " : "plain arithmetic: ")));
  CHECK_THAT(told(), !Catch::Matchers::Contains("another result"));
  CHECK(tensor_cores_are_faster(g) == tensor);
  CHECK(choices_made().size() == before + 1);
  CHECK(calls(g) == 0);
  under_test::end_run();
}
