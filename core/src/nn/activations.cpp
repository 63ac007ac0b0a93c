#include "tenon/nn/activations.hpp"

#include "ops/named.hpp"
#include "tenon/ops.hpp"

namespace tenon::nn {

Activation::Activation(const std::string& name, std::optional<double> parameter) {
  static const Named<Kind> known{{"identity", Kind::identity}, {"relu", Kind::relu}, {"leaky_relu", Kind::leaky_relu},
                                 {"elu", Kind::elu},           {"gelu", Kind::gelu}, {"gelu_tanh", Kind::gelu_tanh}, {"silu", Kind::silu},
                                 {"softplus", Kind::softplus}, {"tanh", Kind::tanh}, {"sigmoid", Kind::sigmoid}};
  kind_ = find_named("Activation", "activation", name, known);
  if (parameter && kind_ != Kind::leaky_relu && kind_ != Kind::elu)
    throw_usage("Activation", "'" + name + "' has no parameter, " + std::to_string(*parameter) + " was given");
  parameter_ = parameter.value_or(kind_ == Kind::elu ? 1 : 0.01);
}

std::optional<double> Activation::slope() const noexcept {
  if (kind_ == Kind::identity) return 1;
  if (kind_ == Kind::relu) return 0;
  if (kind_ == Kind::leaky_relu) return parameter_;
  return {};
}

Tensor Activation::forward(const Tensor& x) {
  switch (kind_) {
    case Kind::identity:
      return x;
    case Kind::relu:
      return relu(x);
    case Kind::leaky_relu:
      return leaky_relu(x, parameter_);
    case Kind::elu:
      return elu(x, parameter_);
    case Kind::gelu:
      return gelu(x);
    case Kind::gelu_tanh:
      return gelu_tanh(x);
    case Kind::silu:
      return silu(x);
    case Kind::softplus:
      return softplus(x);
    case Kind::tanh:
      return tanh(x);
    case Kind::sigmoid:
      return sigmoid(x);
  }
  return x;
}

}  // namespace tenon::nn
