#include "train/step_runner.hpp"

#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>

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
    : task_(task), model_(model), optimiser_(optimiser), scale_(scale), accumulate_(accumulate), device_(device), spec_(task.batch_spec()), feed_(make_batch_feed(device.type)) {
  DeviceScope on(device);
  if (accumulate > 1 || scale) sum_.emplace(model);
  random_key_ = random_key(seed, device);
  model.set_random_key(random_key_);
  PlanCache::Key key;
  for (const TensorSpec& s : spec_) key.push_back({s.shape, s.dtype});
  use_pass(std::move(key));
  if (scale) check_ = StepPlan::record([&] { scale->unscale(sum_->sums()); });
  if (split())
    update_ = StepPlan::record([&] {
      sum_->give();
      optimiser_.step();
    });
}

std::vector<Tensor> StepRunner::record_pass(const std::vector<Tensor>& inputs) {
  auto losses = task_.loss(model_, inputs);
  if (losses.empty()) throw_usage("Task::loss", "no loss was returned");
  if (values_.empty())
    for (const auto& [name, t] : losses) values_.emplace_back(name, 0);
  if (!std::equal(losses.begin(), losses.end(), values_.begin(), values_.end(), [](const auto& a, const auto& b) { return a.first == b.first; }))
    throw_usage("Task::loss", "other losses for a batch of " + inputs[0].shape().str() + " than for the batches before it", "return the same ones, by the same names, for every shape");
  Tensor loss = losses[0].second;
  if (accumulate_ > 1) loss = loss * (1.0 / double(accumulate_));
  if (scale_) loss = scale_->scaled(loss);
  loss.backward();
  if (split()) sum_->add();
  else optimiser_.step();
  std::vector<Tensor> kept;
  for (const auto& [name, t] : losses) {
    if (t.numel() != 1) throw_usage("Task::loss", "'" + name + "' is " + t.str() + ", not one number", "give its mean or its sum");
    kept.push_back(is_floating(t.dtype()) ? t.detach() : t.detach().to(DType::f64));  // a count, say
  }
  return kept;
}

void StepRunner::use_pass(PlanCache::Key key) {
  const std::size_t before = passes_.recorded();
  pass_ = &passes_.get(key, device_, [this](const std::vector<Tensor>& inputs) { return record_pass(inputs); });
  const std::size_t now = passes_.recorded();
  if (now == before) return;
  std::string shapes;
  for (const PlanCache::Input& i : key) shapes += " " + i.shape.str();
  if (now <= passes_.capacity()) news_.push_back("step plan for a batch of" + shapes + ": " + summary());
  else if (now == passes_.capacity() + 1)
    news_.push_back("batches have more sets of shapes than the " + std::to_string(passes_.capacity()) + " whose plans are kept: plans are recorded anew from here on");
}

bool StepRunner::fits(const std::vector<Tensor>& batch) const noexcept {
  return std::equal(batch.begin(), batch.end(), spec_.begin(), spec_.end(), [](const Tensor& t, const TensorSpec& s) {
    return t.defined() && t.dtype() == s.dtype && t.device() == kCpu && t.is_contiguous();
  });
}

void StepRunner::require_fit(const std::vector<Tensor>& batch) const {
  if (fits(batch)) return;
  if (batch.size() != spec_.size()) throw_usage("Task::fill_batch", std::to_string(batch.size()) + " tensors", "as many as batch_spec lists: " + std::to_string(spec_.size()));
  for (std::size_t i = 0; i < spec_.size(); ++i)
    if (const Tensor& t = batch[i]; !t.defined() || t.dtype() != spec_[i].dtype || t.device() != kCpu || !t.is_contiguous())
      throw_usage("Task::fill_batch", "'" + spec_[i].name + "' is " + t.str() + (t.defined() && !t.is_contiguous() ? ", a strided view" : ""),
                  "give a contiguous " + std::string(name_of(spec_[i].dtype)) + " tensor in the CPU's memory; its shape alone may differ from batch_spec's");
}

/// Those of the pass in use.
bool StepRunner::has_shapes(const std::vector<Tensor>& batch) const noexcept {
  return std::equal(batch.begin(), batch.end(), pass_->inputs.begin(), pass_->inputs.end(), [](const Tensor& t, const Tensor& input) { return input.shape() == t.shape(); });
}

void StepRunner::fill_inputs(const Batches& from) {
  const Range range("batch");
  const std::vector<Tensor>* const ahead = std::exchange(ahead_, nullptr);
  if (feed_ && !ahead) feed_->settle();  // the last batch's tensors are given back
  const std::vector<Tensor>& batch = ahead ? *ahead : from.next();
  require_fit(batch);
  if (!has_shapes(batch)) {
    PlanCache::Key key;
    for (const Tensor& t : batch) key.push_back({t.shape(), t.dtype()});
    use_pass(std::move(key));
  }
  if (!feed_) {
    for (std::size_t i = 0; i < batch.size(); ++i) pass_->inputs[i].copy_from_host(batch[i].raw(), batch[i].nbytes());
    return;
  }
  if (!ahead) feed_->send(batch);
  feed_->deliver(pass_->inputs);
}

/// While the device works. What cannot be used is told when its turn comes.
void StepRunner::take_ahead(const Batches& from) {
  if (!feed_ || !from.ready) return;
  const Range range("batch ahead");
  feed_->settle();
  ahead_ = from.ready();
  if (ahead_ && fits(*ahead_)) feed_->send(*ahead_);
}

bool StepRunner::may_start_next(const Batches& batches) {
  if (!feed_ || scale_ || accumulate_ > 1 || started_ == 0) return false;
  if (!ahead_) take_ahead(batches);
  return ahead_ && fits(*ahead_) && has_shapes(*ahead_);
}

void StepRunner::start(double learning_rate, std::int64_t step, const Batches& batches, bool more) {
  const Range step_range("step");
  if (!feed_)
    for (auto& [name, value] : values_) value = 0;
  if (split()) sum_->begin();
  else optimiser_.begin_step(learning_rate);
  for (std::int64_t k = 0; k < accumulate_; ++k) {
    fill_inputs(batches);
    set_random_step(random_key_, step * accumulate_ + k);
    {
      const Range range("forward, backward and update");
      pass_->plan.run();
    }
    if (feed_) {
      std::vector<Tensor> given = pass_->outputs;
      if (!split()) given.push_back(optimiser_.gradient_norm());
      fetch(given);
    }
    if (more || k + 1 < accumulate_) take_ahead(batches);
    if (!feed_)
      for (std::size_t i = 0; i < values_.size(); ++i) values_[i].second += pass_->outputs[i].item() / double(accumulate_);
  }
  good_ = true;
  if (split()) {
    if (scale_) {
      check_.run();
      good_ = scale_->finite();
      scale_->update();
    }
    if (good_) {
      optimiser_.begin_step(learning_rate);
      update_.run();
    }
  }
  if (feed_ && split()) fetch({optimiser_.gradient_norm()});
  ++started_;
}

bool StepRunner::finish() {
  if (started_ == 0) throw Error(ErrorKind::internal, "step_runner.finish", "no step was started");
  --started_;
  if (!feed_) return good_;
  for (auto& [name, value] : values_) value = 0;
  for (std::int64_t k = 0; k < accumulate_; ++k) {
    collect(values_.size() + (split() ? 0 : 1));
    for (std::size_t i = 0; i < values_.size(); ++i) values_[i].second += collected_[i] / double(accumulate_);
  }
  if (split()) collect(1);
  norm_ = collected_.back();
  return good_;
}

double StepRunner::gradient_norm() const { return !good_ ? std::numeric_limits<double>::quiet_NaN() : feed_ ? norm_ : optimiser_.gradient_norm().item(); }

void StepRunner::fetch(const std::vector<Tensor>& scalars) {
  for (std::size_t i = 0; i < scalars.size(); i += BatchFeed::kScalars)
    feed_->fetch({scalars.begin() + std::ptrdiff_t(i), scalars.begin() + std::ptrdiff_t(std::min(i + BatchFeed::kScalars, scalars.size()))});
}

void StepRunner::collect(std::size_t count) {
  collected_.clear();
  while (collected_.size() < count) {
    feed_->collect(part_);
    collected_.insert(collected_.end(), part_.begin(), part_.end());
  }
}

Tensor StepRunner::host_tensor(const TensorSpec& spec) const { return feed_ ? feed_->host_tensor(spec.shape, spec.dtype) : Tensor::empty(spec.shape, spec.dtype, kCpu); }

void StepRunner::note(const StepPlan& plan) {
  constexpr std::string_view kNotCaptured = "launched one by one";
  if (!plan.defined()) return;
  const std::string& text = plan.replay_note();
  if (!text.starts_with(kNotCaptured) || std::find(replay_notes_.begin(), replay_notes_.end(), text) != replay_notes_.end()) return;
  news_.push_back("the step is " + text);
  replay_notes_.push_back(text);
}

std::vector<std::string> StepRunner::news() {
  if (feed_)
    for (const StepPlan* plan : {&pass_->plan, &check_, &update_}) note(*plan);
  return std::exchange(news_, {});
}

std::string StepRunner::explain() const {
  std::string text = "# " + summary() + "\n" + pass_->plan.explain();
  if (check_.defined()) text += "# gradients over the loss scale\n" + check_.explain();
  if (update_.defined()) text += "# update, after " + std::to_string(accumulate_) + (accumulate_ == 1 ? " pass\n" : " passes\n") + update_.explain();
  return text;
}

std::string StepRunner::summary() const {
  std::string text = std::to_string(pass_->plan.launches()) + " launches, arena " + mebibytes(pass_->plan.arena_bytes()) + " (";
  bool first = true;
  for (std::size_t i = 0; i < kMemoryTags; ++i)
    if (const std::size_t bytes = pass_->plan.arena_use()[i]) {
      text += (first ? "" : ", ") + std::string(name_of(MemoryTag(i))) + " " + mebibytes(bytes);
      first = false;
    }
  return text + " at its fullest) for " + mebibytes(pass_->plan.unshared_bytes()) + " of buffers";
}

}  // namespace tenon
