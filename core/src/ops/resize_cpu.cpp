/// The CPU kernel of resizing: rows of output voxels in parallel, each gathered.
#include <algorithm>

#include "ops/dispatch.hpp"
#include "ops/resize_kernels.hpp"

#define TENON_ISA_FILE "ops/simd/resize.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon {
namespace {

constexpr std::int64_t kElementsATask = 16384;

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

template <class T>
Kernel axis_map_cpu(const AxisMapping& p) {
  using A = Acc<T>;
  auto loop = TENON_BY_ISA(axis_map_rows<T>);
  auto weights = std::make_shared<const std::vector<A>>(p.map->weight.begin(), p.map->weight.end());
  const std::int64_t grain = std::max<std::int64_t>(1, kElementsATask / p.inner);
  const std::int64_t pieces = (p.map->out + grain - 1) / grain, lines = std::max<std::int64_t>(1, kElementsATask / (p.inner * p.map->out));
  return [=](void* const* o) {
    const T* x = static_cast<const T*>(o[0]);
    T* y = static_cast<T*>(o[1]);
    const AxisMap& m = *p.map;
    parallel_blocks(p.outer * pieces, lines, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) {
        const std::int64_t line = r / pieces, at = r % pieces * grain;
        loop(x + line * m.in * p.inner, y + line * m.out * p.inner, p.inner, m.first.data(), m.source.data(), weights->data(), at,
             std::min(m.out, at + grain));
      }
    });
  };
}

}  // namespace

KernelSlot<const Resizing&> resize_kernel("resize", [](const Resizing& p) -> Kernel {
  return dispatch_floating("resize", p.dtype, [&](auto tag) -> Kernel { return resize_cpu<typename decltype(tag)::type>(p); });
});

KernelSlot<const AxisMapping&> axis_map_kernel(
    "resize.axis", [](const AxisMapping& p) -> Kernel { return p.dtype == DType::f64 ? axis_map_cpu<double>(p) : axis_map_cpu<float>(p); });

}  // namespace tenon
