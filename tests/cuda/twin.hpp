/// A case run on the CPU and on the device: what both noted (check::Twin) must agree, and the device's runs with each other to the bit.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/ops/gradient_check.hpp"

namespace under_test {

using Case = std::function<void()>;

struct Outcome {
  std::vector<check::Noted> noted;
  std::string code, error;  ///< of the error that ended it, if any
  bool typed = false;       ///< something was made in the type
};
Outcome run_case(const Case& run, tenon::DType type, tenon::Device device);

/// sum (x - y)^2 / sum y^2, where values that cancel to less than 0.01 on average count as if they were that large; infinite where
/// shapes, types or the places of values that are not finite differ.
double nmse(const tenon::Tensor& x, const tenon::Tensor& reference);
bool same_bytes(const Outcome& x, const Outcome& y);

/// What is asked of each type: sums are added in another order, and 16-bit results are rounded after each op.
double tolerance_of(tenon::DType type);

enum class Verdict { agrees, not_for_this_type, no_kernel };
/// Fails the test where CPU and device disagree. `tolerance` 0: that of the type, or of what was noted where that is narrower. What the CPU
/// refuses, the device must refuse too.
Verdict compare(const std::string& name, const Case& run, tenon::DType type, double tolerance = 0);

/// The bits of what `step` gives, alone and each time that it is run as a recorded step: launch by launch, captured, as a graph.
void check_recorded_bits(const std::function<std::vector<tenon::Tensor>()>& step);

}  // namespace under_test
