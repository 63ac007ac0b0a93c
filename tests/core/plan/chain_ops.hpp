/// Elementwise ops of two operands of one type, by name: what chains are tried with.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "tenon/ops.hpp"

inline const auto& chain_ops() {
  using namespace tenon;
  static const std::map<std::string, std::function<Tensor(const Tensor&, const Tensor&)>> all{
      {"neg", [](auto& x, auto&) { return neg(x); }}, {"abs", [](auto& x, auto&) { return abs(x); }}, {"exp", [](auto& x, auto&) { return exp(x); }},
      {"expm1", [](auto& x, auto&) { return expm1(x); }}, {"log", [](auto& x, auto&) { return log(x); }}, {"log1p", [](auto& x, auto&) { return log1p(x); }},
      {"sqrt", [](auto& x, auto&) { return sqrt(x); }}, {"rsqrt", [](auto& x, auto&) { return rsqrt(x); }}, {"square", [](auto& x, auto&) { return square(x); }},
      {"sin", [](auto& x, auto&) { return sin(x); }}, {"asin", [](auto& x, auto&) { return asin(x); }}, {"acos", [](auto& x, auto&) { return acos(x); }},
      {"atan", [](auto& x, auto&) { return atan(x); }}, {"sinh", [](auto& x, auto&) { return sinh(x); }}, {"cosh", [](auto& x, auto&) { return cosh(x); }},
      {"tanh", [](auto& x, auto&) { return tanh(x); }}, {"erf", [](auto& x, auto&) { return erf(x); }}, {"floor", [](auto& x, auto&) { return floor(x); }},
      {"ceil", [](auto& x, auto&) { return ceil(x); }}, {"round", [](auto& x, auto&) { return round(x); }}, {"sigmoid", [](auto& x, auto&) { return sigmoid(x); }},
      {"sign", [](auto& x, auto&) { return sign(x); }}, {"relu", [](auto& x, auto&) { return relu(x); }}, {"leaky", [](auto& x, auto&) { return leaky_relu(x, 0.1); }},
      {"elu", [](auto& x, auto&) { return elu(x, 1.5); }}, {"gelu", [](auto& x, auto&) { return gelu(x); }}, {"gelu_tanh", [](auto& x, auto&) { return gelu_tanh(x); }}, {"silu", [](auto& x, auto&) { return silu(x); }},
      {"softplus", [](auto& x, auto&) { return softplus(x); }}, {"clamp", [](auto& x, auto&) { return clamp(x, -0.5, 1.25); }},
      {"scale", [](auto& x, auto&) { return x * 0.3; }}, {"shift", [](auto& x, auto&) { return x + 0.3; }}, {"power", [](auto& x, auto&) { return pow(x, 1.7); }},
      {"add", [](auto& x, auto& y) { return x + y; }}, {"sub", [](auto& x, auto& y) { return x - y; }}, {"mul", [](auto& x, auto& y) { return x * y; }},
      {"div", [](auto& x, auto& y) { return x / y; }}, {"maximum", [](auto& x, auto& y) { return maximum(x, y); }}, {"minimum", [](auto& x, auto& y) { return minimum(x, y); }},
      {"pow", [](auto& x, auto& y) { return pow(x, y); }}, {"atan2", [](auto& x, auto& y) { return atan2(x, y); }},
      {"equal", [](auto& x, auto& y) { return where(equal(x, y), x, y); }}, {"less", [](auto& x, auto& y) { return where(less(x, y), x, y); }},
      {"greater", [](auto& x, auto& y) { return where(greater(x, y), x * 2.0, y); }}, {"not_equal", [](auto& x, auto& y) { return where(not_equal(x, y), x, y); }},
      {"less_equal", [](auto& x, auto& y) { return where(less_equal(x, y), x, y); }}, {"greater_equal", [](auto& x, auto& y) { return where(greater_equal(x, y), x, y); }},
  };
  return all;
}
