// Attention as cuDNN's graphs have it: some samples and heads at the strides of all, from where the first row of the first head lies.
#include <cmath>

#include "cuda_on_cpu/libraries/cudnn_loops.hpp"
#include "ops/convert.hpp"
#include "ops/dispatch.hpp"

namespace tenon::cuda::on_cpu {
namespace {

using Values = std::vector<double>;

/// [samples, rows, heads, width] at strides.
struct Place {
  std::byte* at;
  AttentionStrides strides;
  DType type;
  std::int64_t rows, heads, width;

  void* row(std::int64_t r) const {
    const std::int64_t head = r % heads, line = r / heads % rows, sample = r / heads / rows;
    return at + std::size_t(sample * strides.sample + line * strides.row + head * strides.head) * size_of(type);
  }
};

/// The heads of a part: by sample, row and head.
struct Part {
  std::int64_t samples, rows, heads, width;
  Values values;

  explicit Part(const CudnnAttention& q, std::int64_t rows_, std::int64_t width_)
      : samples(q.samples), rows(rows_), heads(q.heads), width(width_), values(std::size_t(samples * rows * heads * width), 0.0) {}
  double* row(std::int64_t sample, std::int64_t r, std::int64_t head) { return &values[std::size_t(((sample * rows + r) * heads + head) * width)]; }
};

double dot(const double* a, const double* b, std::int64_t n) {
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}
void add(double* to, double factor, const double* from, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) to[i] += factor * from[i];
}

class Run {
 public:
  Run(const CudnnAttention& q, const std::vector<void*>& operands) : question_(q), p_(q.all), operands_(operands) {}

  std::vector<Result> forward() const {
    Part q = read(0, p_.q, p_.queries, p_.depth), k = read(1, p_.k, p_.keys, p_.depth), v = read(2, p_.v, p_.keys, p_.features);
    Part y(question_, p_.queries, p_.features), log_sum(question_, p_.queries, 1);
    for_rows([&](std::int64_t n, std::int64_t h, std::int64_t i, std::int64_t seen) {
      Values s;
      double most = -INFINITY, sum = 0;
      for (std::int64_t j = 0; j < seen; ++j) s.push_back(p_.scale * dot(q.row(n, i, h), k.row(n, j, h), p_.depth)), most = std::max(most, s.back());
      for (double& score : s) sum += score = std::exp(score - most);
      for (std::int64_t j = 0; j < seen; ++j) add(y.row(n, i, h), s[std::size_t(j)] / sum, v.row(n, j, h), p_.features);
      *log_sum.row(n, i, h) = most + std::log(sum);
    });
    return {written(3, p_.out(), std::move(y)), written_sums(std::move(log_sum))};
  }

  std::vector<Result> gradient() const {
    Part q = read(0, p_.q, p_.queries, p_.depth), k = read(1, p_.k, p_.keys, p_.depth), v = read(2, p_.v, p_.keys, p_.features),
         y = read(3, p_.out(), p_.queries, p_.features), d_y = read(5, p_.out(), p_.queries, p_.features);
    Part d_q(question_, p_.queries, p_.depth), d_k(question_, p_.keys, p_.depth), d_v(question_, p_.keys, p_.features);
    for_rows([&](std::int64_t n, std::int64_t h, std::int64_t i, std::int64_t seen) {
      const double log_sum = double(*sum_at(n, i, h)), delta = dot(y.row(n, i, h), d_y.row(n, i, h), p_.features);
      for (std::int64_t j = 0; j < seen; ++j) {
        const double share = std::exp(p_.scale * dot(q.row(n, i, h), k.row(n, j, h), p_.depth) - log_sum);
        const double d_score = share * (dot(d_y.row(n, i, h), v.row(n, j, h), p_.features) - delta) * p_.scale;
        add(d_v.row(n, j, h), share, d_y.row(n, i, h), p_.features);
        add(d_q.row(n, i, h), d_score, k.row(n, j, h), p_.depth);
        add(d_k.row(n, j, h), d_score, q.row(n, i, h), p_.depth);
      }
    });
    return {written(6, p_.q, std::move(d_q)), written(7, p_.k, std::move(d_k)), written(8, p_.v, std::move(d_v))};
  }

 private:
  /// `row(sample, head, query, keys that it sees)`
  template <class Row>
  void for_rows(const Row& row) const {
    for (std::int64_t n = 0; n < question_.samples; ++n)
      for (std::int64_t h = 0; h < question_.heads; ++h)
        for (std::int64_t i = 0; i < p_.queries; ++i) row(n, h, i, p_.causal ? std::min(i + 1, p_.keys) : p_.keys);
  }
  Place place(std::size_t operand, const AttentionStrides& strides, std::int64_t rows, std::int64_t width) const {
    return {static_cast<std::byte*>(operands_[operand]), strides, p_.dtype, rows, question_.heads, width};
  }
  Part read(std::size_t operand, const AttentionStrides& strides, std::int64_t rows, std::int64_t width) const {
    Part part(question_, rows, width);
    const Place from = place(operand, strides, rows, width);
    dispatch_floating("stand-in", p_.dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      for (std::size_t i = 0; i < part.values.size(); ++i)
        part.values[i] = convert<double>(static_cast<const T*>(from.row(std::int64_t(i) / width))[std::int64_t(i) % width]);
    });
    return part;
  }
  Result written(std::size_t operand, const AttentionStrides& strides, Part part) const {
    return {p_.dtype, part.width, std::move(part.values), [to = place(operand, strides, part.rows, part.width)](std::int64_t r) { return to.row(r); }};
  }
  /// [samples, heads, queries] of the part, dense
  float* sum_at(std::int64_t sample, std::int64_t query, std::int64_t head) const {
    return static_cast<float*>(operands_[4]) + (sample * question_.heads + head) * p_.queries + query;
  }
  Result written_sums(Part part) const {
    auto* const to = static_cast<float*>(operands_[4]);
    const std::int64_t heads = question_.heads, queries = p_.queries;
    return {DType::f32, 1, std::move(part.values), [=](std::int64_t r) {
              const std::int64_t head = r % heads, query = r / heads % queries, sample = r / heads / queries;
              return to + (sample * heads + head) * queries + query;
            }};
  }

  const CudnnAttention& question_;
  const Attention& p_;
  const std::vector<void*>& operands_;
};

}  // namespace

std::vector<std::int64_t> operands_of(const CudnnAttention& question) {
  const Attention& p = question.all;
  auto bytes = [&](const AttentionStrides& s, std::int64_t rows, std::int64_t width) {
    return ((question.samples - 1) * s.sample + (rows - 1) * s.row + (question.heads - 1) * s.head + width) * std::int64_t(size_of(p.dtype));
  };
  const std::int64_t q = bytes(p.q, p.queries, p.depth), k = bytes(p.k, p.keys, p.depth), v = bytes(p.v, p.keys, p.features), y = bytes(p.out(), p.queries, p.features);
  std::vector<std::int64_t> all{q, k, v, y, question.samples * question.heads * p.queries * 4};
  if (question.backward) all.insert(all.end(), {y, q, k, v});
  return all;
}

void check_question(const CudnnAttention& q) {
  const Attention& p = q.all;
  want(size_of(p.dtype) == 2 && !p.masked, "attention with a mask, or not of 16 bits");
  want(p.depth % 8 == 0 && p.features % 8 == 0, "rows of another length than eights");
  want(p.samples % q.samples == 0 && p.heads % q.heads == 0 && (q.samples == 1 || q.heads == p.heads), "parts that do not make the whole");
  auto even = [&](const AttentionStrides& s, std::int64_t rows) {
    auto axis = [](std::int64_t size, std::int64_t stride) { return size == 1 || (stride > 0 && stride % 8 == 0); };
    return s.offset % 8 == 0 && axis(p.samples, s.sample) && axis(rows, s.row) && axis(p.heads, s.head);
  };
  want(even(p.q, p.queries) && even(p.k, p.keys) && even(p.v, p.keys), "rows off the 16 bytes");
}

std::vector<Result> results_of(const CudnnAttention& q, const std::vector<void*>& operands, Deed) {
  const Run run(q, operands);
  return q.backward ? run.gradient() : run.forward();
}

}  // namespace tenon::cuda::on_cpu
