// The vector loops against plain ones, path by path, over the words of Random.
#include "finance/pricing/paths.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "tenon/random.hpp"

using namespace tenon;
using namespace tenon::finance;

namespace {

struct Path {
  double terminal, mean, log_mean;
};

double uniform(std::uint32_t word) { return (double(word) + 0.5) / 4294967296.0; }

void normals(const std::array<std::uint32_t, 4>& w, double (&z)[4]) {
  for (int i = 0; i < 4; i += 2) {
    const double r = std::sqrt(-2 * std::log(uniform(w[std::size_t(i)]))), turn = 2 * 3.14159265358979323846 * uniform(w[std::size_t(i + 1)]);
    z[i] = r * std::cos(turn);
    z[i + 1] = r * std::sin(turn);
  }
}

Path plain_gbm(const BlackScholes& m, double years, std::int64_t steps, std::uint64_t seed, std::int64_t stride, std::uint64_t path) {
  const double dt = years / double(steps);
  double x = std::log(m.spot), mean = 0, logs = 0, z[4];
  for (std::int64_t s = 0; s < steps; ++s) {
    if (s % 4 == 0) normals(Random(seed, path_stream(std::uint64_t(s / 4), 0)).bits(path), z);
    x += (m.rate - m.dividend - 0.5 * m.volatility * m.volatility) * dt + m.volatility * std::sqrt(dt) * z[s % 4];
    if ((s + 1) % stride == 0) mean += std::exp(x), logs += x;
  }
  const double fixings = double(steps / stride);
  return {std::exp(x), mean / fixings, logs / fixings};
}

/// Andersen (2008), section 3.2.4 and equation 33, as printed there.
Path plain_heston(const Heston& m, double years, std::int64_t steps, std::uint64_t seed, std::int64_t stride, HestonScheme scheme, std::uint64_t path) {
  const double dt = years / double(steps), e = std::exp(-m.kappa * dt), mu = m.rate - m.dividend;
  double x = std::log(m.spot), v = m.v0, mean = 0, logs = 0, z[4];
  for (std::int64_t s = 0; s < steps; ++s) {
    const auto w = Random(seed, path_stream(std::uint64_t(s), 1)).bits(path);
    normals(w, z);
    if (scheme == HestonScheme::full_truncation) {
      const double kept = std::max(v, 0.0), root = std::sqrt(kept * dt);
      x += (mu - 0.5 * kept) * dt + root * (m.rho * z[0] + std::sqrt(1 - m.rho * m.rho) * z[1]);
      v += m.kappa * (m.theta - kept) * dt + m.sigma * root * z[0];
    } else {
      const double first = m.theta + (v - m.theta) * e;
      const double second = v * m.sigma * m.sigma * e / m.kappa * (1 - e) + m.theta * m.sigma * m.sigma / (2 * m.kappa) * (1 - e) * (1 - e);
      const double psi = second / (first * first);
      double next;
      if (psi <= 1.5) {
        const double b2 = 2 / psi - 1 + std::sqrt(2 / psi) * std::sqrt(2 / psi - 1), a = first / (1 + b2);
        next = a * (std::sqrt(b2) + z[0]) * (std::sqrt(b2) + z[0]);
      } else {
        const double p = (psi - 1) / (psi + 1), beta = (1 - p) / first, u = uniform(w[2]);
        next = u <= p ? 0 : std::log((1 - p) / (1 - u)) / beta;
      }
      const double k0 = -m.rho * m.kappa * m.theta / m.sigma * dt, k1 = 0.5 * dt * (m.kappa * m.rho / m.sigma - 0.5) - m.rho / m.sigma;
      const double k2 = 0.5 * dt * (m.kappa * m.rho / m.sigma - 0.5) + m.rho / m.sigma, k3 = 0.5 * dt * (1 - m.rho * m.rho);
      x += mu * dt + k0 + k1 * v + k2 * next + std::sqrt(k3 * v + k3 * next) * z[1];
      v = next;
    }
    if ((s + 1) % stride == 0) mean += std::exp(x), logs += x;
  }
  const double fixings = double(steps / stride);
  return {std::exp(x), mean / fixings, logs / fixings};
}

void require_same(const PathBlock& block, std::size_t i, const Path& p) {
  CHECK(block.terminal[i] == Approx(p.terminal).epsilon(1e-10));
  CHECK(block.mean[i] == Approx(p.mean).epsilon(1e-10));
  CHECK(block.log_mean[i] == Approx(p.log_mean).epsilon(1e-11));
}

}  // namespace

TEST_CASE("paths: GBM equals the plain loop, any number of steps", "[finance][pricing]") {
  const BlackScholes m{100, 0.05, 0.02, 0.25};
  for (std::int64_t steps : {1, 3, 4, 10, 252}) {
    PathBlock block;
    simulate_block(m, 1.5, steps, 99, {true, steps == 10 ? 5 : 1}, 1000, 24, block);
    for (std::size_t i = 0; i < 24; ++i) require_same(block, i, plain_gbm(m, 1.5, steps, 99, steps == 10 ? 5 : 1, 1000 + i));
    PathBlock bare;
    simulate_block(m, 1.5, steps, 99, {}, 1000, 24, bare);
    for (std::size_t i = 0; i < 24; ++i) CHECK(bare.terminal[i] == Approx(block.terminal[i]).epsilon(1e-13));
  }
}

TEST_CASE("paths: Heston equals the plain loop, calm and wild variance", "[finance][pricing]") {
  const Heston models[] = {{100, 0.03, 0.01, 0.04, 1.5, 0.05, 0.3, -0.6}, {100, 0.03, 0.01, 0.02, 0.5, 0.03, 1.2, -0.9}};
  for (const Heston& m : models) {
    for (HestonScheme scheme : {HestonScheme::quadratic_exponential, HestonScheme::full_truncation}) {
      PathBlock block;
      simulate_block(m, 2, 24, 5, {true, 2}, scheme, 40, 64, block);
      for (std::size_t i = 0; i < 64; ++i) require_same(block, i, plain_heston(m, 2, 24, 5, 2, scheme, 40 + i));
    }
  }
}

TEST_CASE("paths: a variance that runs off leaves prices at 0, not at wrapped bits", "[finance][pricing]") {
  const Heston m{100, 0, 0, 90, 1e-6, 90, 1000, 0};
  PathBlock out;
  simulate_block(m, 100, 20, 0, {true, 2}, HestonScheme::quadratic_exponential, 0, 4096, out);
  for (std::size_t p = 0; p < 4096; ++p) {
    CHECK_FALSE(out.terminal[p] < 0);
    CHECK(std::isfinite(out.terminal[p]));
  }
}
