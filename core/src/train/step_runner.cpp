#include "train/step_runner.hpp"

#include "tensor/ranges.hpp"
#include "tenon/dropout.hpp"
#include "tenon/error.hpp"
#include "tenon/memory.hpp"
#include "tenon/ops.hpp"

namespace tenon {
namespace {

std::string mebibytes(std::size_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MiB", double(bytes) / double(1 << 20));
  return text;
}

}  // namespace

StepRunner::StepRunner(Task& task, nn::Module& model, Optimiser& optimiser, std::int64_t accumulate, LossScale* scale, std::uint64_t seed, Device device)
    : optimiser_(optimiser), scale_(scale), accumulate_(accumulate) {
  DeviceScope on(device);
  {
    MemoryScope tag(MemoryTag::data);
    for (const TensorSpec& s : task.batch_spec()) inputs_.push_back(Tensor::empty(s.shape, s.dtype, device));
  }
  if (accumulate > 1 || scale) sum_.emplace(model);
  random_key_ = random_key(seed, device);
  model.set_random_key(random_key_);
  pass_ = StepPlan::record([&] {
    losses_ = task.loss(model, inputs_);
    if (losses_.empty()) throw_usage("Task::loss", "no loss was returned");
    Tensor loss = losses_[0].second;
    if (accumulate > 1) loss = loss * (1.0 / double(accumulate));
    if (scale) loss = scale->scaled(loss);
    loss.backward();
    if (split()) sum_->add();
    else optimiser_.step();
    for (auto& [name, t] : losses_) t = t.detach();
  });
  if (scale) check_ = StepPlan::record([&] { scale->unscale(sum_->sums()); });
  if (split())
    update_ = StepPlan::record([&] {
      sum_->give();
      optimiser_.step();
    });
  for (const auto& [name, t] : losses_) values_.emplace_back(name, 0);
}

bool StepRunner::run(double learning_rate, std::int64_t step, const NextBatch& next) {
  const Range step_range("step");
  for (auto& [name, value] : values_) value = 0;
  if (split()) sum_->begin();
  else optimiser_.begin_step(learning_rate);
  for (std::int64_t k = 0; k < accumulate_; ++k) {
    {
      const Range range("batch");
      const std::vector<Tensor>& batch = next();
      for (std::size_t i = 0; i < inputs_.size(); ++i) inputs_[i].copy_from_host(batch[i].raw(), batch[i].nbytes());
    }
    set_random_step(random_key_, step * accumulate_ + k);
    {
      const Range range("forward, backward and update");
      pass_.run();
    }
    for (std::size_t i = 0; i < losses_.size(); ++i) values_[i].second += losses_[i].second.item() / double(accumulate_);
  }
  if (!split()) return true;
  bool good = true;
  if (scale_) {
    check_.run();
    good = scale_->finite();
    scale_->update();
  }
  if (good) {
    optimiser_.begin_step(learning_rate);
    update_.run();
  }
  return good;
}

std::string StepRunner::explain() const {
  std::string text = "# " + summary() + "\n" + pass_.explain();
  if (check_.defined()) text += "# gradients over the loss scale\n" + check_.explain();
  if (update_.defined()) text += "# update, after " + std::to_string(accumulate_) + (accumulate_ == 1 ? " pass\n" : " passes\n") + update_.explain();
  return text;
}

std::string StepRunner::summary() const {
  std::string text = std::to_string(pass_.launches()) + " launches, arena " + mebibytes(pass_.arena_bytes()) + " (";
  bool first = true;
  for (std::size_t i = 0; i < kMemoryTags; ++i)
    if (const std::size_t bytes = pass_.arena_use()[i]) {
      text += (first ? "" : ", ") + std::string(name_of(MemoryTag(i))) + " " + mebibytes(bytes);
      first = false;
    }
  return text + " at its fullest) for " + mebibytes(pass_.unshared_bytes()) + " of buffers";
}

}  // namespace tenon
