/// Small data sets for the tests of the data pipeline.
#pragma once

#include <memory>

#include "tenon/data/dataset.hpp"
#include "tenon/ops.hpp"

namespace data_test {

using namespace tenon;
using namespace tenon::data;

/// Item i: "x" = (i, i + 0.5), f32; "y" = i, i64.
inline DatasetPtr numbers(std::int64_t n) {
  std::vector<float> x;
  for (std::int64_t i = 0; i < n; ++i) x.insert(x.end(), {float(i), float(i) + 0.5f});
  return std::make_shared<TensorDataset>(Sample{{"x", Tensor::from(x, {n, 2})}, {"y", Tensor::arange(n)}});
}

/// Item i: "s" = i % 4 + 1 values of i.
class Ragged : public Dataset {
 public:
  explicit Ragged(std::int64_t n) : n_(n) {}
  std::int64_t size() const override { return n_; }

 protected:
  Sample read(std::int64_t i) const override { return {{"s", Tensor::full({i % 4 + 1}, double(i))}}; }

 private:
  std::int64_t n_;
};

}  // namespace data_test
