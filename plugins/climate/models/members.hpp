/// A small ensemble as one model: members of one kind, each with first values and dropout of its own.
///
/// forward_all gives each member's output, so that a task can train every member by its own loss; forward gives their mean.
#pragma once

#include <functional>
#include <vector>

#include "tenon/nn/module.hpp"

namespace tenon::climate {

class Members : public nn::Module {
 public:
  /// `make` is called `count` times, count >= 1.
  Members(std::int64_t count, const std::function<nn::ModulePtr()>& make);
  std::vector<Tensor> forward_all(const std::vector<Tensor>& inputs) override;
  Tensor forward(const Tensor& x) override;

 private:
  std::vector<nn::ModulePtr> members_;
};

/// What `make` gives, alone for a count of 1.
nn::ModulePtr with_members(std::int64_t count, const std::function<nn::ModulePtr()>& make);

}  // namespace tenon::climate
