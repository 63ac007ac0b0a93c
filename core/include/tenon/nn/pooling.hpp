/// Pooling as layers; x [N, spatial..., C] throughout. Values one a spatial axis, as in ops.hpp and pooling.hpp.
#pragma once

#include <string>
#include <vector>

#include "tenon/nn/module.hpp"

namespace tenon::nn {

class TENON_API MaxPool : public Module {
 public:
  explicit MaxPool(std::vector<std::int64_t> kernel, std::vector<std::int64_t> stride = {}, std::vector<std::int64_t> padding = {});
  Tensor forward(const Tensor& x) override;

 private:
  std::vector<std::int64_t> kernel_, stride_, padding_;
};

class TENON_API AvgPool : public Module {
 public:
  explicit AvgPool(std::vector<std::int64_t> kernel, std::vector<std::int64_t> stride = {}, std::vector<std::int64_t> padding = {},
                   bool count_padding = true);
  Tensor forward(const Tensor& x) override;

 private:
  std::vector<std::int64_t> kernel_, stride_, padding_;
  bool count_padding_;
};

/// To a given size: `kind` "avg" or "max".
class TENON_API AdaptivePool : public Module {
 public:
  AdaptivePool(const std::string& kind, std::vector<std::int64_t> size);
  Tensor forward(const Tensor& x) override;

 private:
  bool max_;
  std::vector<std::int64_t> size_;
};

/// [N, spatial..., C] -> [N, C]: `kind` "avg" or "max".
class TENON_API GlobalPool : public Module {
 public:
  explicit GlobalPool(const std::string& kind = "avg");
  Tensor forward(const Tensor& x) override;

 private:
  bool max_;
};

}  // namespace tenon::nn
