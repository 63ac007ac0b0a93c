#include "finance/tasks/window_runner.hpp"

#include <algorithm>

#include "tenon/autograd.hpp"
#include "tenon/error.hpp"
#include "tenon/plan.hpp"
#include "tenon/tensor.hpp"

namespace tenon::finance {

void run_windows(nn::Module& model, const WindowBatch& s, std::int64_t count, const std::function<void(std::int64_t, std::span<float>)>& fill,
                 const std::function<void(std::int64_t, std::span<const float>)>& take, const Monitor& monitor) {
  if (count == 0) return;
  const std::int64_t batch = std::min(s.batch, count);
  const auto parameters = model.parameters();
  const Device device = parameters.empty() ? kCpu : parameters.front().second.device();
  const Shape in{batch, s.look_back, s.features}, out{batch, s.horizon, s.outputs};
  const Tensor host = Tensor::zeros(in, DType::f32, kCpu), input = device == kCpu ? host : Tensor::zeros(in, DType::f32, device);
  Tensor output;
  DeviceScope on(device);
  const StepPlan plan = StepPlan::record([&] {
    NoGrad off;
    output = model.forward(input).to(DType::f32).contiguous();
  });
  if (!(output.shape() == out))
    throw Error(ErrorKind::usage, "finance.model_output", "the model gives forecasts " + output.shape().str() + " where the task needs " + out.str(),
                "use a forecasting model: finance.nlinear, finance.lstm, finance.patchtst", "model.name");
  const Tensor result = device == kCpu ? output : Tensor::empty(out, DType::f32, kCpu);
  const std::size_t width = std::size_t(s.look_back * s.features), ahead = std::size_t(s.horizon * s.outputs);
  for (std::int64_t first = 0; first < count; first += batch) {
    monitor.turn("scoring windows", first, count);
    const std::int64_t n = std::min(batch, count - first);
    const std::span<float> windows = host.span<float>();
    for (std::int64_t i = 0; i < n; ++i) fill(first + i, windows.subspan(std::size_t(i) * width, width));
    if (input.storage() != host.storage()) input.copy_from_host(host.data<float>(), host.nbytes());
    plan.run();
    if (output.storage() != result.storage()) output.copy_to_host(result.data<float>(), result.nbytes());
    const std::span<const float> forecasts = result.span<float>();
    for (std::int64_t i = 0; i < n; ++i) take(first + i, forecasts.subspan(std::size_t(i) * ahead, ahead));
  }
}

}  // namespace tenon::finance
