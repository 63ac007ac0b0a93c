/// Gradients against central differences, for tests.
///
/// `f` maps inputs to one output. The outputs are weighted with fixed numbers to a scalar, whose derivative by every
/// element of every floating input is compared. With `second`, the same is done for the weighted sum of the gradients.
#pragma once

#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "tenon/autograd.hpp"
#include "tenon/ops.hpp"
#include "tenon/tensor.hpp"

namespace tenon::test {

using Function = std::function<Tensor(const std::vector<Tensor>&)>;

struct CheckOptions {
  bool second = true;
  double step = 1e-5, tolerance = 1e-7;  ///< relative to 1 + |gradient|
};
/// For ops that only exist in f32.
inline constexpr CheckOptions kFirstOrderF32{false, 1e-2, 4e-3};
inline constexpr CheckOptions kFirstOrder{false, 1e-5, 1e-7};

/// Numbers in [-1, 1] that follow no simple pattern, the same every time.
inline Tensor weights_like(const Tensor& t, double phase = 0) {
  std::vector<double> w(std::size_t(t.numel()));
  for (std::size_t i = 0; i < w.size(); ++i) w[i] = std::sin(1.7 * double(i) + 0.3 + phase);
  return Tensor::from(w, t.shape()).to(t.dtype());
}

inline double weighted(const Tensor& t, double phase = 0) {
  auto values = t.to_vector(), w = weights_like(t, phase).to_vector();
  double total = 0;
  for (std::size_t i = 0; i < values.size(); ++i) total += values[i] * w[i];
  return total;
}

/// Central differences of `scalar` by every element of `x`, which is moved in place and put back.
inline std::vector<double> differences(const Tensor& x, double step, const std::function<double()>& scalar) {
  std::vector<double> result;
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    auto move = [&](double by) {
      if (x.dtype() == DType::f64) {
        double& v = x.data<double>()[i];
        double before = v;
        v += by;
        double s = scalar();
        v = before;
        return s;
      }
      float& v = x.data<float>()[i];
      float before = v;
      v += float(by);
      double s = scalar();
      v = before;
      return s;
    };
    result.push_back((move(step) - move(-step)) / (2 * step));
  }
  return result;
}

inline void compare(const std::string& what, const std::vector<double>& analytic, const std::vector<double>& numeric, double tolerance) {
  REQUIRE(analytic.size() == numeric.size());
  for (std::size_t i = 0; i < numeric.size(); ++i) {
    INFO(what << ", element " << i << ": analytic " << analytic[i] << ", central difference " << numeric[i]);
    CHECK(std::fabs(analytic[i] - numeric[i]) <= tolerance * (1 + std::fabs(numeric[i])));
  }
}

inline void check_gradients(const Function& f, std::vector<Tensor> inputs, const CheckOptions& options = {}) {
  std::vector<Tensor> leaves;
  for (Tensor& t : inputs)
    if (is_floating(t.dtype())) leaves.push_back(t.set_requires_grad());
  auto value = [&] {
    NoGrad no_grad;
    return weighted(f(inputs));
  };
  Tensor out = f(inputs);
  REQUIRE(out.requires_grad());
  auto grads = gradients({out}, leaves, {weights_like(out)});
  for (std::size_t k = 0; k < leaves.size(); ++k) {
    REQUIRE(grads[k].shape() == leaves[k].shape());
    REQUIRE(grads[k].dtype() == leaves[k].dtype());
    compare("first derivative by input " + std::to_string(k), grads[k].to_vector(), differences(leaves[k], options.step, value), options.tolerance);
  }
  if (!options.second) return;
  auto gradient_sum = [&] {
    Tensor y = f(inputs);
    auto g = gradients({y}, leaves, {weights_like(y)});
    double total = 0;
    for (std::size_t k = 0; k < g.size(); ++k) total += weighted(g[k], double(k + 1));
    return total;
  };
  Tensor y = f(inputs);
  auto first = gradients({y}, leaves, {weights_like(y)}, true);
  std::vector<Tensor> seeds;
  for (std::size_t k = 0; k < first.size(); ++k) seeds.push_back(weights_like(first[k], double(k + 1)));
  auto second = gradients(first, leaves, seeds);
  for (std::size_t k = 0; k < leaves.size(); ++k) {
    REQUIRE(second[k].shape() == leaves[k].shape());
    compare("second derivative by input " + std::to_string(k), second[k].to_vector(), differences(leaves[k], options.step, gradient_sum), options.tolerance * 10);
  }
}

/// Values in (low, high) in no order, apart from each other: no ties, and no kink within a step when kinks are avoided.
inline Tensor spread(const Shape& shape, double low = -1, double high = 1, DType dtype = DType::f64, std::int64_t salt = 0) {
  const std::int64_t n = shape.numel();
  std::int64_t stride = 1;
  for (std::int64_t s : {7, 11, 13, 17, 19})
    if (n % s) stride = s;
  std::vector<double> v;
  for (std::int64_t i = 0; i < n; ++i) v.push_back(low + (high - low) * (double((i * stride + salt) % n) + 0.37) / double(n));
  return Tensor::from(v, shape).to(dtype);
}

}  // namespace tenon::test
