/// Argument checks that the ops of this folder share (private). Each throws a usage error opened by the op's name.
#pragma once

#include <string>
#include <vector>

#include "tenon/error.hpp"
#include "tenon/tensor.hpp"

namespace tenon {

inline void check_defined(const char* op, const Tensor& t, const char* what) {
  if (!t.defined()) throw_usage(op, std::string(what) + " is undefined");
}

inline void check_floating(const char* op, const Tensor& t, const char* what = "x") {
  check_defined(op, t, what);
  if (!is_floating(t.dtype()))
    throw_usage(op, std::string(what) + " is " + t.str() + ", not floating point", "convert it with .to(DType::f32)");
}

inline void check_integer(const char* op, const Tensor& t, const char* what) {
  check_defined(op, t, what);
  if (is_floating(t.dtype())) throw_usage(op, std::string(what) + " is " + t.str() + ", not an integer type");
}

inline void check_same_device(const char* op, const Tensor& a, const Tensor& b) {
  if (a.device() != b.device()) throw_usage(op, a.str() + " and " + b.str() + " are on different devices", "move one with .to(device)");
}

/// [0, rank) from an axis that may count from the end.
inline int check_axis(const char* op, const Tensor& t, int axis) {
  if (axis < -t.rank() || axis >= t.rank()) throw_usage(op, "axis " + std::to_string(axis) + " does not exist in " + t.str());
  return axis < 0 ? axis + t.rank() : axis;
}

inline std::string list_str(const std::vector<std::int64_t>& v) {
  std::string s = "[";
  for (std::size_t i = 0; i < v.size(); ++i) s += (i ? ", " : "") + std::to_string(v[i]);
  return s + "]";
}

}  // namespace tenon
