/// GARCH(1,1) and GJR-GARCH(1,1) by maximum likelihood, with analytic first and second derivatives.
///
///     y_t = mu + e_t,  h_t = omega + alpha e_(t-1)^2 + gamma e_(t-1)^2 1(e_(t-1) < 0) + beta h_(t-1)
///
/// with e_0^2 = h_0 = mean of e_t^2 over the sample at the current mu, whose derivative with respect to mu counts, and gamma h_0 / 2 for the
/// leverage term there: the convention of Fiorentini, Calzolari and Panattoni (1996), whose benchmark it reproduces. Innovations are
/// normal, or Student's t of unit variance with nu > 2. Nothing keeps alpha + beta (+ gamma / 2) below one; a fit there is flagged.
/// All functions are free of state and safe from any thread. A fit of 2,000 observations takes well under a millisecond.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tenon::finance {

enum class Innovation : std::uint8_t { normal, student };

struct GarchModel {
  Innovation innovation = Innovation::normal;
  bool leverage = false;  ///< GJR
  int size() const noexcept { return 4 + leverage + (innovation == Innovation::student); }
  /// "mu", "omega", "alpha", "beta", then "gamma" and "nu" where they are.
  std::vector<std::string> names() const;
  std::string str() const;  ///< "garch", "garch-t", "gjr", "gjr-t"
};

inline constexpr int kMostGarch = 6;
using GarchVector = std::array<double, kMostGarch>;
using GarchMatrix = std::array<GarchVector, kMostGarch>;

/// Log-likelihood with its derivatives in the parameters' order of names().
struct GarchLikelihood {
  double value = 0;
  GarchVector score{};
  GarchMatrix hessian{};  ///< second derivatives
  GarchMatrix opg{};      ///< sum of outer products of the observations' scores
};
GarchLikelihood garch_likelihood(std::span<const double> y, const GarchModel& model, const GarchVector& parameters);

/// Conditional variances h_1 .. h_T and the forecast h_(T+1) as the last: T + 1 values.
std::vector<double> garch_variances(std::span<const double> y, const GarchModel& model, const GarchVector& parameters);

struct GarchFit {
  GarchModel model;
  std::int64_t observations = 0;
  GarchVector parameters{}, se_hessian{}, se_robust{};  ///< errors NaN where a bound binds
  double log_likelihood = 0;
  double persistence = 0;        ///< alpha + beta + gamma / 2
  double score_size = 0;         ///< largest |score_i| (1 + |parameter_i|) of the parameters that are free
  int iterations = 0;
  bool converged = false;
  std::vector<std::string> flags;  ///< "alpha = 0 is a bound", "alpha + beta >= 1: no unconditional variance"
  double next_variance = 0;        ///< h_(T+1)
};

/// Fits from a grid of default starts (or from `start` alone). Throws data errors finance.constant_series, finance.too_short (fewer than 30
/// observations), finance.not_finite (a missing or infinite value, with its index).
GarchFit fit_garch(std::span<const double> y, const GarchModel& model, const std::optional<GarchVector>& start = {});

/// Variances of t + 1 .. t + horizon from the last observation on; the mean reversion is at rate persistence.
std::vector<double> garch_forecast(const GarchFit& fit, std::int64_t horizon);

}  // namespace tenon::finance
