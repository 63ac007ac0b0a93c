/// A small ensemble as one model: members of one kind, each with first values and dropout of its own.
///
/// forward_all gives each member's output, so that a task can train every member by its own loss; forward gives their mean.
#pragma once

#include <functional>
#include <vector>

#include "tenon/nn/module.hpp"

namespace tenon::nn {

class TENON_API Ensemble : public Module {
 public:
  /// `make` is called `count` times, count >= 1; its modules are the children member0, member1, ...
  Ensemble(std::int64_t count, const std::function<ModulePtr()>& make);
  std::vector<Tensor> forward_all(const std::vector<Tensor>& inputs) override;
  Tensor forward(const Tensor& x) override;
  const std::vector<ModulePtr>& members() const { return members_; }

 private:
  std::vector<ModulePtr> members_;
};

/// What `make` gives, alone for a count of 1.
TENON_API ModulePtr ensemble(std::int64_t count, const std::function<ModulePtr()>& make);

}  // namespace tenon::nn
