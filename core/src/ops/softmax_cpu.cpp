/// The CPU kernels of softmax: blocks of rows in parallel.
#include <algorithm>

#include "ops/dispatch.hpp"
#include "ops/softmax_kernels.hpp"

#define TENON_ISA_FILE "ops/simd/softmax.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon {
namespace {

std::int64_t rows_a_task(const SoftmaxRows& p) {
  return std::max<std::int64_t>(64, 16384 / p.classes / 64 * 64);
}

template <class T>
Kernel forward(const SoftmaxRows& p) {
  auto loop = p.log ? TENON_BY_ISA(softmax_rows<T, true>) : TENON_BY_ISA(softmax_rows<T, false>);
  return [p, loop](void* const* o) {
    const T* x = static_cast<const T*>(o[0]);
    T* y = static_cast<T*>(o[1]);
    parallel_blocks(p.rows, rows_a_task(p), [&](std::int64_t begin, std::int64_t end) {
      loop(x + begin * p.classes, y + begin * p.classes, end - begin, p.classes);
    });
  };
}

template <class T>
Kernel gradient(const SoftmaxRows& p) {
  auto loop = p.log ? TENON_BY_ISA(softmax_gradient_rows<T, true>) : TENON_BY_ISA(softmax_gradient_rows<T, false>);
  return [p, loop](void* const* o) {
    const T *y = static_cast<const T*>(o[0]), *dy = static_cast<const T*>(o[1]);
    T* dx = static_cast<T*>(o[2]);
    parallel_blocks(p.rows, rows_a_task(p), [&](std::int64_t begin, std::int64_t end) {
      std::int64_t at = begin * p.classes;
      loop(y + at, dy + at, dx + at, end - begin, p.classes);
    });
  };
}

}  // namespace

KernelSlot<const SoftmaxRows&> softmax_kernel("softmax", [](const SoftmaxRows& p) -> Kernel {
  return dispatch_floating("softmax", p.dtype, [&](auto tag) -> Kernel { return forward<typename decltype(tag)::type>(p); });
});
KernelSlot<const SoftmaxRows&> softmax_gradient_kernel("softmax.gradient", [](const SoftmaxRows& p) -> Kernel {
  return dispatch_floating("softmax", p.dtype, [&](auto tag) -> Kernel { return gradient<typename decltype(tag)::type>(p); });
});

}  // namespace tenon
