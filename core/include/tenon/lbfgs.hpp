/// L-BFGS: a quasi-Newton method for smooth problems that are evaluated as a whole (fits, calibrations, inverse problems).
///
///     Lbfgs solver(model.parameters());
///     while (!solver.converged()) solver.step([&] { Tensor loss = loss_of(model); loss.backward(); return loss.item(); });
///
/// Beside Optimiser (optim.hpp) and not one of them: a step evaluates the loss as often as its line search needs, so it cannot
/// be part of a recorded step (the closure may replay one). Directions from the last `history` changes of parameters and gradient
/// (Nocedal 1980), step lengths by a search for the strong Wolfe conditions with cubic interpolation (Nocedal and Wright, algorithms
/// 3.5 and 3.6); rules, order and defaults are those of PyTorch's LBFGS, so that its trajectories are ours.
///
/// All vectors are kept on the host in f64, 2 (history + 2) doubles a parameter, whatever the parameters' type and device. Sums
/// are taken in fixed blocks: the same bits for any number of threads. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "tenon/nn/module.hpp"

namespace tenon {

struct LbfgsOptions {
  double rate = 1;                  ///< first step length that the search tries (the first iteration: times min(1, 1 / |g|_1))
  int iterations = 20;              ///< most a step()
  int evaluations = 0;              ///< most a step(); 0: 5/4 of iterations
  double gradient_tolerance = 1e-7; ///< converged where no element of the gradient is larger
  double change_tolerance = 1e-9;   ///< a step() ends where loss or parameters change less
  int history = 100;
  bool strong_wolfe = true;         ///< false: every step has length `rate`
};

class TENON_API Lbfgs {
 public:
  /// Clears nothing before and after: evaluates the loss at the current parameters, with gradients by backward(), and returns it.
  using Closure = std::function<double()>;

  /// Parameters: f32 or f64 leaves that require gradients. Throws a usage error for others, for none, and for options out of range.
  explicit Lbfgs(nn::NamedTensors parameters, const LbfgsOptions& options = {});

  /// Up to `iterations` iterations; returns the loss at its beginning. Gradients are cleared before each evaluation and consumed after it.
  /// Throws lbfgs.not_finite where the loss or its gradient is not finite at the beginning.
  double step(const Closure& closure);
  /// Whether the last step() ended because the gradient is small, the loss or the parameters no longer change, or no descent is left.
  bool converged() const noexcept { return converged_; }
  std::int64_t iterations() const noexcept { return iterations_; }    ///< of all steps
  std::int64_t evaluations() const noexcept { return evaluations_; }  ///< of the closure

  /// For checkpoints: everything that the next step depends on, f64 and i64.
  nn::NamedTensors state() const;
  /// All or nothing; throws optimiser.state naming what does not fit.
  void load(const nn::NamedTensors& state);

 private:
  using Vector = std::vector<double>;
  struct Point {
    double length, loss, slope;  ///< along the direction; slope: derivative there
    Vector gradient;
  };
  Vector values() const;
  void set(const Vector& x);
  double evaluate(const Closure& closure, Vector& gradient);
  void direct(const Vector& gradient);
  Point search(const Closure& closure, const Vector& x, const Point& start, double length, int most, int& used);

  nn::NamedTensors leaves_;
  LbfgsOptions options_;
  std::size_t size_ = 0;
  bool converged_ = false;
  std::int64_t iterations_ = 0, evaluations_ = 0;
  Vector direction_, last_gradient_;
  double length_ = 0, scale_ = 1;
  std::vector<Vector> d_gradients_, d_values_;  ///< y and s, oldest first
};

}  // namespace tenon
