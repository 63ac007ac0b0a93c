/// Activations as layers, by name: for models whose activation is a choice of their user.
#pragma once

#include <optional>
#include <string>

#include "tenon/nn/module.hpp"

namespace tenon::nn {

/// "identity", "relu", "leaky_relu" (slope, 0.01), "elu" (alpha, 1), "gelu", "gelu_tanh", "silu", "softplus", "tanh" or "sigmoid"; any
/// shape, any floating type. An unknown name, and a parameter for one that has none, is a usage error.
class TENON_API Activation : public Module {
 public:
  explicit Activation(const std::string& name, std::optional<double> parameter = {});
  Tensor forward(const Tensor& x) override;
  /// The slope with which a normalisation can do it in its own pass: 1 for identity, 0 for relu, leaky_relu's; none for the others.
  std::optional<double> slope() const noexcept;

 private:
  enum class Kind { identity, relu, leaky_relu, elu, gelu, gelu_tanh, silu, softplus, tanh, sigmoid } kind_;
  double parameter_ = 0;
};

}  // namespace tenon::nn
