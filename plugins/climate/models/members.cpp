#include "climate/models/members.hpp"

#include <string>

#include "tenon/error.hpp"
#include "tenon/ops.hpp"

namespace tenon::climate {

Members::Members(std::int64_t count, const std::function<nn::ModulePtr()>& make) {
  if (count < 1) throw_usage("Members", std::to_string(count) + " members", "give 1 or more");
  for (std::int64_t i = 0; i < count; ++i) members_.push_back(add_module("member" + std::to_string(i), make()));
}

std::vector<Tensor> Members::forward_all(const std::vector<Tensor>& inputs) {
  if (inputs.size() != 1) throw_usage("Members", "takes one input, got " + std::to_string(inputs.size()));
  std::vector<Tensor> outputs;
  for (const auto& member : members_) outputs.push_back(member->forward(inputs[0]));
  return outputs;
}

Tensor Members::forward(const Tensor& x) {
  Tensor sum;
  for (const auto& member : members_) sum = sum.defined() ? sum + member->forward(x) : member->forward(x);
  return members_.size() == 1 ? sum : sum * (1.0 / double(members_.size()));
}

nn::ModulePtr with_members(std::int64_t count, const std::function<nn::ModulePtr()>& make) {
  return count == 1 ? make() : std::make_shared<Members>(count, make);
}

}  // namespace tenon::climate
