/// Tables of ops: every free function of the public headers that gives a tensor, several, or a struct of them, and every such method of Tensor has a row that checks its gradients against central
/// differences in double (first and, where it has one, second), or stands in the list of those that have none. op_table_test.cpp reads the
/// headers themselves, so an op that is added without a row fails the suite. One file a header, in op_tables/.
#pragma once

#include <catch2/catch.hpp>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "core/ops/gradient_check.hpp"

namespace op_table {

using check::spread;
using tenon::DType;
using tenon::Shape;
using tenon::Tensor;
using In = std::vector<Tensor>;

struct Table {
  std::map<std::string, std::function<void()>> rows;  ///< by signature: "add(Tensor,double)"
  std::set<std::string> without_gradient;
};

/// By header, as "ops.hpp" or "nn/layers.hpp".
inline std::map<std::string, Table>& tables() {
  static std::map<std::string, Table> all;
  return all;
}

/// At namespace scope: const Register table("ops.hpp", {...});
struct Register {
  Register(const char* header, Table table) { tables()[header] = std::move(table); }
};

inline void both(const check::Function& f, const In& inputs) {
  if (!check::Twin::active()) check::first_gradients(f, inputs);  // a Twin notes them along with the second ones
  check::second_gradients(f, inputs);
}

/// The gradient is right, and asking for a second one is refused by name.
inline void first_only(const std::string& op, const check::Function& f, const In& inputs) {
  check::first_gradients(f, inputs);
  if (check::Twin::active()) return;
  In x = check::leaves(inputs);
  CHECK_THROWS_WITH(tenon::gradients({check::weighed(f, x)}, x, {}, true),
                    Catch::Matchers::Contains("'" + op + "' has no second derivative"));
}

inline void unary(const std::function<Tensor(const Tensor&)>& f, double low = -2, double high = 2) {
  both([&](const In& x) { return f(x[0]); }, {spread({3, 5}, low, high)});
  both([&](const In& x) { return f(x[0]); }, {spread({}, low, high)});
}

inline void binary(const std::function<Tensor(const Tensor&, const Tensor&)>& f, double low = -2, double high = 2) {
  auto pair = [&](const In& x) { return f(x[0], x[1]); };
  both(pair, {spread({2, 3}, low, high), spread({2, 3}, low + 0.11, high + 0.13)});
  both(pair, {spread({2, 1, 4}, low, high), spread({3, 1}, low + 0.11, high + 0.13)});
  both(pair, {spread({}, low, high), spread({4}, low + 0.11, high + 0.13)});
}

}  // namespace op_table
