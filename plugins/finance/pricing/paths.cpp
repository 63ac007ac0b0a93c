#include "finance/pricing/paths.hpp"

#include <cmath>
#include <cstring>

#include "finance/pricing/lanes.hpp"

namespace tenon::finance {
namespace {

constexpr int kSets = 2, kPaths = 4 * kSets;  // paths of one pass of the step loop

/// Four normals a path for four steps of it.
struct FourSteps {
  V4 z[kSets][4];
  TENON_LANE void draw(std::uint64_t seed, std::uint64_t group, std::uint64_t path) {
    Philox4 w[kSets];
    philox<kSets>(seed, path_stream(group, 0), path, w);
    for (int s = 0; s < kSets; ++s) {
      normal_pair(w[s].c0, w[s].c1, z[s][0], z[s][1]);
      normal_pair(w[s].c2, w[s].c3, z[s][2], z[s][3]);
    }
  }
};

void put(V4 v, double* out) { std::memcpy(out, &v, sizeof v); }

/// Running means of a path's fixings.
struct Means {
  V4 sum[kSets]{}, logs[kSets]{};
  TENON_LANE void add(int set, V4 x) {
    sum[set] += exp4(x);
    logs[set] += x;
  }
};

template <bool kMeans> void gbm(const BlackScholes& m, double years, std::int64_t steps, std::uint64_t seed, PathWants wants, std::int64_t first, std::int64_t n, PathBlock& out) {
  const double dt = years / double(steps), drift = (m.rate - m.dividend - 0.5 * m.volatility * m.volatility) * dt, deviation = m.volatility * std::sqrt(dt);
  const double start = std::log(m.spot), fixings = double(steps / wants.stride);
  for (std::int64_t p = 0; p < n; p += kPaths) {
    V4 sum[kSets]{};  // of the normals; the drift is added where a value is looked at
    Means means;
    std::int64_t next = wants.stride;
    for (std::int64_t step = 0; step < steps; step += 4) {
      FourSteps normals;
      normals.draw(seed, std::uint64_t(step / 4), std::uint64_t(first + p));
      const int last = int(std::min<std::int64_t>(4, steps - step));
      if constexpr (!kMeans) {
        if (last == 4) {
          for (int s = 0; s < kSets; ++s) sum[s] += (normals.z[s][0] + normals.z[s][1]) + (normals.z[s][2] + normals.z[s][3]);
          continue;
        }
      }
      for (int k = 0; k < last; ++k) {
        for (int s = 0; s < kSets; ++s) sum[s] += normals.z[s][k];
        if constexpr (kMeans) {
          if (step + k + 1 == next) {
            const double base = start + drift * double(next);
            for (int s = 0; s < kSets; ++s) means.add(s, fma4(sum[s], lanes(deviation), base));
            next += wants.stride;
          }
        }
      }
    }
    for (int s = 0; s < kSets; ++s) {
      const auto at = std::size_t(p + 4 * s);
      put(exp4(fma4(sum[s], lanes(deviation), start + drift * double(steps))), &out.terminal[at]);
      if constexpr (kMeans) {
        put(means.sum[s] / fixings, &out.mean[at]);
        put(means.logs[s] / fixings, &out.log_mean[at]);
      }
    }
  }
}

/// One step of the variance by Andersen's quadratic-exponential scheme.
struct QeStep {
  double theta, e, c1, c2;
  QeStep(const Heston& m, double dt)
      : theta(m.theta), e(std::exp(-m.kappa * dt)), c1(m.sigma * m.sigma * e * (1 - e) / m.kappa), c2(m.theta * m.sigma * m.sigma * (1 - e) * (1 - e) / (2 * m.kappa)) {}
  TENON_LANE V4 operator()(V4 v, V4 z, U4 word) const {
    const V4 mean = fma4(v - theta, lanes(e), theta), s2 = fma4(v, lanes(c1), c2), psi = s2 / (mean * mean);
    const I4 smooth = psi <= 1.5;
    const V4 two = 2.0 / psi, less = max4(two - 1.0, lanes(0)), b2 = less + sqrt4(two * less), shifted = sqrt4(b2) + z;
    const V4 quadratic = mean / (b2 + 1.0) * shifted * shifted;
    if (all4(smooth)) return quadratic;
    // An atom at zero of weight p, and an exponential tail.
    const V4 p = (psi - 1.0) / (psi + 1.0), beta = (1.0 - p) / mean, u = half_up(word) * (1.0 / 4294967296.0);
    const V4 tail = log4(max4(1.0 - p, lanes(1e-300)) / (1.0 - u)) / beta;
    return select4(smooth, quadratic, select4(u <= p, lanes(0), max4(tail, lanes(0))));
  }
};

/// A variance that runs off takes the logarithm beyond what exp4 serves; e^-700 is as good as 0.
TENON_LANE V4 within_exp(V4 x) { return max4(min4(x, lanes(700)), lanes(-700)); }

template <bool kMeans, bool kQe> void heston(const Heston& m, double years, std::int64_t steps, std::uint64_t seed, PathWants wants, std::int64_t first, std::int64_t n, PathBlock& out) {
  const double dt = years / double(steps), start = std::log(m.spot), fixings = double(steps / wants.stride), carry = (m.rate - m.dividend) * dt;
  const QeStep qe(m, dt);
  const double slope = 0.5 * dt * (m.kappa * m.rho / m.sigma - 0.5);
  const double k0 = carry - m.rho * m.kappa * m.theta * dt / m.sigma, k1 = slope - m.rho / m.sigma, k2 = slope + m.rho / m.sigma, k3 = 0.5 * dt * (1 - m.rho * m.rho);
  const double root = std::sqrt(dt), across = std::sqrt(1 - m.rho * m.rho);
  for (std::int64_t p = 0; p < n; p += kPaths) {
    V4 x[kSets], v[kSets];
    Means means;
    for (int s = 0; s < kSets; ++s) x[s] = lanes(start), v[s] = lanes(m.v0);
    std::int64_t next = wants.stride;
    for (std::int64_t step = 0; step < steps; ++step) {
      Philox4 w[kSets];
      philox<kSets>(seed, path_stream(std::uint64_t(step), 1), std::uint64_t(first + p), w);
      for (int s = 0; s < kSets; ++s) {
        V4 z1, z2;
        normal_pair(w[s].c0, w[s].c1, z1, z2);
        if constexpr (kQe) {
          const V4 after = qe(v[s], z1, w[s].c2);
          x[s] += fma4(v[s], lanes(k1), fma4(after, lanes(k2), fma4(sqrt4((v[s] + after) * k3), z2, k0)));
          v[s] = after;
        } else {
          const V4 kept = max4(v[s], lanes(0)), sd = sqrt4(kept) * root;
          x[s] += fma4(kept, lanes(-0.5 * dt), carry) + sd * fma4(z1, lanes(m.rho), z2 * across);
          v[s] += fma4(m.theta - kept, lanes(m.kappa * dt), sd * z1 * m.sigma);
        }
      }
      if constexpr (kMeans) {
        if (step + 1 == next) {
          for (int s = 0; s < kSets; ++s) means.add(s, within_exp(x[s]));
          next += wants.stride;
        }
      }
    }
    for (int s = 0; s < kSets; ++s) {
      const auto at = std::size_t(p + 4 * s);
      put(exp4(within_exp(x[s])), &out.terminal[at]);
      if constexpr (kMeans) {
        put(means.sum[s] / fixings, &out.mean[at]);
        put(means.logs[s] / fixings, &out.log_mean[at]);
      }
    }
  }
}

void prepare(PathBlock& out, std::int64_t n, bool means) {
  out.terminal.resize(std::size_t(n));
  out.mean.resize(means ? std::size_t(n) : 0);
  out.log_mean.resize(means ? std::size_t(n) : 0);
}

}  // namespace

void simulate_block(const BlackScholes& m, double years, std::int64_t steps, std::uint64_t seed, PathWants wants, std::int64_t first, std::int64_t n, PathBlock& out) {
  prepare(out, n, wants.means);
  (wants.means ? gbm<true> : gbm<false>)(m, years, steps, seed, wants, first, n, out);
}

void simulate_block(const Heston& m, double years, std::int64_t steps, std::uint64_t seed, PathWants wants, HestonScheme scheme, std::int64_t first, std::int64_t n, PathBlock& out) {
  prepare(out, n, wants.means);
  const bool qe = scheme == HestonScheme::quadratic_exponential;
  auto run = wants.means ? (qe ? heston<true, true> : heston<true, false>) : (qe ? heston<false, true> : heston<false, false>);
  run(m, years, steps, seed, wants, first, n, out);
}

void path_normals(std::uint64_t seed, std::int64_t first, std::int64_t paths, std::int64_t steps, double* out) {
  for (std::int64_t p = 0; p < paths; p += kPaths) {
    for (std::int64_t step = 0; step < steps; step += 4) {
      FourSteps normals;
      normals.draw(seed, std::uint64_t(step / 4), std::uint64_t(first + p));
      for (int s = 0; s < kSets; ++s)
        for (int k = 0; k < 4 && step + k < steps; ++k)
          for (int lane = 0; lane < 4; ++lane)
            if (std::int64_t path = p + 4 * s + lane; path < paths) out[path * steps + step + k] = normals.z[s][k][lane];
    }
  }
}

}  // namespace tenon::finance
