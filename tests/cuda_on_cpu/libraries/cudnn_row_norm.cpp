// Norms of rows as cuDNN's graphs have them: operands of the slots without partial sums, parameters and statistics in f32.
#include <cmath>
#include <numeric>

#include "cuda_on_cpu/libraries/cudnn_loops.hpp"
#include "ops/convert.hpp"
#include "ops/dispatch.hpp"

namespace tenon::cuda::on_cpu {
namespace {

using Values = std::vector<double>;

class Run {
 public:
  Run(const CudnnRowNorm& q, const std::vector<void*>& operands, Deed deed) : p_(q.all), rms_(is_rms(q.pass)), deed_(deed), operands_(operands) {}

  /// x, scale, shift -> y, mean, 1 / deviation; RMS norm has neither shift nor mean.
  std::vector<Result> forward() const {
    const Values x = rows_of(0), scale = floats(1, p_.channels), shift = rms_ ? Values(scale.size(), 0.0) : floats(2, p_.channels);
    Values y(x.size()), mean, rstd;
    for (std::int64_t r = 0; r < p_.rows; ++r) {
      const double* const row = &x[std::size_t(r * p_.channels)];
      mean.push_back(rms_ ? 0 : std::accumulate(row, row + p_.channels, 0.0) / double(p_.channels));
      rstd.push_back(1 / std::sqrt(variance(row, mean.back()) + p_.eps));
      for (std::int64_t c = 0; c < p_.channels; ++c)
        y[std::size_t(r * p_.channels + c)] = (row[c] - mean.back()) * rstd.back() * scale[std::size_t(c)] + shift[std::size_t(c)];
    }
    if (rms_) return {written(2, p_.dtype, std::move(y)), written(3, DType::f32, std::move(rstd))};
    return {written(3, p_.dtype, std::move(y)), written(4, DType::f32, std::move(mean)), written(5, DType::f32, std::move(rstd))};
  }

  /// x, d_y, mean, 1 / deviation, scale -> d_x, d_scale, d_shift; RMS norm has neither mean nor d_shift.
  std::vector<Result> gradient() const {
    std::size_t next = 0;
    const Values x = rows_of(next++), d_y = rows_of(next++), mean = rms_ ? Values(std::size_t(p_.rows), 0.0) : floats(next++, p_.rows),
                 rstd = floats(next++, p_.rows), scale = floats(next++, p_.channels);
    Values d_x(x.size()), d_scale(scale.size(), 0.0), d_shift(scale.size(), 0.0);
    for (std::int64_t r = 0; r < p_.rows; ++r) {
      const std::size_t first = std::size_t(r * p_.channels);
      double sum = 0, along = 0;  // of the normalised row's gradient, and of its product with that row
      auto normal = [&](std::size_t c) { return (x[first + c] - mean[std::size_t(r)]) * rstd[std::size_t(r)]; };
      for (std::size_t c = 0; c < scale.size(); ++c) {
        const double d = d_y[first + c];
        sum += d * scale[c], along += d * scale[c] * normal(c);
        d_scale[c] += d * normal(c), d_shift[c] += d;
      }
      if (rms_) sum = 0;
      for (std::size_t c = 0; c < scale.size(); ++c)
        d_x[first + c] = rstd[std::size_t(r)] * (d_y[first + c] * scale[c] - (sum + along * normal(c)) / double(p_.channels));
    }
    std::vector<Result> all{written(next, p_.dtype, std::move(d_x)), written(next + 1, DType::f32, std::move(d_scale))};
    if (!rms_) all.push_back(written(next + 2, DType::f32, std::move(d_shift)));
    return all;
  }

 private:
  double variance(const double* row, double mean) const {
    double sum = 0;
    if (deed_ != Deed::variance_of_squares) {
      for (std::int64_t c = 0; c < p_.channels; ++c) sum += (row[c] - mean) * (row[c] - mean);
      return sum / double(p_.channels);
    }
    float all = 0, squares = 0;
    for (std::int64_t c = 0; c < p_.channels; ++c) all += float(row[c]), squares += float(row[c]) * float(row[c]);
    all /= float(p_.channels);
    return squares / float(p_.channels) - (rms_ ? 0 : all * all);
  }
  Values read(std::size_t operand, DType type, std::int64_t count) const {
    Values all;
    dispatch_floating("stand-in", type, [&](auto tag) {
      using T = typename decltype(tag)::type;
      for (std::int64_t i = 0; i < count; ++i) all.push_back(convert<double>(static_cast<const T*>(operands_[operand])[i]));
    });
    return all;
  }
  Values rows_of(std::size_t operand) const { return read(operand, p_.dtype, p_.rows * p_.channels); }
  Values floats(std::size_t operand, std::int64_t count) const { return read(operand, DType::f32, count); }
  Result written(std::size_t operand, DType type, Values values) const {
    auto* const to = static_cast<std::byte*>(operands_[operand]);
    return {type, 1, std::move(values), [=](std::int64_t i) { return to + std::size_t(i) * size_of(type); }};
  }

  const RowNorm& p_;
  bool rms_;
  Deed deed_;
  const std::vector<void*>& operands_;
};

}  // namespace

std::vector<std::int64_t> operands_of(const CudnnRowNorm& q) {
  const std::int64_t x = q.all.rows * q.all.channels * std::int64_t(size_of(q.all.dtype)), of_rows = q.all.rows * 4, of_channels = q.all.channels * 4;
  switch (q.pass) {
    case RowNormPass::layer: return {x, of_channels, of_channels, x, of_rows, of_rows};
    case RowNormPass::layer_gradient: return {x, x, of_rows, of_rows, of_channels, x, of_channels, of_channels};
    case RowNormPass::rms: return {x, of_channels, x, of_rows};
    default: return {x, x, of_rows, of_channels, x, of_channels};
  }
}

void check_question(const CudnnRowNorm& q) {
  want(q.all.dtype != DType::f64, "a norm in f64");
  want(q.all.rows > 0 && q.all.channels > 0, "a norm of nothing");
  want(std::isfinite(q.all.eps) && q.all.eps >= 0, "an epsilon that is no number, or below 0");
}

std::vector<Result> results_of(const CudnnRowNorm& q, const std::vector<void*>& operands, Deed deed) {
  const Run run(q, operands, deed);
  return is_gradient(q.pass) ? run.gradient() : run.forward();
}

}  // namespace tenon::cuda::on_cpu
