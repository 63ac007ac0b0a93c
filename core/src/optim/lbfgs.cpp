#include "tenon/lbfgs.hpp"

#include <algorithm>
#include <cmath>

#include "tenon/autograd.hpp"
#include "tenon/error.hpp"
#include "tenon/kernel.hpp"

namespace tenon {
namespace {

using Vector = std::vector<double>;
constexpr std::int64_t kBlock = 8192;

/// sum_i f(i), in fixed blocks whose sums are added in order.
template <class F> double block_sum(std::size_t n, F&& f) {
  Vector sums((n + kBlock - 1) / kBlock);
  parallel_blocks(std::int64_t(n), kBlock, [&](std::int64_t begin, std::int64_t end) {
    double sum = 0;
    for (std::int64_t i = begin; i < end; ++i) sum += f(std::size_t(i));
    sums[std::size_t(begin / kBlock)] = sum;
  });
  double total = 0;
  for (double s : sums) total += s;
  return total;
}

double dot(const Vector& a, const Vector& b) {
  return block_sum(a.size(), [&](std::size_t i) { return a[i] * b[i]; });
}

void add_scaled(Vector& a, double factor, const Vector& b) {
  parallel_blocks(std::int64_t(a.size()), kBlock, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = std::size_t(begin); i < std::size_t(end); ++i) a[i] += factor * b[i];
  });
}

double largest(const Vector& a) {
  double m = 0;
  for (double v : a) m = std::isnan(v) ? v : std::max(m, std::fabs(v));
  return m;
}

/// Where the cubic through two points with their slopes has its minimum, kept within [low, high]; the middle where it has none.
template <class Point> double cubic_minimum(const Point& a, const Point& b, double low, double high) {
  const double d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.length - b.length), square = d1 * d1 - a.slope * b.slope;
  if (!(square >= 0)) return (low + high) / 2;
  const double d2 = std::sqrt(square);
  const double at = a.length <= b.length ? b.length - (b.length - a.length) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2))
                                         : a.length - (a.length - b.length) * ((a.slope + d2 - d1) / (a.slope - b.slope + 2 * d2));
  return std::min(std::max(at, low), high);
}

}  // namespace

Lbfgs::Lbfgs(nn::NamedTensors parameters, const LbfgsOptions& options) : leaves_(std::move(parameters)), options_(options) {
  if (leaves_.empty()) throw_usage("Lbfgs", "there are no parameters");
  for (const auto& [name, p] : leaves_) {
    if (!p.defined() || (p.dtype() != DType::f32 && p.dtype() != DType::f64) || !p.is_contiguous() || !p.requires_grad() || (p.autograd() && p.autograd()->node))
      throw_usage("Lbfgs", "'" + name + "' is " + (p.defined() ? p.str() : std::string("undefined")), "give dense f32 or f64 leaves that require gradients");
    size_ += std::size_t(p.numel());
  }
  if (options_.iterations < 1 || options_.history < 1 || options_.evaluations < 0 || !(options_.rate > 0))
    throw_usage("Lbfgs", "rate " + std::to_string(options_.rate) + ", iterations " + std::to_string(options_.iterations) + ", evaluations " + std::to_string(options_.evaluations) + ", history " + std::to_string(options_.history),
                "rate above 0, iterations and history at least 1");
  if (options_.evaluations == 0) options_.evaluations = options_.iterations * 5 / 4;
}

Lbfgs::Vector Lbfgs::values() const {
  Vector x;
  x.reserve(size_);
  for (const auto& [name, p] : leaves_) {
    const Vector part = p.to_vector();
    x.insert(x.end(), part.begin(), part.end());
  }
  return x;
}

void Lbfgs::set(const Vector& x) {
  std::size_t at = 0;
  for (const auto& [name, p] : leaves_) {
    const auto n = std::size_t(p.numel());
    p.assign(Tensor::from(std::span<const double>(x.data() + at, n), p.shape()));
    at += n;
  }
}

double Lbfgs::evaluate(const Closure& closure, Vector& gradient) {
  for (const auto& [name, p] : leaves_) p.set_grad({});
  const double loss = closure();
  ++evaluations_;
  gradient.clear();
  gradient.reserve(size_);
  for (const auto& [name, p] : leaves_) {
    if (!p.grad().defined()) throw_usage("Lbfgs::step", "'" + name + "' has no gradient", "the closure calls backward() on a loss that uses every parameter");
    const Vector part = p.grad().to_vector();
    gradient.insert(gradient.end(), part.begin(), part.end());
    p.set_grad({});
  }
  return loss;
}

/// Updates the history and makes the new direction (Nocedal and Wright, algorithm 7.4).
void Lbfgs::direct(const Vector& gradient) {
  if (iterations_ == 1) {
    direction_.resize(size_);
    for (std::size_t i = 0; i < size_; ++i) direction_[i] = -gradient[i];
    return;
  }
  Vector y = gradient, s = direction_;
  add_scaled(y, -1, last_gradient_);
  for (double& v : s) v *= length_;
  if (const double ys = dot(y, s); ys > 1e-10) {
    scale_ = ys / dot(y, y);
    if (d_gradients_.size() == std::size_t(options_.history)) {
      d_gradients_.erase(d_gradients_.begin());
      d_values_.erase(d_values_.begin());
    }
    d_gradients_.push_back(std::move(y));
    d_values_.push_back(std::move(s));
  }
  const std::size_t n = d_gradients_.size();
  Vector a(n), rho(n);
  for (std::size_t i = 0; i < size_; ++i) direction_[i] = -gradient[i];
  for (std::size_t i = n; i-- > 0;) {
    rho[i] = 1 / dot(d_gradients_[i], d_values_[i]);
    a[i] = dot(d_values_[i], direction_) * rho[i];
    add_scaled(direction_, -a[i], d_gradients_[i]);
  }
  for (double& v : direction_) v *= scale_;
  for (std::size_t i = 0; i < n; ++i) add_scaled(direction_, a[i] - dot(d_gradients_[i], direction_) * rho[i], d_values_[i]);
}

/// A point along the direction that fulfils the strong Wolfe conditions, or the best one that `most` evaluations found.
Lbfgs::Point Lbfgs::search(const Closure& closure, const Vector& x, const Point& start, double length, int most, int& used) {
  constexpr double c1 = 1e-4, c2 = 0.9;
  const double widest = largest(direction_);
  const auto at = [&](double t) {
    Vector moved = x;
    add_scaled(moved, t, direction_);
    set(moved);
    Point p{t, 0, 0, {}};
    p.loss = evaluate(closure, p.gradient);
    p.slope = dot(p.gradient, direction_);
    ++used;
    return p;
  };
  const auto too_high = [&](const Point& p) { return p.loss > start.loss + c1 * p.length * start.slope; };
  const auto flat = [&](const Point& p) { return std::fabs(p.slope) <= -c2 * start.slope; };

  // bracket a point that fulfils them
  Point last = start, now = at(length);
  int turns = 0;
  for (; turns < most; ++turns) {
    if (too_high(now) || (turns > 1 && now.loss >= last.loss)) break;
    if (flat(now)) return now;
    if (now.slope >= 0) break;
    const double next = cubic_minimum(last, now, now.length + 0.01 * (now.length - last.length), now.length * 10);
    last = std::move(now);
    now = at(next);
  }
  Point bracket[2] = {turns == most ? start : std::move(last), std::move(now)};
  int low = bracket[0].loss <= bracket[1].loss ? 0 : 1;

  // narrow it
  bool stuck = false;
  for (; turns < most; ++turns) {
    const double ends[2] = {std::min(bracket[0].length, bracket[1].length), std::max(bracket[0].length, bracket[1].length)};
    if ((ends[1] - ends[0]) * widest < options_.change_tolerance) break;
    double t = cubic_minimum(bracket[0], bracket[1], ends[0], ends[1]);
    const double margin = 0.1 * (ends[1] - ends[0]);  // twice within it, or at an end: step away from the end
    if (std::min(ends[1] - t, t - ends[0]) < margin) {
      if (stuck || t >= ends[1] || t <= ends[0]) {
        t = std::fabs(t - ends[1]) < std::fabs(t - ends[0]) ? ends[1] - margin : ends[0] + margin;
        stuck = false;
      } else {
        stuck = true;
      }
    } else {
      stuck = false;
    }
    Point p = at(t);
    if (too_high(p) || p.loss >= bracket[low].loss) {
      bracket[1 - low] = std::move(p);
      low = bracket[0].loss <= bracket[1].loss ? 0 : 1;
      continue;
    }
    const bool done = flat(p);
    if (!done && p.slope * (bracket[1 - low].length - bracket[low].length) >= 0) bracket[1 - low] = std::move(bracket[low]);
    bracket[low] = std::move(p);
    if (done) break;
  }
  return std::move(bracket[low]);
}

double Lbfgs::step(const Closure& closure) {
  Point here{0, 0, 0, {}};
  here.loss = evaluate(closure, here.gradient);
  const double first = here.loss;
  if (!std::isfinite(here.loss) || !std::isfinite(largest(here.gradient)))
    throw Error(ErrorKind::data, "lbfgs.not_finite", "the loss is " + std::to_string(here.loss) + ", its largest gradient " + std::to_string(largest(here.gradient)), "begin elsewhere, or look for a division by 0");
  converged_ = largest(here.gradient) <= options_.gradient_tolerance;
  int used = 1;
  for (int n = 1; n <= options_.iterations && !converged_ && used < options_.evaluations; ++n) {
    ++iterations_;
    direct(here.gradient);
    last_gradient_ = here.gradient;
    length_ = options_.rate;
    if (iterations_ == 1) length_ *= std::min(1.0, 1 / block_sum(size_, [&](std::size_t i) { return std::fabs(here.gradient[i]); }));
    here.slope = dot(here.gradient, direction_);
    if (here.slope > -options_.change_tolerance) {
      converged_ = true;
      break;
    }
    const double before = here.loss;
    Vector x = values();
    here.length = 0;
    if (options_.strong_wolfe) {
      here = search(closure, x, here, length_, options_.evaluations - used, used);
      length_ = here.length;
    }
    add_scaled(x, length_, direction_);
    set(x);
    if (!options_.strong_wolfe) {
      if (n == options_.iterations) break;
      here.loss = evaluate(closure, here.gradient);
      ++used;
    }
    converged_ = largest(here.gradient) <= options_.gradient_tolerance || largest(direction_) * std::fabs(length_) <= options_.change_tolerance ||
                 std::fabs(here.loss - before) < options_.change_tolerance;
  }
  return first;
}

nn::NamedTensors Lbfgs::state() const {
  const auto n = std::int64_t(size_), pairs = std::int64_t(d_values_.size());
  const auto matrix = [&](const std::vector<Vector>& rows) {
    Vector all;
    for (const Vector& r : rows) all.insert(all.end(), r.begin(), r.end());
    return Tensor::from(all, {pairs, n});
  };
  const auto vector = [&](const Vector& v) { return v.empty() ? Tensor::zeros({n}, DType::f64) : Tensor::from(v, {n}); };
  return {{"direction", vector(direction_)}, {"last_gradient", vector(last_gradient_)}, {"gradient_changes", matrix(d_gradients_)}, {"value_changes", matrix(d_values_)},
          {"lengths", Tensor::from(Vector{length_, scale_}, {2})}, {"counts", Tensor::from(std::vector<std::int64_t>{iterations_, evaluations_, converged_}, {3})}};
}

void Lbfgs::load(const nn::NamedTensors& given) {
  const auto find = [&](const char* name, const Shape& shape) {
    for (const auto& [n, t] : given)
      if (n == name && t.rank() == shape.rank() && t.size(-1) == shape[-1] && (t.rank() == 1 || t.size(0) <= shape[0])) return t.to_vector();
    throw Error(ErrorKind::data, "optimiser.state", std::string("the state lacks '") + name + "' " + shape.str(), "resume with the problem and the history that it was saved with");
  };
  const auto n = std::int64_t(size_);
  Vector direction = find("direction", {n}), gradient = find("last_gradient", {n});
  const Vector y = find("gradient_changes", {options_.history, n}), s = find("value_changes", {options_.history, n}), lengths = find("lengths", {2}), counts = find("counts", {3});
  if (y.size() != s.size()) throw Error(ErrorKind::data, "optimiser.state", "the state has changes of " + std::to_string(y.size()) + " gradients and " + std::to_string(s.size()) + " values", "resume from another checkpoint");
  const auto rows = [&](const Vector& all) {
    std::vector<Vector> out;
    for (std::size_t i = 0; i < all.size(); i += size_) out.emplace_back(all.begin() + std::ptrdiff_t(i), all.begin() + std::ptrdiff_t(i + size_));
    return out;
  };
  direction_ = std::move(direction), last_gradient_ = std::move(gradient);
  d_gradients_ = rows(y), d_values_ = rows(s);
  length_ = lengths[0], scale_ = lengths[1];
  iterations_ = std::int64_t(counts[0]), evaluations_ = std::int64_t(counts[1]), converged_ = counts[2] != 0;
}

}  // namespace tenon
