/// An op of our own: its kernel for each device, and its gradient.
#include "discharge.hpp"

#include "gauge.hpp"
#include "tenon/autograd.hpp"
#include "tenon/device_stream.hpp"
#include "tenon/error.hpp"
#include "tenon/kernel.hpp"
#include "tenon/ops.hpp"

namespace gauge_plugin {

using namespace tenon;

Tensor discharge(const Tensor& input) {
  if (input.dtype() != DType::f32)
    throw_usage("gauge.discharge", "an input of " + std::string(name_of(input.dtype())), "convert it with to(DType::f32)");
  const Tensor x = input.contiguous();
  Tensor y = Tensor::empty(x.shape(), DType::f32, x.device());
  const std::int64_t n = x.numel();
  // A kernel captures sizes, never tensors: a recorded step replays it with other pointers.
  if (x.device().type == DeviceType::cuda) {
#ifdef GAUGE_CUDA
    launch("gauge.discharge", {x}, {y}, [n](void* const* p) {  // enqueues and returns; never waits
      enqueue_discharge(static_cast<const float*>(p[0]), static_cast<float*>(p[1]), n, device_stream(DeviceType::cuda));
    });
#else
    throw Error(ErrorKind::device, "device.no_kernel", "gauge.discharge: the plugin was built without CUDA", "run it with --device cpu");
#endif
  } else {
    launch("gauge.discharge", {x}, {y}, [n](void* const* p) {
      const auto* from = static_cast<const float*>(p[0]);
      auto* to = static_cast<float*>(p[1]);
      parallel_blocks(n, 1 << 14, [=](std::int64_t begin, std::int64_t end) {  // the cut depends on no thread count
        for (std::int64_t i = begin; i < end; ++i) to[i] = discharge_of(from[i]);
      });
    });
  }
  // Written in tensor ops, so it can be differentiated again.
  return differentiable("gauge.discharge", y, {x}, [x](const std::vector<Tensor>& d) -> std::vector<Tensor> {
    return {d[0] * pow(relu(x), 2.0 / 3.0) * (5.0 / 3.0)};
  });
}

}  // namespace gauge_plugin
