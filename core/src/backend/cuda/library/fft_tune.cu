#include "backend/cuda/library/fft_tune.hpp"

#include <compare>
#include <cstdio>
#include <string>
#include <tuple>
#include <utility>

#include "backend/cuda/fft.hpp"
#include "backend/cuda/library/plan_choice.hpp"
#include "backend/cuda/library/plan_trial.cuh"

namespace tenon::cuda {
namespace {

constexpr double kWorthAsking = 4e6;  // multiplications; below, a launch is all there is to it
constexpr double kFar = 1e-12;        // NMSE; both are some 1e-14 from the exact sums

struct FftChoice {
  bool tensor = false;
  double microseconds = 0;  ///< of what was chosen; 0 where it was not measured in this process
  double apart = 0;         ///< NMSE of the two results, where it is too much
};

/// A transform of which one asks what makes it (choice_for).
struct FftQuestion {
  FftGeometry g;

  auto sizes() const { return std::tuple(int(g.kind), g.inverse, g.outer, g.n, g.inner, g.low, g.high); }
  auto operator<=>(const FftQuestion& other) const { return sizes() <=> other.sizes(); }

  bool inverse() const { return g.kind == FftKind::real_inverse || (g.kind == FftKind::complex && g.inverse); }
  std::size_t bytes(std::int64_t values, bool real) const { return std::size_t(g.outer * g.inner * values) * (real ? 4 : 8); }
  std::size_t in_bytes() const { return bytes(inverse() ? g.kept() : g.n, g.kind == FftKind::real_forward); }
  std::size_t out_bytes() const { return bytes(inverse() ? g.n : g.kept(), g.kind == FftKind::real_inverse); }

  std::string key() const {
    std::string text = "fft " + std::to_string(int(g.kind)) + (g.inverse ? "i" : "");
    for (std::int64_t v : {g.outer, g.n, g.inner, g.low, g.high}) text += " " + std::to_string(v);
    return text;
  }
  std::string written(const FftChoice& c) const { return c.tensor ? "tensor" : "plain"; }
  bool recall(const std::string& text, FftChoice& choice) const {
    choice.tensor = text == "tensor";
    return choice.tensor || text == "plain";
  }

  FftChoice measure(double& own) const {
    const Scratch x(in_bytes()), wanted(out_bytes()), result(out_bytes());
    noise(x, DType::f32, 1);
    const Kernel plain = make_plain_fft(g, 1), tensor = make_direct_fft(g, 1);
    void *to_wanted[] = {x.get(), wanted.get()}, *to_result[] = {x.get(), result.get()};
    wanted.spoil();
    result.spoil();
    plain(to_wanted);
    tensor(to_result);
    const double apart = difference(result, wanted, DType::f32);
    Stopwatch watch;
    own = watch.microseconds([&] { plain(to_wanted); });
    if (!(apart <= kFar)) return {false, own, apart};
    const double time = watch.microseconds([&] { tensor(to_result); });
    return time < own ? FftChoice{true, time, 0} : FftChoice{false, own, 0};
  }

  std::string explain(const FftChoice& c, double own) const {
    static constexpr const char* kNames[] = {"complex", "real", "inverse real"};
    std::string text = std::string(kNames[std::size_t(g.kind)]) + (g.inverse ? " inverse" : "") + " transform f32 of " + std::to_string(g.outer) + " x " +
                       std::to_string(g.n) + " x " + std::to_string(g.inner) + ", " + std::to_string(g.kept()) +
                       " values kept: " + (c.tensor ? "tensor cores" : "plain arithmetic");
    text = with_times(std::move(text), c.microseconds, c.tensor ? own : 0, "plain arithmetic");
    char numbers[96];
    if (c.apart != 0) {
      std::snprintf(numbers, sizeof numbers, "; tensor cores gave another result, NMSE %.1e", c.apart);
      text += numbers;
    }
    return text;
  }
};

}  // namespace

bool tensor_cores_are_faster(const FftGeometry& g) {
  const double multiplications = double(g.outer * g.inner) * double(g.n) * double(g.kept()) * (g.kind == FftKind::complex ? 4 : 2);
  return multiplications >= kWorthAsking && direct_fft_on_tensor_cores(g) && choice_for<FftChoice>(FftQuestion{g}).tensor;
}

}  // namespace tenon::cuda
