/// Cases beyond the tables of ops, by name. Each file of them registers its own at namespace scope.
#pragma once

#include <map>
#include <source_location>
#include <string>
#include <vector>

#include "cuda/twin.hpp"

namespace under_test {

/// Of ops without a gradient, by "header: signature" as in the tables: they note what they give.
std::map<std::string, Case>& value_cases();
/// What else there is of ops: results of several parts, other element types, shapes that cross the bounds of blocks and vectors. Each is a test of its own.
struct Extra {
  std::string name;
  Case run;
  std::vector<tenon::DType> types;
  double tolerance = 0;  ///< NMSE; 0: that of the type
};
/// Fails where there is none of that name.
const Extra& extra_case(const std::string& name);

inline void note(const std::string& what, const tenon::Tensor& t) {
  check::Twin::active()->note(what, t);
}
struct Register {
  explicit Register(std::map<std::string, Case> cases) { value_cases().merge(cases); }
  explicit Register(const std::vector<Extra>& cases, const std::source_location& here = std::source_location::current());
};

}  // namespace under_test
