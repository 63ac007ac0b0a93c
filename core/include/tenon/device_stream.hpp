/// The queue of a device's work, for kernels of a plugin's own: what is enqueued there runs after all that was enqueued before, and becomes part of a step that is
/// recorded as one graph.
///
///     Tensor twice(const Tensor& x) {                       // in an .hpp; the kernel in a .cu of the same plugin
///       Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
///       const std::int64_t n = x.numel();
///       if (x.device().type == DeviceType::cuda)
///         launch("mine.twice", {x}, {y}, [n](void* const* p) { enqueue_twice((const float*)p[0], (float*)p[1], n, (cudaStream_t)device_stream(DeviceType::cuda)); });
///       else
///         launch("mine.twice", {x}, {y}, [n](void* const* p) { ... });
///       return y;
///     }
#pragma once

#include "tenon/device.hpp"
#include "tenon/export.hpp"

namespace tenon {

/// The device's stream: a cudaStream_t for CUDA, null for the CPU. The same for the whole process. Throws device.not_available where no device of the type is in use; enqueue only,
/// never wait for it in a kernel.
TENON_API void* device_stream(DeviceType type);

}  // namespace tenon
