/// Programs at random over many ops, types and views, with state that is older than the step and is written in it.
#pragma once

#include <iterator>
#include <optional>

#include "core/plan/chain_ops.hpp"
#include "core/plan/same_values.hpp"
#include "tenon/autograd.hpp"
#include "tenon/complex.hpp"
#include "tenon/cumulative.hpp"
#include "tenon/error.hpp"
#include "tenon/indexing.hpp"
#include "tenon/norms.hpp"
#include "tenon/ordering.hpp"
#include "tenon/padding.hpp"
#include "tenon/plan.hpp"
#include "tenon/pooling.hpp"
#include "tenon/random.hpp"

namespace under_test {

using namespace tenon;

inline const std::vector<std::vector<Shape>> kProgramShapes = {
    {{2, 3, 8}, {3, 8}, {8}, {2, 1, 8}, {1}, {}, {2, 3, 1}, {48}}, {{5, 333}, {333}, {5, 1}, {1665}, {}}, {{0, 3}, {3}, {1, 3}, {}, {2, 3}}, {{7, 13, 11}, {13, 11}, {11}, {7, 1, 1}, {1001}, {}}, {{70, 1000}, {1000}, {70, 1}, {}}, {{2, 45, 45}, {45, 45}, {45}, {2, 1, 45}, {45, 1}, {}}};
inline const std::vector<DType> kProgramTypes = {DType::f32, DType::f32, DType::bf16, DType::f16, DType::f64, DType::boolean, DType::i32, DType::i64, DType::u8, DType::c64};

class RandomProgram {
 public:
  /// `libraries`: with products and convolutions, which a GPU's libraries may compute in other ways in a recorded step.
  explicit RandomProgram(std::uint64_t seed, bool libraries = true) : seed_(seed), libraries_(libraries), shapes_(kProgramShapes[seed % kProgramShapes.size()]) {
    const DType types[] = {seed % 4 == 0 ? DType::bf16 : DType::f32, DType::f32, DType::bf16, DType::f64, DType::boolean};
    for (std::size_t i = 0; i < std::size(types); ++i) {
      const Tensor x = random_normal(shapes_[(seed + i) % 3], seed, i).to(DType::f32);
      first_.push_back((types[i] == DType::boolean ? greater(x, Tensor::zeros(Shape{})) : x.to(types[i])).contiguous());
      state_.push_back(first_.back().clone());
    }
  }

  void reset() {
    const NoGrad off;
    for (std::size_t i = 0; i < state_.size(); ++i) state_[i].assign(first_[i]);
  }
  const std::vector<Tensor>& state() const { return state_; }

  /// The same calls in the same order each time. What an op refuses, it refuses each time.
  std::vector<Tensor> run(bool gradient) {
    random_.emplace(seed_, 5);
    at_ = 0;
    live_ = state_;
    std::vector<Tensor> kept;
    Tensor weight;
    if (gradient) {
      weight = first_[1].clone().set_requires_grad();
      live_[1] = weight;
    }
    for (std::uint64_t left = 8 + below(40); left > 0; --left) {
      Tensor y;
      try {
        y = step();
      } catch (const Error& e) {
        if (e.kind() != ErrorKind::usage) throw;
        continue;
      }
      if (!y.defined() || y.numel() > 200000) continue;
      live_.push_back(y);
      if (below(5) == 0) kept.push_back(y);
      if (below(9) == 0 && y.rank() > 0) kept.push_back(y.narrow(0, 0, std::min<std::int64_t>(1, y.size(0))));
      while (live_.size() > state_.size() + 3 + below(6)) live_.erase(live_.begin() + std::ptrdiff_t(state_.size() + below(live_.size() - state_.size())));
    }
    kept.push_back(live_.back());
    Tensor loss;
    for (const Tensor& t : kept)
      if (gradient && t.requires_grad() && is_floating(t.dtype())) loss = loss.defined() ? loss + sum(t.to(DType::f32)) : sum(t.to(DType::f32));
    if (loss.defined()) try {
        kept.push_back(gradients({loss}, {weight})[0]);
      } catch (const Error& e) {  // what it needs was written since
        if (e.kind() != ErrorKind::usage) throw;
      }
    for (Tensor& t : kept) t = t.detach();
    return kept;
  }

 private:
  std::uint64_t below(std::uint64_t n) { return random_->below(at_++, n); }
  const Tensor& any() { return live_[below(live_.size())]; }
  const Tensor& number() {
    for (int k = 0; k < 8; ++k)
      if (const Tensor& t = any(); is_floating(t.dtype())) return t;
    return live_[1];
  }
  const Shape& shape() { return shapes_[below(shapes_.size())]; }
  int axis_of(const Tensor& t) { return int(below(std::uint64_t(std::max(1, t.rank())))); }

  Tensor step() {
    const Tensor a = number();
    Tensor b = number();
    if (a.dtype() != b.dtype() && below(2)) b = b.to(a.dtype());
    const double c = (double(below(9)) - 4) * 0.37;
    switch (below(30)) {
      case 0:
      case 1:
      case 2:
      case 3: {
        auto it = chain_ops().begin();
        std::advance(it, std::ptrdiff_t(below(chain_ops().size())));
        return it->second(a, b);
      }
      case 4: return a * c;
      case 5: return a + c;
      case 6: return below(2) ? less(a, b) : greater_equal(a, b);
      case 7: {
        Tensor flags = less(a, b);
        for (const Tensor& t : live_)
          if (t.dtype() == DType::boolean && below(2)) flags = t;
        return where(flags, a, b);
      }
      case 8:
      case 9: return any().to(kProgramTypes[below(kProgramTypes.size())]);
      case 10: {
        const int axis = axis_of(a);
        const auto from = std::int64_t(below(std::uint64_t(std::max<std::int64_t>(1, a.size(axis)))));
        return a.narrow(axis, from, 1 + std::int64_t(below(std::uint64_t(std::max<std::int64_t>(1, a.size(axis) - from)))));
      }
      case 11: return a.transpose(axis_of(a), axis_of(a));
      case 20: {
        const Tensor turned = b.rank() > 1 ? b.transpose(-2, -1) : b;
        return (a - turned) * turned;
      }
      case 12: return below(2) ? a.expand(shape()) : a.reshape(shape());
      case 13: return Tensor::full(shape(), c, kProgramTypes[below(5)]);
      case 14: return a.rank() > 0 ? sum(a, {axis_of(a)}, below(2) > 0) : sum(a);
      case 15: return below(2) ? softmax(a, -1) : flip(a, {axis_of(a)});
      case 16: {  // into what is older than the step, whole or in part
        const NoGrad off;
        const Tensor& to = state_[below(state_.size())];
        const Tensor from = any().detach();
        if (below(2)) to.assign(from.to(to.dtype()).expand(to.shape()));
        else to.narrow(0, std::int64_t(below(std::uint64_t(std::max<std::int64_t>(1, to.size(0))))), 1).fill(c);
        return {};
      }
      case 17: {  // into a part of what the step made
        const NoGrad off;
        const Tensor y = (a * 1.5).detach(), other = y * 2.0;
        live_.push_back(other);
        const auto row = [&] { return std::int64_t(below(std::uint64_t(std::max<std::int64_t>(1, y.size(0))))); };
        y.narrow(0, row(), 1).assign(other.narrow(0, row(), 1));
        return below(2) ? y : y.narrow(0, row(), 1) * 3.0;
      }
      case 18: {  // filled in parts
        const NoGrad off;
        const Tensor y = Tensor::full({4, 6}, c, a.dtype());
        y.narrow(0, 1, 2).fill(c * 2);
        return y;
      }
      case 21: return libraries_ && a.rank() > 0 && a.numel() < 5000 ? matmul(a, a.rank() > 1 ? a.transpose(-2, -1) : a) : Tensor();
      case 22: return below(2) ? cumsum(a, axis_of(a)) : log_softmax(a, axis_of(a));
      case 23: return below(2) ? max(a, axis_of(a), true) : sort(a, axis_of(a)).values;
      case 24: {
        const int axis = axis_of(a);
        if (a.numel() == 0) return {};  // its places are refused when it runs
        std::vector<double> places(1 + below(9));
        for (double& at : places) at = double(below(std::uint64_t(std::max<std::int64_t>(1, a.size(axis)))));
        return index_select(a, axis, Tensor::from(places, {std::int64_t(places.size())}).to(DType::i64).to(a.device()));
      }
      case 25: return below(2) ? concat({a, b}, axis_of(a)) : stack({a, b}, axis_of(a));
      case 26: return roll(pad(a, std::vector<std::int64_t>(std::size_t(a.rank()), 1), std::vector<std::int64_t>(std::size_t(a.rank()), 0), c), {1}, {axis_of(a)});
      case 27: {  // a line of voxels of one channel
        const Tensor line = a.reshape({1, -1, 1}), w = random_normal({3, 3, 1}, seed_, 9).to(a.dtype());
        return libraries_ && below(2) ? conv(line, w, {}, {{}, {1}, {}, 1}) : max_pool(line, {2}, {2}, {0});
      }
      case 28: {
        const Tensor ones = Tensor::full({a.size(-1)}, 1, a.dtype());
        return layer_norm(a, ones * 1.1, ones * c);
      }
      default: return random_uniform(shape(), seed_, at_).to(a.dtype());
    }
  }

  std::uint64_t seed_, at_ = 0;
  bool libraries_;
  std::vector<Shape> shapes_;
  std::vector<Tensor> first_, state_, live_;
  std::optional<Random> random_;
};

/// What a random program gives eagerly and what it is planned to give, its state among both.
struct PlannedProgram {
  RandomProgram program;
  std::vector<Tensor> eager, planned;
  StepPlan plan;

  explicit PlannedProgram(std::uint64_t seed, bool libraries = true) : program(seed, libraries) {
    const bool gradient = seed % 3 == 0;
    for (const Tensor& t : program.run(gradient)) eager.push_back(t.clone());
    for (const Tensor& t : program.state()) eager.push_back(t.clone());
    program.reset();
    plan = StepPlan::record([&] { planned = program.run(gradient); });
    for (const Tensor& t : program.state()) planned.push_back(t);
  }
  /// Runs the plan; the first result that is another than eagerly, or -1.
  int differs() {
    program.reset();
    plan.run();
    if (planned.size() != eager.size()) return 0;
    for (std::size_t i = 0; i < eager.size(); ++i)
      if (!same_values(eager[i], planned[i])) return int(i);
    return -1;
  }
  bool joined() const { return plan.explain().find("one pass over the elements") != std::string::npos; }
};

}  // namespace under_test
