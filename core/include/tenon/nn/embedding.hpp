/// A table of learned rows.
#pragma once

#include "tenon/nn/module.hpp"

namespace tenon::nn {

/// Indices [...] (any integer type) -> [..., channels]. weight [rows, channels], first values standard normal; row `padding` (none: -1)
/// gets no gradient.
class TENON_API Embedding : public Module {
 public:
  Embedding(std::int64_t rows, std::int64_t channels, std::int64_t padding = -1);
  Tensor forward(const Tensor& indices) override;
  Tensor weight;

 private:
  std::int64_t padding_;
};

}  // namespace tenon::nn
