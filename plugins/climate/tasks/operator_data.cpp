#include "climate/tasks/operator_data.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "tenon/error.hpp"
#include "tenon/io/npy.hpp"
#include "tenon/kernel.hpp"
#include "tenon/linalg.hpp"
#include "tenon/ops.hpp"

namespace tenon::climate {
namespace fs = std::filesystem;
namespace {

/// Values at (i / k) of a coarse field, linear between its points; beyond the last the last.
Tensor refine(const Tensor& coarse, std::int64_t k) {
  if (k == 1) return coarse;
  const std::int64_t n = coarse.size(0), rows = coarse.size(1), columns = coarse.size(2);
  const Tensor fine = Tensor::empty(Shape{n, rows * k, columns * k, 1});
  const float* from = coarse.data<float>();
  float* to = fine.data<float>();
  parallel_for(n, [&](std::int64_t s) {
    const float* field = from + s * rows * columns;
    float* out = to + s * rows * columns * k * k;
    for (std::int64_t r = 0; r < rows * k; ++r)
      for (std::int64_t c = 0; c < columns * k; ++c) {
        const std::int64_t r0 = r / k, c0 = c / k, r1 = std::min(r0 + 1, rows - 1), c1 = std::min(c0 + 1, columns - 1);
        const float fr = float(r % k) / float(k), fc = float(c % k) / float(k);
        const float a = field[r0 * columns + c0] * (1 - fc) + field[r0 * columns + c1] * fc;
        const float b = field[r1 * columns + c0] * (1 - fc) + field[r1 * columns + c1] * fc;
        out[r * columns * k + c] = a * (1 - fr) + b * fr;
      }
  });
  return fine;
}

/// Every k-th point of the inputs, f64 [N, rows columns channels].
Tensor flat_inputs(const Tensor& input, std::int64_t k) {
  const std::int64_t n = input.size(0), rows = input.size(1) / k, columns = input.size(2) / k, channels = input.size(3);
  const Tensor flat = Tensor::empty(Shape{n, rows * columns * channels}, DType::f64);
  const float* from = input.data<float>();
  double* to = flat.data<double>();
  for (std::int64_t s = 0; s < n; ++s)
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t c = 0; c < columns; ++c)
        for (std::int64_t h = 0; h < channels; ++h)
          *to++ = double(from[((s * input.size(1) + r * k) * input.size(2) + c * k) * channels + h]);
  return flat;
}

}  // namespace

Tensor read_fields(const fs::path& file) {
  Tensor raw = load_npy(file);
  if (raw.rank() == 3) raw = raw.unsqueeze(3);
  if (raw.rank() != 4 || raw.numel() == 0)
    throw Error(ErrorKind::data, "climate.fields", "the array is " + raw.shape().str(), "give fields as [N, rows, columns] or [N, rows, columns, channels]",
                file.string());
  const Tensor values = raw.to(DType::f32).contiguous();
  const auto data = values.span<float>();
  const std::int64_t a_sample = values.numel() / values.size(0);
  for (std::size_t i = 0; i < data.size(); ++i)
    if (!std::isfinite(data[i]))
      throw Error(ErrorKind::data, "climate.not_finite", "sample " + std::to_string(std::int64_t(i) / a_sample) + " holds a NaN or an infinity",
                  "leave the sample out or mend it", file.string());
  return values;
}

FieldPairs read_pairs(const std::string& name, const fs::path& input, const fs::path& target) {
  FieldPairs pairs{name, read_fields(input), read_fields(target)};
  const Tensor &x = pairs.input, &y = pairs.target;
  if (x.size(0) != y.size(0) || x.size(1) != y.size(1) || x.size(2) != y.size(2) || y.size(3) != 1)
    throw Error(ErrorKind::data, "climate.fields", "inputs " + x.shape().str() + " and targets " + y.shape().str() + " do not belong together",
                "one target field on the same grid for each input", target.string());
  return pairs;
}

FieldPairs part_of(const FieldPairs& pairs, const std::string& name, std::int64_t begin, std::int64_t count) {
  return {name, pairs.input.narrow(0, begin, count).contiguous(), pairs.target.narrow(0, begin, count).contiguous()};
}

std::int64_t refinement(const FieldPairs& train, const FieldPairs& test) {
  const std::int64_t k = test.rows() / train.rows();
  return k >= 1 && test.rows() == k * train.rows() && test.columns() == k * train.columns() ? k : 0;
}

void refuse_shared(const FieldPairs& train, const FieldPairs& test) {
  const std::int64_t k = refinement(train, test);
  if (k == 0) return;
  const Tensor known = flat_inputs(train.input, 1), asked = flat_inputs(test.input, k);
  const std::int64_t width = known.size(1);
  std::map<std::vector<double>, std::int64_t> rows;
  for (std::int64_t i = 0; i < known.size(0); ++i) rows.emplace(std::vector<double>(known.data<double>() + i * width, known.data<double>() + (i + 1) * width), i);
  for (std::int64_t i = 0; i < asked.size(0); ++i)
    if (const auto found = rows.find(std::vector<double>(asked.data<double>() + i * width, asked.data<double>() + (i + 1) * width)); found != rows.end())
      throw Error(ErrorKind::data, "climate.leak",
                  "sample " + std::to_string(i) + " of '" + test.name + "' is sample " + std::to_string(found->second) + " of the training set",
                  "take it out of one of them: a score on training samples is no score", test.name);
}

FieldBaselines::FieldBaselines(const FieldPairs& train, double ridge) : rows_(train.rows()), columns_(train.columns()), channels_(train.input.size(3)) {
  const Tensor x = flat_inputs(train.input, 1), y = train.target.reshape({train.count(), rows_ * columns_}).to(DType::f64).contiguous();
  input_mean_ = mean(x, {0});
  target_mean_ = mean(y, {0});
  const Tensor dx = (x - input_mean_).contiguous(), dy = (y - target_mean_).contiguous();
  // Of the two equal forms of the solution the one with the smaller matrix.
  const std::int64_t inputs = dx.size(1), samples = dx.size(0);
  auto damped = [&](Tensor gram) {
    double* g = gram.data<double>();
    for (std::int64_t i = 0; i < gram.size(0); ++i) g[i * gram.size(0) + i] += ridge;
    return linalg::cholesky(gram);
  };
  if (inputs <= samples)
    weights_ = linalg::cholesky_solve(damped(matmul(dx.transpose(0, 1).contiguous(), dx)), matmul(dx.transpose(0, 1).contiguous(), dy));
  else
    weights_ = matmul(dx.transpose(0, 1).contiguous(), linalg::cholesky_solve(damped(matmul(dx, dx.transpose(0, 1).contiguous())), dy));
}

Tensor FieldBaselines::mean_field(const FieldPairs& test) const {
  const Tensor coarse = target_mean_.reshape({1, rows_, columns_, 1}).to(DType::f32).contiguous();
  return refine(coarse, test.rows() / rows_).expand(test.target.shape()).contiguous();
}

Tensor FieldBaselines::regression(const FieldPairs& test) const {
  const std::int64_t k = test.rows() / rows_;
  const Tensor p = matmul((flat_inputs(test.input, k) - input_mean_).contiguous(), weights_) + target_mean_;
  return refine(p.reshape({test.count(), rows_, columns_, 1}).to(DType::f32).contiguous(), k);
}

}  // namespace tenon::climate
