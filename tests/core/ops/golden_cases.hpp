/// Ops against the values and gradients that tests/golden/make_*.py wrote (cases.py says how).
#pragma once

#include <cmath>
#include <map>
#include <set>
#include <string>

#include "core/ops/gradient_check.hpp"

namespace golden {

using check::made;
using tenon::DType;
using tenon::Shape;
using tenon::Tensor;
using In = std::vector<Tensor>;
using Values = std::vector<double>;

struct Case {
  std::string name;
  Values values;
  std::vector<Values> gradients;  ///< one an input, or none
};

struct Run {
  In inputs;
  check::Function f;
};

/// To 12 digits; NaN and infinities must be the same.
inline void require_same(const Values& got, const Values& expected) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    INFO("element " << i << ": " << got[i] << ", expected " << expected[i]);
    if (std::isfinite(expected[i]))
      REQUIRE(std::abs(got[i] - expected[i]) <= 1e-11 * (1 + std::abs(expected[i])));
    else
      REQUIRE((std::isnan(expected[i]) ? std::isnan(got[i]) : got[i] == expected[i]));
  }
}

/// Every case has its run and every run its case.
inline void check_all(const std::vector<Case>& cases, const std::map<std::string, Run>& runs) {
  std::set<std::string> names;
  for (const Case& c : cases) {
    INFO(c.name);
    names.insert(c.name);
    REQUIRE(runs.count(c.name) == 1);
    const Run& run = runs.at(c.name);
    In x = check::leaves(run.inputs);
    Tensor y = run.f(x);
    require_same(y.to_vector(), c.values);
    if (c.gradients.empty()) continue;
    In d = tenon::gradients({tenon::sum(y * made(11, y.shape()))}, x);
    REQUIRE(d.size() == c.gradients.size());
    for (std::size_t k = 0; k < d.size(); ++k) require_same(d[k].to_vector(), c.gradients[k]);
  }
  for (const auto& [name, run] : runs) {
    INFO(name);
    REQUIRE(names.count(name) == 1);
  }
}

}  // namespace golden
