#include "tenon/nn/ensemble.hpp"

#include <string>

#include "tenon/error.hpp"
#include "tenon/ops.hpp"

namespace tenon::nn {

Ensemble::Ensemble(std::int64_t count, const std::function<ModulePtr()>& make) {
  if (count < 1) throw_usage("Ensemble", std::to_string(count) + " members", "give 1 or more");
  if (!make) throw_usage("Ensemble", "no function that makes a member was given");
  for (std::int64_t i = 0; i < count; ++i) members_.push_back(add_module("member" + std::to_string(i), make()));
}

std::vector<Tensor> Ensemble::forward_all(const std::vector<Tensor>& inputs) {
  if (inputs.size() != 1) throw_usage("Ensemble", "takes one input, got " + std::to_string(inputs.size()));
  std::vector<Tensor> outputs;
  for (const auto& member : members_) outputs.push_back(member->forward(inputs[0]));
  return outputs;
}

Tensor Ensemble::forward(const Tensor& x) {
  Tensor sum;
  for (const auto& member : members_) sum = sum.defined() ? sum + member->forward(x) : member->forward(x);
  return members_.size() == 1 ? sum : sum * (1.0 / double(members_.size()));
}

ModulePtr ensemble(std::int64_t count, const std::function<ModulePtr()>& make) {
  return count == 1 ? make() : std::make_shared<Ensemble>(count, make);
}

}  // namespace tenon::nn
