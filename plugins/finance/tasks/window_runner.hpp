/// Runs a forecasting model over many windows: recorded once for a batch, replayed.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "tenon/nn/module.hpp"
#include "tenon/task.hpp"

namespace tenon::finance {

struct WindowBatch {
  std::int64_t look_back = 1, features = 1, horizon = 1, outputs = 1, batch = 256;
};
/// For windows 0 .. count - 1 in order: `fill(i, window [L, F])`, then `take(i, forecast [H, Q])` once the batch has run. `fill` and `take` are
/// called on the caller's thread. Throws finance.model_output where the model gives another shape.
void run_windows(nn::Module& model, const WindowBatch& sizes, std::int64_t count, const std::function<void(std::int64_t, std::span<float>)>& fill,
                 const std::function<void(std::int64_t, std::span<const float>)>& take, const Monitor& monitor);

}  // namespace tenon::finance
