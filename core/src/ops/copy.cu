#include "backend/cuda/install.hpp"
#include "backend/cuda/strided.cuh"
#include "ops/convert.hpp"
#include "ops/copy.hpp"
#include "ops/dispatch.hpp"

namespace tenon::cuda {
namespace {

template <class From, class To> struct CopyBody {
  const From* from;
  To* to;
  __device__ void operator()(const Offsets<2>& o) const { to[o.of[1]] = convert<To>(from[o.of[0]]); }
};

template <class To> struct FillBody {
  To* to;
  To value;
  __device__ void operator()(const Offsets<1>& o) const { to[o.of[0]] = value; }
};

Kernel make_copy(const Layout& from, const Layout& to) {
  return dispatch_all(from.dtype, [&](auto f) -> Kernel {
    using From = typename decltype(f)::type;
    return dispatch_all(to.dtype, [&](auto t) -> Kernel {
      using To = typename decltype(t)::type;
      DeviceAxes<2> axes(StridedAxes<2>(from.shape, {from.strides, to.strides}));
      return [axes](void* const* p) { run_strided("copy", axes, CopyBody<From, To>{static_cast<const From*>(p[0]), static_cast<To*>(p[1])}); };
    });
  });
}

Kernel make_fill(const Layout& to, double value) {
  return dispatch_all(to.dtype, [&](auto t) -> Kernel {
    using To = typename decltype(t)::type;
    DeviceAxes<1> axes(StridedAxes<1>(to.shape, {to.strides}));
    return [axes, v = convert<To>(value)](void* const* p) { run_strided("fill", axes, FillBody<To>{static_cast<To*>(p[0]), v}); };
  });
}

}  // namespace

void install_copy() {
  copy_kernel.set(DeviceType::cuda, make_copy);
  fill_kernel.set(DeviceType::cuda, make_fill);
}

}  // namespace tenon::cuda
