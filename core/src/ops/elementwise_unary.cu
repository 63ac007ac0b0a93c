/// Elementwise ops of one operand: one kernel an op and computed type, for any stored type and stride.
#include <utility>

#include "backend/cuda/install.hpp"
#include "backend/cuda/walk.cuh"
#include "ops/elementwise.hpp"

namespace tenon::cuda {
namespace {

using kernels::Unary;
using kernels::UnaryArgs;
using kernels::UnaryOp;

/// Elements a thread, so that 16-bit ones fill 16 bytes; fewer where the maths is long or the elements are wide.
template <class C>
constexpr int lanes_of(Unary k) {
  if (kernels::is_complex_v<C>) return 2;
  switch (k) {
    case Unary::lgamma:
    case Unary::digamma:
    case Unary::trigamma:
    case Unary::tetragamma:
      return 2;
    case Unary::sin:
    case Unary::cos:
    case Unary::tan:
    case Unary::sinh:
    case Unary::cosh:
    case Unary::power:
      return sizeof(C) == 8 ? 2 : 4;
    default:
      return sizeof(C) == 8 ? 4 : 8;
  }
}

template <Unary K, class C, int V>
struct UnaryBody {
  UnaryOp<K> op;
  DType type;
  const void* x;
  void* y;
  __device__ void one(const Offsets<2>& o) const { store_lane<C>(type, y, o.of[1], C(op(load_lane<C>(type, x, o.of[0])))); }
  __device__ void pack(const Offsets<2>& o, const bool (&step)[2]) const {
    C v[V];
    if (step[0]) {
      load_lanes<C, V>(type, x, o.of[0], v);
    } else {
      v[0] = load_lane<C>(type, x, o.of[0]);
#pragma unroll
      for (int i = 1; i < V; ++i) v[i] = v[0];
    }
#pragma unroll
    for (int i = 0; i < V; ++i) v[i] = op(v[i]);
    store_lanes<C, V>(type, y, o.of[1], v);
  }
};

template <Unary K, class C>
Kernel unary_of(UnaryArgs args, const Layout& x, const Layout& y) {
  if constexpr (kernels::is_complex_v<C> && !kernels::has_complex(K)) {
    throw Error(ErrorKind::internal, "elementwise.complex", "no complex version of unary op " + std::to_string(int(K)));
  } else {
    constexpr int V = lanes_of<C>(K);
    const WalkLoop<2, V> loop(StridedAxes<2>(x.shape, {x.strides, y.strides}), {size_of(x.dtype), size_of(x.dtype)});
    return [loop, op = UnaryOp<K>{args}, type = x.dtype](void* const* p) {
      loop.run("elementwise", p, [&](const auto& q) { return UnaryBody<K, C, V>{op, type, q[0], q[1]}; });
    };
  }
}

template <class C, int... I>
Kernel unary_table(std::integer_sequence<int, I...>, Unary kind, UnaryArgs args, const Layout& x, const Layout& y) {
  using Make = Kernel (*)(UnaryArgs, const Layout&, const Layout&);
  static constexpr Make table[] = {unary_of<Unary(I), C>...};
  return table[int(kind)](args, x, y);
}

Kernel make_unary(Unary kind, UnaryArgs args, const Layout& x, const Layout& y) {
  constexpr auto all = std::make_integer_sequence<int, int(Unary::power) + 1>{};
  switch (x.dtype) {
    case DType::f32:
    case DType::f16:
    case DType::bf16:
      return unary_table<float>(all, kind, args, x, y);
    case DType::f64:
      return unary_table<double>(all, kind, args, x, y);
    case DType::c64:
      return unary_table<Complex<float>>(all, kind, args, x, y);
    case DType::c128:
      return unary_table<Complex<double>>(all, kind, args, x, y);
    default:
      throw Error(ErrorKind::internal, "elementwise.integer", "unary ops are for floating point and complex types");
  }
}

}  // namespace

void install_elementwise_unary() {
  unary_kernel.set(DeviceType::cuda, make_unary);
}

}  // namespace tenon::cuda
