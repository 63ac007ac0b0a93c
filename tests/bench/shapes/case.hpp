/// A line of cases.txt: an op, its inputs, its parameters, and whether gradients are taken. peers/torch_shapes.py reads the same lines.
///
///     conv f32[2,64,64,3] f32[16,3,3,3] padding=1,1 gradient
///
/// An input is type, kind, [sizes], and ^ where its last two axes are swapped in memory. Kinds: none, uniform in [-2, 2); + in [0.1, 1.1);
/// ~ a symmetric positive definite matrix (of the last two axes); <N whole numbers below N; @ whole numbers, ascending along the last axis.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tenon/tensor.hpp"

namespace shapes {

struct Case {
  std::string op;
  std::vector<tenon::Tensor> in;
  std::map<std::string, std::string> parameters;
  bool gradient = false;

  /// Throws std::invalid_argument, naming the part, where `line` is no case.
  static Case parse(const std::string& line);

  bool has(const std::string& name) const { return parameters.count(name) != 0; }
  std::string text(const std::string& name, const std::string& otherwise = "") const;
  double number(const std::string& name, double otherwise) const;
  std::vector<std::int64_t> sizes(const std::string& name) const;  ///< empty where it is not given
  std::vector<int> axes(const std::string& name = "axes") const;
  std::vector<int> transformed() const { return has("axes") ? axes() : std::vector<int>{-1}; }
  int axis() const { return int(number("axis", -1)); }
};

/// A tensor of a shape and type in [-2, 2), for gradients of results.
tenon::Tensor seed(const tenon::Tensor& like, std::uint64_t number);

/// Runs the op once. Throws std::invalid_argument for an op that the table lacks.
std::vector<tenon::Tensor> run(const Case& c);

}  // namespace shapes
