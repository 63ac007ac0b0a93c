/// What PyTorch gives on grids (tests/golden/make_grid.py), and the comparison with it.
#pragma once

#include <algorithm>

#include "core/ops/gradient_check.hpp"

namespace golden {

struct GridCase {
  std::string name;
  std::vector<double> y, d_x;
};
inline const std::vector<GridCase>& grid() {
  static const std::vector<GridCase> cases{
#include "golden/grid.inc"
  };
  return cases;
}

/// f(made(k, shape)) and its gradient are PyTorch's case `name`.
inline void matches(const std::string& name, const std::function<tenon::Tensor(const tenon::Tensor&)>& f, int k, const tenon::Shape& shape,
                    double tolerance = 1e-12) {
  INFO(name);
  const auto at = std::find_if(grid().begin(), grid().end(), [&](const GridCase& c) { return c.name == name; });
  REQUIRE(at != grid().end());
  std::vector<tenon::Tensor> x = check::leaves({check::made(k, shape)});
  tenon::Tensor y = f(x[0]);
  check::require_close(y.to_vector(), at->y, tolerance);
  check::require_close(tenon::gradients({y}, x, {check::made(9, y.shape())})[0].to_vector(), at->d_x, tolerance);
}

}  // namespace golden
