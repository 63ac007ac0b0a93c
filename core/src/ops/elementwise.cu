#include "ops/elementwise.hpp"

#include <utility>

#include "backend/cuda/install.hpp"
#include "backend/cuda/strided.cuh"
#include "ops/dispatch.hpp"

namespace tenon::cuda {
namespace {

using kernels::Binary;
using kernels::BinaryOp;
using kernels::Computed;
using kernels::Unary;
using kernels::UnaryArgs;
using kernels::UnaryOp;

template <class Op, class T, class Out> struct BinaryBody {
  const T* x;
  const T* y;
  Out* z;
  __device__ void operator()(const Offsets<3>& o) const {
    using C = Computed<T>;
    z[o.of[2]] = Out(Op{}(C(x[o.of[0]]), C(y[o.of[1]])));
  }
};

template <class Op, class T> struct UnaryBody {
  Op op;
  const T* x;
  T* y;
  __device__ void operator()(const Offsets<2>& o) const { y[o.of[1]] = T(op(Computed<T>(x[o.of[0]]))); }
};

template <class T> struct WhereBody {
  const bool* c;
  const T* x;
  const T* y;
  T* z;
  __device__ void operator()(const Offsets<4>& o) const { z[o.of[3]] = c[o.of[0]] ? x[o.of[1]] : y[o.of[2]]; }
};

template <Binary K> Kernel binary_of_kind(const Layout& a, const Layout& b, const Layout& out) {
  return dispatch_all(a.dtype, [&](auto t) -> Kernel {
    using T = typename decltype(t)::type;
    using Out = std::conditional_t<kernels::is_comparison(K), bool, T>;
    DeviceAxes<3> axes(StridedAxes<3>(out.shape, {a.strides, b.strides, out.strides}));
    return [axes](void* const* p) {
      run_strided("elementwise", axes, BinaryBody<BinaryOp<K>, T, Out>{static_cast<const T*>(p[0]), static_cast<const T*>(p[1]), static_cast<Out*>(p[2])});
    };
  });
}

template <Unary K> Kernel unary_of_kind(UnaryArgs args, const Layout& x, const Layout& y) {
  return dispatch_floating("elementwise", x.dtype, [&](auto t) -> Kernel {
    using T = typename decltype(t)::type;
    DeviceAxes<2> axes(StridedAxes<2>(x.shape, {x.strides, y.strides}));
    return [axes, op = UnaryOp<K>{args}](void* const* p) {
      run_strided("elementwise", axes, UnaryBody<UnaryOp<K>, T>{op, static_cast<const T*>(p[0]), static_cast<T*>(p[1])});
    };
  });
}

template <int... I> Kernel binary_table(std::integer_sequence<int, I...>, Binary kind, const Layout& a, const Layout& b, const Layout& out) {
  using Make = Kernel (*)(const Layout&, const Layout&, const Layout&);
  static constexpr Make table[] = {binary_of_kind<Binary(I)>...};
  return table[int(kind)](a, b, out);
}

template <int... I> Kernel unary_table(std::integer_sequence<int, I...>, Unary kind, UnaryArgs args, const Layout& x, const Layout& y) {
  using Make = Kernel (*)(UnaryArgs, const Layout&, const Layout&);
  static constexpr Make table[] = {unary_of_kind<Unary(I)>...};
  return table[int(kind)](args, x, y);
}

Kernel make_where(const Layout& c, const Layout& a, const Layout& b, const Layout& out) {
  return dispatch_all(a.dtype, [&](auto t) -> Kernel {
    using T = typename decltype(t)::type;
    DeviceAxes<4> axes(StridedAxes<4>(out.shape, {c.strides, a.strides, b.strides, out.strides}));
    return [axes](void* const* p) {
      run_strided("where", axes, WhereBody<T>{static_cast<const bool*>(p[0]), static_cast<const T*>(p[1]), static_cast<const T*>(p[2]), static_cast<T*>(p[3])});
    };
  });
}

}  // namespace

void install_elementwise() {
  binary_kernel.set(DeviceType::cuda, [](Binary kind, const Layout& a, const Layout& b, const Layout& out) {
    return binary_table(std::make_integer_sequence<int, int(Binary::greater_equal) + 1>{}, kind, a, b, out);
  });
  unary_kernel.set(DeviceType::cuda, [](Unary kind, UnaryArgs args, const Layout& x, const Layout& y) {
    return unary_table(std::make_integer_sequence<int, int(Unary::power) + 1>{}, kind, args, x, y);
  });
  where_kernel.set(DeviceType::cuda, make_where);
}

}  // namespace tenon::cuda
