/// A model run over fields outside of training: one recorded plan for each input shape, in evaluation mode; the last few are kept.
#pragma once

#include <string>

#include "tenon/nn/module.hpp"
#include "tenon/plan_cache.hpp"

namespace tenon::climate {

/// The model's parameters must stay where they are while it lives (their values may change). The model is in evaluation mode meanwhile, and
/// left in the mode it was in. Not thread-safe.
class ModelRunner {
 public:
  explicit ModelRunner(nn::Module& model);
  ~ModelRunner();
  ModelRunner(const ModelRunner&) = delete;
  ModelRunner& operator=(const ModelRunner&) = delete;

  /// The model's (mean) output for x, f32 [N, rows, columns, channels] on the CPU, at most `batch` samples at a time: f32 on the CPU.
  Tensor run(const Tensor& x, std::int64_t batch);

 private:
  nn::Module& model_;
  bool training_;
  Device device_;
  PlanCache plans_;
};

/// SHA-256 over names and values of the model's parameters and buffers: which weights made a result.
std::string model_digest(const nn::Module& model);

}  // namespace tenon::climate
