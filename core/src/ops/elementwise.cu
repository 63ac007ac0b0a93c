/// Elementwise ops of two operands, and choice: one kernel an op and computed type, for any stored type and stride.
#include "ops/elementwise.hpp"

#include <utility>

#include "backend/cuda/install.hpp"
#include "backend/cuda/walk.cuh"

namespace tenon::cuda {
namespace {

using kernels::Binary;
using kernels::BinaryOp;

/// Elements a thread, so that 16-bit ones fill 16 bytes; fewer where the maths is long or the elements are wide.
template <class C>
constexpr int lanes_of(Binary k) {
  if (kernels::is_complex_v<C>) return 2;
  return sizeof(C) == 8 || k == Binary::pow || k == Binary::atan2 || k == Binary::hypot || k == Binary::gelu_gradient || k == Binary::gelu_tanh_gradient ? 4 : 8;
}

template <class C, int V>
__device__ __forceinline__ void load_or_spread(DType t, const void* p, std::int64_t at, bool dense, C (&x)[V]) {
  if (dense) return load_lanes<C, V>(t, p, at, x);
  x[0] = load_lane<C>(t, p, at);
#pragma unroll
  for (int i = 1; i < V; ++i) x[i] = x[0];
}

template <Binary K, class C, int V>
struct BinaryBody {
  DType in, out;
  const void *x, *y;
  void* z;
  static constexpr bool kToBool = kernels::is_comparison(K);
  using Out = std::conditional_t<kToBool, bool, C>;

  __device__ void one(const Offsets<3>& o) const {
    const Out v = BinaryOp<K>{}(load_lane<C>(in, x, o.of[0]), load_lane<C>(in, y, o.of[1]));
    if constexpr (kToBool)
      static_cast<bool*>(z)[o.of[2]] = v;
    else
      store_lane<C>(out, z, o.of[2], v);
  }
  __device__ void pack(const Offsets<3>& o, const bool (&step)[3]) const {
    C a[V], b[V];
    Out c[V];
    load_or_spread<C, V>(in, x, o.of[0], step[0], a);
    load_or_spread<C, V>(in, y, o.of[1], step[1], b);
#pragma unroll
    for (int i = 0; i < V; ++i) c[i] = BinaryOp<K>{}(a[i], b[i]);
    if constexpr (kToBool)
      store_as<bool, bool, V>(z, o.of[2], c);
    else
      store_lanes<C, V>(out, z, o.of[2], c);
  }
};

template <Binary K, class C>
Kernel binary_of(const Layout& a, const Layout& b, const Layout& out) {
  if constexpr (kernels::is_complex_v<C> && !kernels::has_complex(K)) {
    throw Error(ErrorKind::internal, "elementwise.complex", "no complex version of binary op " + std::to_string(int(K)));
  } else {
    constexpr int V = lanes_of<C>(K);
    const StridedAxes<3> axes(out.shape, {a.strides, b.strides, out.strides});
    const WalkLoop<3, V> loop(axes, {size_of(a.dtype), size_of(a.dtype), size_of(out.dtype)});
    return [loop, in = a.dtype, to = out.dtype](void* const* p) {
      loop.run("elementwise", p, [&](const auto& q) { return BinaryBody<K, C, V>{in, to, q[0], q[1], q[2]}; });
    };
  }
}

template <class C, int... I>
Kernel binary_table(std::integer_sequence<int, I...>, Binary kind, const Layout& a, const Layout& b, const Layout& out) {
  using Make = Kernel (*)(const Layout&, const Layout&, const Layout&);
  static constexpr Make table[] = {binary_of<Binary(I), C>...};
  return table[int(kind)](a, b, out);
}

Kernel make_binary(Binary kind, const Layout& a, const Layout& b, const Layout& out) {
  constexpr auto all = std::make_integer_sequence<int, int(Binary::greater_equal) + 1>{};
  switch (a.dtype) {
    case DType::f32:
    case DType::f16:
    case DType::bf16:
      return binary_table<float>(all, kind, a, b, out);
    case DType::f64:
      return binary_table<double>(all, kind, a, b, out);
    case DType::c64:
      return binary_table<Complex<float>>(all, kind, a, b, out);
    case DType::c128:
      return binary_table<Complex<double>>(all, kind, a, b, out);
    default:
      return binary_table<std::int64_t>(all, kind, a, b, out);
  }
}

// ---- choice ----------------------------------------------------------------------------------------------------------

template <class Bytes, int V>
struct WhereBody {
  const bool* c;
  const Bytes *x, *y;
  Bytes* z;
  __device__ void one(const Offsets<4>& o) const { z[o.of[3]] = c[o.of[0]] ? x[o.of[1]] : y[o.of[2]]; }
  template <class T>
  static __device__ __forceinline__ Lanes<T, V> lanes(const T* p, bool dense) {
    if (dense) return *reinterpret_cast<const Lanes<T, V>*>(p);
    Lanes<T, V> v;
#pragma unroll
    for (int i = 0; i < V; ++i) v.of[i] = *p;
    return v;
  }
  __device__ void pack(const Offsets<4>& o, const bool (&step)[4]) const {
    const Lanes<bool, V> m = lanes(c + o.of[0], step[0]);
    Lanes<Bytes, V> a = lanes(x + o.of[1], step[1]);
    const Lanes<Bytes, V> b = lanes(y + o.of[2], step[2]);
#pragma unroll
    for (int i = 0; i < V; ++i) a.of[i] = m.of[i] ? a.of[i] : b.of[i];
    *reinterpret_cast<Lanes<Bytes, V>*>(z + o.of[3]) = a;
  }
};

Kernel make_where(const Layout& c, const Layout& a, const Layout& b, const Layout& out) {
  return dispatch_size(a.dtype, [&](auto tag) -> Kernel {
    using Bytes = typename decltype(tag)::type;
    constexpr int V = int(16 / sizeof(Bytes));
    const StridedAxes<4> axes(out.shape, {c.strides, a.strides, b.strides, out.strides});
    return [loop = WalkLoop<4, V>(axes, {1, sizeof(Bytes), sizeof(Bytes), sizeof(Bytes)})](void* const* p) {
      loop.run("where", p, [](const auto& q) {
        return WhereBody<Bytes, V>{reinterpret_cast<const bool*>(q[0]), reinterpret_cast<const Bytes*>(q[1]),
                                   reinterpret_cast<const Bytes*>(q[2]), reinterpret_cast<Bytes*>(q[3])};
      });
    };
  });
}

}  // namespace

void install_elementwise() {
  binary_kernel.set(DeviceType::cuda, make_binary);
  where_kernel.set(DeviceType::cuda, make_where);
}

}  // namespace tenon::cuda
