/// The CPU kernel of resizing: rows of output voxels in parallel, each gathered.
#include "ops/dispatch.hpp"
#include "ops/resize_kernels.hpp"

#define TENON_ISA_FILE "ops/simd/resize.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon {
namespace {

template <class T>
Kernel resize_cpu(const Resizing& p) {
  auto loop = TENON_BY_ISA(resize_row<T>);
  return [p, loop](void* const* o) {
    const T* x = static_cast<const T*>(o[0]);
    T* y = static_cast<T*>(o[1]);
    MapView view[3];
    std::int64_t in = p.channels, out = p.channels;
    for (std::size_t a = 0; a < 3; ++a) {
      const AxisMap& m = (*p.axes)[a];
      view[a] = {m.in, m.out, m.first.data(), m.source.data(), m.weight.data()};
      in *= m.in;
      out *= m.out;
    }
    const std::int64_t depth = view[0].out, height = view[1].out;
    parallel_blocks(p.samples * depth * height, 4, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) {
        std::int64_t s = r / (depth * height);
        loop(view, p.channels, x + s * in, y + s * out, r / height % depth, r % height);
      }
    });
  };
}

}  // namespace

KernelSlot<const Resizing&> resize_kernel("resize", [](const Resizing& p) -> Kernel {
  return dispatch_floating("resize", p.dtype, [&](auto tag) -> Kernel { return resize_cpu<typename decltype(tag)::type>(p); });
});

}  // namespace tenon
