/// einsum: the equation is read, operands get one axis a label, and pairs of them are contracted.
#include "tenon/einsum.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "ops/batch_product.hpp"
#include "ops/check.hpp"
#include "ops/einsum_equation.hpp"
#include "tenon/autograd.hpp"
#include "tenon/complex.hpp"
#include "tenon/indexing.hpp"
#include "tenon/ops.hpp"
#include "tensor/permuted.hpp"

namespace tenon {
namespace {

using einsum_detail::Equation;
using einsum_detail::Labels;
using einsum_detail::LabelSet;

/// A tensor with one label an axis, all different.
struct Term {
  Tensor tensor;
  Labels labels;
  LabelSet set() const { return einsum_detail::set_of(labels); }
};

class Contraction {
 public:
  Contraction(const Equation& equation, const std::vector<Tensor>& operands) : equation_(equation) {
    for (std::size_t i = 0; i < operands.size(); ++i) terms_.push_back(prepared(operands[i], equation.operands[i]));
  }

  Tensor run() {
    const LabelSet out = einsum_detail::set_of(equation_.output);
    for (std::size_t i = 0; i < terms_.size(); ++i) {
      LabelSet kept = out;
      for (std::size_t j = 0; j < terms_.size(); ++j)
        if (j != i) kept |= terms_[j].set();
      terms_[i] = summed(terms_[i], kept);
    }
    while (terms_.size() > 1) {
      auto [i, j] = next_pair();
      Term a = terms_[i], b = terms_[j];
      terms_.erase(terms_.begin() + std::ptrdiff_t(j));
      terms_.erase(terms_.begin() + std::ptrdiff_t(i));
      LabelSet kept = out;
      for (const Term& t : terms_) kept |= t.set();
      terms_.push_back(contracted(a, b, kept));
    }
    return arranged(terms_[0], equation_.output);
  }

 private:
  std::int64_t size(int label) const { return equation_.sizes[std::size_t(label)]; }
  std::int64_t size_of_all(LabelSet set) const {
    std::int64_t n = 1;
    for (; set; set &= set - 1) n *= size(std::countr_zero(set));
    return n;
  }
  double cost_of(LabelSet set) const {
    double n = 1;
    for (; set; set &= set - 1) n *= double(size(std::countr_zero(set)));
    return n;
  }

  /// Diagonals of repeated labels; axes of size 1 that others broadcast go.
  Term prepared(Tensor t, Labels labels) const {
    for (std::size_t i = 0; i < labels.size(); ++i)
      for (std::size_t j = i + 1; j < labels.size();) {
        if (labels[j] != labels[i]) {
          ++j;
          continue;
        }
        t = diagonal(t, 0, int(i), int(j));
        const int label = labels[i];
        labels.erase(labels.begin() + std::ptrdiff_t(j));
        labels.erase(labels.begin() + std::ptrdiff_t(i));
        labels.push_back(label);
        j = i + 1;
      }
    for (std::size_t i = labels.size(); i-- > 0;)
      if (t.size(int(i)) == 1 && size(labels[i]) != 1) {
        t = t.squeeze(int(i));
        labels.erase(labels.begin() + std::ptrdiff_t(i));
      }
    return {t, labels};
  }

  /// Without the labels that are not kept.
  static Term summed(const Term& t, LabelSet kept) {
    std::vector<int> axes;
    Labels left;
    for (std::size_t i = 0; i < t.labels.size(); ++i) {
      if (kept >> t.labels[i] & 1)
        left.push_back(t.labels[i]);
      else
        axes.push_back(int(i));
    }
    return axes.empty() ? t : Term{sum(t.tensor, axes), left};
  }

  /// The view with these labels, in this order; where the term lacks one, an axis of size 1.
  static Tensor arranged(const Term& t, const Labels& order) {
    AxisOrder axes{};
    int n = 0;
    for (int label : order)
      if (auto it = std::find(t.labels.begin(), t.labels.end(), label); it != t.labels.end())
        axes[std::size_t(n++)] = int(it - t.labels.begin());
    bool same = true;
    for (int i = 0; i < n; ++i) same = same && axes[std::size_t(i)] == i;
    Tensor y = same ? t.tensor : permuted(t.tensor, axes);
    for (std::size_t i = 0; i < order.size(); ++i)
      if (std::find(t.labels.begin(), t.labels.end(), order[i]) == t.labels.end()) y = y.unsqueeze(int(i));
    return y;
  }

  /// The cost of the cheapest way to contract all `sets`, and its first pair; only greedy where there are many.
  double best_order(const std::vector<LabelSet>& sets, LabelSet out, double limit, std::array<std::size_t, 2>& pair) const {
    constexpr std::size_t kSearched = 5;
    double best = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < sets.size(); ++i)
      for (std::size_t j = i + 1; j < sets.size(); ++j) {
        LabelSet kept = out;
        std::vector<LabelSet> rest;
        for (std::size_t k = 0; k < sets.size(); ++k)
          if (k != i && k != j) {
            kept |= sets[k];
            rest.push_back(sets[k]);
          }
        double cost = cost_of(sets[i] | sets[j]);
        if (cost >= std::min(best, limit)) continue;
        if (sets.size() <= kSearched && !rest.empty()) {
          rest.push_back((sets[i] | sets[j]) & kept);
          std::array<std::size_t, 2> later{};
          cost += best_order(rest, out, std::min(best, limit) - cost, later);
        }
        if (cost < best) {
          best = cost;
          pair = {i, j};
        }
      }
    return best;
  }

  std::array<std::size_t, 2> next_pair() const {
    std::vector<LabelSet> sets;
    for (const Term& t : terms_) sets.push_back(t.set());
    std::array<std::size_t, 2> pair{0, 1};
    if (sets.size() > 2) best_order(sets, einsum_detail::set_of(equation_.output), std::numeric_limits<double>::infinity(), pair);
    return pair;
  }

  static Labels joined(std::initializer_list<Labels> parts) {
    Labels all;
    for (const Labels& p : parts) all.insert(all.end(), p.begin(), p.end());
    return all;
  }

  static bool innermost_in(const Term& t, LabelSet set) {
    for (std::size_t i = t.labels.size(); i-- > 0;)
      if (t.tensor.size(int(i)) != 1 && t.tensor.strides()[int(i)] == 1) return set >> t.labels[i] & 1;
    return false;
  }

  /// The product of two terms, summed over what is not kept. Labels of one term alone are all kept.
  Term contracted(const Term& a, const Term& b, LabelSet kept) const {
    const LabelSet both = a.set() & b.set();
    Labels batch, depth, rows, columns;
    for (int label : a.tensor.numel() >= b.tensor.numel() ? a.labels : b.labels)
      if (both >> label & 1) (kept >> label & 1 ? batch : depth).push_back(label);
    for (int label : a.labels)
      if (!(both >> label & 1)) rows.push_back(label);
    for (int label : b.labels)
      if (!(both >> label & 1)) columns.push_back(label);
    const std::int64_t p = size_of_all(einsum_detail::set_of(batch)), k = size_of_all(einsum_detail::set_of(depth));
    const std::int64_t m = size_of_all(einsum_detail::set_of(rows)), n = size_of_all(einsum_detail::set_of(columns));
    if (depth.empty() || (m == 1 && n == 1 && p > 1)) {  // nothing to sum, or sums of elementwise products
      Labels all = joined({batch, rows, columns, depth});
      einsum_detail::check_rank(all.size());
      return summed({mul(arranged(a, all), arranged(b, all)), all}, kept);
    }
    constexpr std::int64_t kFewLanes = 8, kSmallMatrix = 1 << 14;  // what a few lanes of both take must stay in the second cache
    const LabelSet batch_set = einsum_detail::set_of(batch);
    einsum_detail::check_rank(batch.size() + rows.size() + columns.size());
    if (p >= kFewLanes && std::max(m, n) * k <= kSmallMatrix && innermost_in(a, batch_set) && innermost_in(b, batch_set)) {
      const Tensor left = arranged(a, joined({rows, depth, batch})).reshape({m, k, p}), right = arranged(b, joined({depth, columns, batch})).reshape({k, n, p});
      return shaped(lanes_product(left, right), joined({rows, columns, batch}));
    }
    Tensor left = arranged(a, joined({batch, rows, depth})), right = arranged(b, joined({batch, depth, columns}));
    if (batch.empty()) return shaped(matmul(left.reshape({m, k}), right.reshape({k, n})), joined({rows, columns}));
    return shaped(matmul(left.reshape({p, m, k}), right.reshape({p, k, n})), joined({batch, rows, columns}));
  }

  /// batch_product of any type: bf16 in f32, a complex one as four of its parts.
  static Tensor lanes_product(const Tensor& a, const Tensor& b) {
    if (is_complex(a.dtype())) {
      const Tensor a_re = real(a), a_im = imag(a), b_re = real(b), b_im = imag(b);
      return complex(batch_product(a_re, b_re) - batch_product(a_im, b_im), batch_product(a_re, b_im) + batch_product(a_im, b_re));
    }
    const DType wide = a.dtype() == DType::f64 ? DType::f64 : DType::f32;
    return batch_product(a.to(wide), b.to(wide)).to(a.dtype());
  }

  Term shaped(const Tensor& t, const Labels& labels) const {
    Shape shape;
    for (int label : labels) shape.push_back(size(label));
    return {t.reshape(shape), labels};
  }

  const Equation& equation_;
  std::vector<Term> terms_;
};

}  // namespace

Tensor einsum(std::string_view equation, const std::vector<Tensor>& operands) {
  if (operands.empty()) throw_usage("einsum", "no operands for \"" + std::string(equation) + "\"");
  for (const Tensor& t : operands) {
    if (!is_complex(t.dtype())) check_floating("einsum", t, "an operand");
    check_same_device("einsum", operands[0], t);
    if (t.dtype() != operands[0].dtype()) throw_usage("einsum", t.str() + " beside " + operands[0].str(), "cast one with to()");
  }
  if (operands[0].dtype() == DType::f16) {
    std::vector<Tensor> wide;
    for (const Tensor& t : operands) wide.push_back(t.to(DType::f32));
    return einsum(equation, wide).to(DType::f16);
  }
  const Equation parsed = einsum_detail::parse(equation, operands);
  return Contraction(parsed, operands).run();
}

}  // namespace tenon
