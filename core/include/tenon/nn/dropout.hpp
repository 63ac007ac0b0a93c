/// Dropout as a layer.
#pragma once

#include "tenon/nn/module.hpp"

namespace tenon::nn {

/// While training, dropout of share `p` from the key of Module::set_random_key (a usage error where none was set); else the identity.
class TENON_API Dropout : public Module {
 public:
  explicit Dropout(double p);
  Tensor forward(const Tensor& x) override;

 private:
  double p_;
};

}  // namespace tenon::nn
