// One pass over the series carries h and its first and second derivatives, and sums those of the log-likelihood.
#include <cmath>
#include <numbers>

#include "finance/volatility/garch.hpp"
#include "finance/volatility/special.hpp"

namespace tenon::finance {
namespace {

enum { kMu, kOmega, kAlpha, kBeta };

/// A sum that carries its rounding error (Neumaier 1974).
struct Sum {
  double value = 0, carry = 0;
  void add(double x) {
    const double t = value + x;
    carry += std::abs(value) >= std::abs(x) ? (value - t) + x : (x - t) + value;
    value = t;
  }
  double total() const { return value + carry; }
};

/// Derivatives of one observation's log-likelihood with respect to h, e and nu.
struct Pointwise {
  double l, h, e, nu = 0, hh, eh, ee, nu_h = 0, nu_e = 0, nu_nu = 0;
};

Pointwise normal_at(double e, double h) {
  const double i = 1 / h, q = e * e * i;
  return {-0.5 * (std::log(2 * std::numbers::pi) + std::log(h) + q), 0.5 * i * (q - 1), -e * i, 0, i * i * (0.5 - q), e * i * i, -i};
}

/// What depends on nu alone.
struct StudentConstants {
  double nu, w, constant, d_constant, dd_constant;
  explicit StudentConstants(double n)
      : nu(n), w(n - 2), constant(std::lgamma((n + 1) / 2) - std::lgamma(n / 2) - 0.5 * std::log(std::numbers::pi * w)),
        d_constant(0.5 * digamma_of((n + 1) / 2) - 0.5 * digamma_of(n / 2) - 0.5 / w),
        dd_constant(0.25 * trigamma_of((n + 1) / 2) - 0.25 * trigamma_of(n / 2) + 0.5 / (w * w)) {}
};

Pointwise student_at(double e, double h, const StudentConstants& c) {
  const double i = 1 / h, u = e * e * i / c.w, d = 1 / (1 + u), half = 0.5 * (c.nu + 1), ud = u * d, log_d = std::log1p(u);
  Pointwise p;
  p.l = c.constant - 0.5 * std::log(h) - half * log_d;
  p.h = i * (half * ud - 0.5);
  p.e = -(c.nu + 1) * e * i * d / c.w;
  p.nu = c.d_constant - 0.5 * log_d + half * ud / c.w;
  p.hh = i * i * (0.5 - half * ud * d * (2 + u));
  p.eh = (c.nu + 1) * e * i * i * d * d / c.w;
  p.ee = -(c.nu + 1) * i * d * d * (1 - u) / c.w;
  p.nu_h = i * ud * (0.5 - half * d / c.w);
  p.nu_e = e * i * d / c.w * ((c.nu + 1) * d / c.w - 1);
  p.nu_nu = c.dd_constant + ud / c.w - half * ud * d * (2 + u) / (c.w * c.w);
  return p;
}

/// K parameters of the variance: mu, omega, alpha, beta and with GJR gamma.
template <int K, bool kStudent> GarchLikelihood likelihood(std::span<const double> y, const GarchVector& theta) {
  constexpr bool kLeverage = K == 5;
  constexpr int kGamma = 4, kNu = K, kAll = K + kStudent;
  const double mu = theta[kMu], omega = theta[kOmega], alpha = theta[kAlpha], beta = theta[kBeta], gamma = kLeverage ? theta[kGamma] : 0;
  const auto n = double(y.size());
  Sum squares, deviations;
  for (double v : y) squares.add((v - mu) * (v - mu)), deviations.add(v - mu);
  const double s = squares.total() / n;
  // The presample: q stands for e_0^2, p for h_0; both are s, a function of mu.
  double q = s, dq = -2 * deviations.total() / n, down = 0.5;
  double p = s, dp[K] = {dq}, ddp[K][K] = {{2.0}};
  const StudentConstants student(kStudent ? theta[kNu] : 10);
  Sum total;
  GarchLikelihood out;
  for (double v : y) {
    const double a = alpha + gamma * down;
    const double h = omega + a * q + beta * p;
    double dh[K], ddh[K][K];
    for (int i = 0; i < K; ++i) {
      dh[i] = beta * dp[i];
      for (int j = 0; j <= i; ++j) ddh[i][j] = beta * ddp[i][j];
    }
    dh[kMu] += a * dq;
    dh[kOmega] += 1;
    dh[kAlpha] += q;
    dh[kBeta] += p;
    ddh[kMu][kMu] += a * 2;
    ddh[kAlpha][kMu] += dq;
    for (int j = 0; j < kBeta; ++j) ddh[kBeta][j] += dp[j];
    ddh[kBeta][kBeta] += 2 * dp[kBeta];
    if constexpr (kLeverage) {
      dh[kGamma] += down * q;
      ddh[kGamma][kMu] += down * dq;
      ddh[kGamma][kBeta] += dp[kGamma];
    }
    const double e = v - mu;
    const Pointwise l = kStudent ? student_at(e, h, student) : normal_at(e, h);
    total.add(l.l);
    double score[kAll];
    for (int i = 0; i < K; ++i) score[i] = l.h * dh[i];
    score[kMu] -= l.e;
    if constexpr (kStudent) score[kNu] = l.nu;
    for (int i = 0; i < kAll; ++i) {
      out.score[i] += score[i];
      for (int j = 0; j <= i; ++j) out.opg[i][j] += score[i] * score[j];
    }
    for (int i = 0; i < K; ++i) {
      for (int j = 0; j <= i; ++j) out.hessian[i][j] += l.hh * dh[i] * dh[j] + l.h * ddh[i][j];
      out.hessian[i][kMu] -= l.eh * dh[i];
    }
    out.hessian[kMu][kMu] += l.ee - l.eh * dh[kMu];
    if constexpr (kStudent) {
      for (int i = 0; i < K; ++i) out.hessian[kNu][i] += l.nu_h * dh[i];
      out.hessian[kNu][kMu] -= l.nu_e;
      out.hessian[kNu][kNu] += l.nu_nu;
    }
    q = e * e;
    dq = -2 * e;
    down = e < 0 ? 1 : 0;
    p = h;
    for (int i = 0; i < K; ++i) {
      dp[i] = dh[i];
      for (int j = 0; j <= i; ++j) ddp[i][j] = ddh[i][j];
    }
  }
  for (int i = 0; i < kAll; ++i)
    for (int j = 0; j < i; ++j) out.hessian[j][i] = out.hessian[i][j], out.opg[j][i] = out.opg[i][j];
  out.value = total.total();
  return out;
}

}  // namespace

GarchLikelihood garch_likelihood(std::span<const double> y, const GarchModel& model, const GarchVector& theta) {
  if (model.innovation == Innovation::student) return model.leverage ? likelihood<5, true>(y, theta) : likelihood<4, true>(y, theta);
  return model.leverage ? likelihood<5, false>(y, theta) : likelihood<4, false>(y, theta);
}

std::vector<double> garch_variances(std::span<const double> y, const GarchModel& model, const GarchVector& theta) {
  const double mu = theta[kMu], gamma = model.leverage ? theta[4] : 0;
  Sum squares;
  for (double v : y) squares.add((v - mu) * (v - mu));
  double q = squares.total() / double(y.size()), p = q, down = 0.5;
  std::vector<double> out;
  out.reserve(y.size() + 1);
  for (double v : y) {
    p = theta[kOmega] + (theta[kAlpha] + gamma * down) * q + theta[kBeta] * p;
    out.push_back(p);
    const double e = v - mu;
    q = e * e;
    down = e < 0 ? 1 : 0;
  }
  out.push_back(theta[kOmega] + (theta[kAlpha] + gamma * down) * q + theta[kBeta] * p);
  return out;
}

}  // namespace tenon::finance
