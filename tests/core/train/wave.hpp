/// A small task and its network, for tests of training steps.
#pragma once

#include <cmath>

#include "tenon/nn/layers.hpp"
#include "tenon/ops.hpp"
#include "tenon/plugin.hpp"

namespace train_test {
using namespace tenon;

/// A sum of sines by a small network; the loss is a mean over samples. Ragged: the number of samples changes from batch to batch.
class Wave : public Task {
 public:
  explicit Wave(std::int64_t batch, DType compute = DType::f32, bool ragged = false) : batch_(batch), compute_(compute), ragged_(ragged) {}
  std::vector<Problem> check(const Monitor&) override { return {}; }
  void load(const Monitor&) override {}
  std::vector<std::string> splits() const override { return {}; }
  std::vector<MetricColumn> columns() const override { return {}; }
  ModelContext model_context() const override { return {}; }
  std::vector<TensorSpec> batch_spec() const override { return {{"x", {batch_, 4}}}; }
  void fill_batch(std::int64_t index, const Random&, std::vector<Tensor>& batch) const override {
    if (ragged_) batch[0] = batch[0].narrow(0, 0, 1 + index * index % batch_);
    for (std::int64_t i = 0; i < batch[0].numel(); ++i) batch[0].data<float>()[i] = float(std::sin(1.0 + double(index * batch_ * 4 + i)));
  }
  std::vector<std::pair<std::string, Tensor>> loss(nn::Module& model, const std::vector<Tensor>& batch) override {
    const Tensor error = model(batch[0].to(compute_)).to(DType::f32) - sum(batch[0], {1}, true);
    return {{"loss", mean(square(error))}, {"absolute", mean(abs(error))}};
  }
  Evaluation evaluate(nn::Module&, const std::string&, int, const Monitor&) override { return {}; }
  double score(const Evaluation&) const override { return 0; }
  std::vector<std::filesystem::path> predict(nn::Module&, const std::vector<std::filesystem::path>&, const PredictOptions&) override { return {}; }
  std::string state() const override { return "{}"; }
  void load_state(const std::string&) override {}
  std::map<std::string, std::string> input_digests() const override { return {}; }

 private:
  std::int64_t batch_;
  DType compute_;
  bool ragged_;
};

class Net : public nn::Module {
 public:
  Net() : first(add_module("first", std::make_shared<nn::Linear>(4, 64))), second(add_module("second", std::make_shared<nn::Linear>(64, 1))) { initialise(3); }
  Tensor forward(const Tensor& x) override { return second->forward(tanh(first->forward(x))); }
  std::shared_ptr<nn::Linear> first, second;
};

}  // namespace train_test
