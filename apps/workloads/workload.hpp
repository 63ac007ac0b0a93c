/// The reference models that `tenon bench` and tests/bench time (tests/bench/peers/torch_reference.py has them in PyTorch): one file a model.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "tenon/nn/module.hpp"
#include "tenon/tensor.hpp"

namespace bench {

struct Workload {
  tenon::nn::ModulePtr model;
  std::function<tenon::Tensor()> loss;  ///< forward and loss on fixed random data
};

/// `compute`: f32 or bf16, the type in which the model works.
using MakeWorkload = std::function<Workload(tenon::DType compute)>;

inline std::map<std::string, MakeWorkload>& workloads() {
  static std::map<std::string, MakeWorkload> all;
  return all;
}

/// At namespace scope: const Register registered("unet3d", make);
struct Register {
  Register(const char* name, MakeWorkload make) { workloads()[name] = std::move(make); }
};

}  // namespace bench
