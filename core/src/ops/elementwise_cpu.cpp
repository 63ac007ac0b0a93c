/// Elementwise ops on the CPU: one short loop an op and computed type, driven over tiles of any stored type and stride.
#include "backend/cpu/strided.hpp"
#include "backend/cpu/tiles.hpp"
#include "ops/activation_loops.hpp"
#include "ops/dispatch.hpp"
#include "ops/elementwise.hpp"
#include "ops/elementwise_loops.hpp"

namespace tenon {
namespace {

using kernels::Binary;
using kernels::BinaryOp;
using kernels::Complex;
using kernels::Unary;
using kernels::UnaryArgs;
using kernels::UnaryOp;

/// f(TypeTag<C>) with the type in which `t` is computed.
template <class F>
Kernel dispatch_computed(DType t, F&& f) {
  switch (t) {
    case DType::f32:
    case DType::f16:
    case DType::bf16:
      return f(TypeTag<float>{});
    case DType::f64:
      return f(TypeTag<double>{});
    case DType::c64:
      return f(TypeTag<Complex<float>>{});
    case DType::c128:
      return f(TypeTag<Complex<double>>{});
    default:
      return f(TypeTag<std::int64_t>{});
  }
}

/// Whether tensors of type `t` hold what they are computed in.
bool holds_computed(DType t) {
  return t == DType::f32 || t == DType::f64 || t == DType::i64 || is_complex(t);
}

// ---- two operands ---------------------------------------------------------------------------------------------------

template <class C, class Out>
using Loop2 = void (*)(std::int64_t n, const C* x, const C* y, Out* z);

template <Binary K, class C, class Out>
void binary_loop(std::int64_t n, const C* x, const C* y, Out* z) {
  BinaryOp<K> op;
  for (std::int64_t i = 0; i < n; ++i) z[i] = op(x[i], y[i]);
}

/// `Out`: bool for comparisons, else C.
template <class C, class Out>
Kernel run_binary(Loop2<C, Out> body, const Layout& a, const Layout& b, const Layout& out) {
  cpu::StridedLoop<3> loop(out.shape, {a.strides, b.strides, out.strides});
  const cpu::LoadTile<C> load = cpu::tile_loader<C>(a.dtype);
  const DType in = a.dtype, to = out.dtype;
  cpu::StoreTile<C> store = nullptr;
  if constexpr (std::is_same_v<Out, C>) store = cpu::tile_storer<C>(to);
  return [=](void* const* p) {
    loop.run([&](const auto& at, const auto& step, std::int64_t n) {
      alignas(64) C tx[cpu::kTile], ty[cpu::kTile];
      alignas(64) Out tz[cpu::kTile];
      const bool own = holds_computed(in);
      cpu::TileSource<C> x(in, load, p[0], at[0], step[0], own), y(in, load, p[1], at[1], step[1], own);
      for (std::int64_t i = 0; i < n; i += cpu::kTile) {
        const std::int64_t m = std::min(cpu::kTile, n - i);
        const C *from_x = x.tile(i, m, tx), *from_y = y.tile(i, m, ty);
        if constexpr (std::is_same_v<Out, C>) {
          cpu::TileTarget<C> z(to, store, p[2], at[2], step[2], own);
          C* to_z = z.tile(i, tz);
          body(m, from_x, from_y, to_z);
          z.put(to_z, i, m);
        } else {
          bool* z = static_cast<bool*>(p[2]) + at[2] + i * step[2];
          body(m, from_x, from_y, step[2] == 1 ? z : tz);
          if (step[2] != 1)
            for (std::int64_t k = 0; k < m; ++k) z[k * step[2]] = tz[k];
        }
      }
    });
  };
}

template <Binary K, class C>
Kernel binary_of(const Layout& a, const Layout& b, const Layout& out) {
  if constexpr (kernels::is_complex_v<C> && !kernels::has_complex(K)) {
    throw Error(ErrorKind::internal, "elementwise.complex", "no complex version of binary op " + std::to_string(int(K)));
  } else if constexpr ((K == Binary::gelu_gradient || K == Binary::gelu_tanh_gradient) && std::is_same_v<C, float>) {
    return run_binary<C, C>(activation_loops().of(K), a, b, out);  // worth the widest vectors
  } else if constexpr (kernels::is_comparison(K)) {
    return run_binary<C, bool>(binary_loop<K, C, bool>, a, b, out);
  } else {
    return run_binary<C, C>(binary_loop<K, C, C>, a, b, out);
  }
}

/// Finds the kind among all of them at compile time.
template <class C, int... I>
Kernel binary_table(std::integer_sequence<int, I...>, Binary kind, const Layout& a, const Layout& b, const Layout& out) {
  using Make = Kernel (*)(const Layout&, const Layout&, const Layout&);
  static constexpr Make table[] = {binary_of<Binary(I), C>...};
  return table[int(kind)](a, b, out);
}

Kernel make_binary(Binary kind, const Layout& a, const Layout& b, const Layout& out) {
  return dispatch_computed(a.dtype, [&](auto tag) {
    return binary_table<typename decltype(tag)::type>(std::make_integer_sequence<int, int(Binary::greater_equal) + 1>{}, kind, a, b, out);
  });
}

// ---- one operand ----------------------------------------------------------------------------------------------------

template <Unary K, class C>
void unary_loop(UnaryArgs args, std::int64_t n, const C* x, C* y) {
  const UnaryOp<K> op{args};
  for (std::int64_t i = 0; i < n; ++i) y[i] = op(x[i]);
}

template <class C>
Kernel run_unary(UnaryLoop<C> body, UnaryArgs args, const Layout& x, const Layout& y) {
  cpu::StridedLoop<2> loop(x.shape, {x.strides, y.strides});
  const cpu::LoadTile<C> load = cpu::tile_loader<C>(x.dtype);
  const cpu::StoreTile<C> store = cpu::tile_storer<C>(y.dtype);
  return [=, type = x.dtype](void* const* p) {
    loop.run([&](const auto& at, const auto& step, std::int64_t n) {
      alignas(64) C tx[cpu::kTile], ty[cpu::kTile];
      const bool own = holds_computed(type);
      cpu::TileSource<C> from(type, load, p[0], at[0], step[0], own);
      cpu::TileTarget<C> to(type, store, p[1], at[1], step[1], own);
      for (std::int64_t i = 0; i < n; i += cpu::kTile) {
        const std::int64_t m = std::min(cpu::kTile, n - i);
        C* out = to.tile(i, ty);
        body(args, m, from.tile(i, m, tx), out);
        to.put(out, i, m);
      }
    });
  };
}

template <class C, Unary K>
constexpr UnaryLoop<C> unary_of() {
  if constexpr (kernels::is_complex_v<C> && !kernels::has_complex(K))
    return nullptr;
  else
    return unary_loop<K, C>;
}

template <class C, int... I>
UnaryLoop<C> unary_table(std::integer_sequence<int, I...>, Unary kind) {
  static constexpr UnaryLoop<C> table[] = {unary_of<C, Unary(I)>()...};
  return table[int(kind)];
}

template <class C>
UnaryLoop<C> best_unary(Unary kind) {
  if constexpr (std::is_same_v<C, float>)
    if (const auto range = activation_loops().of(kind)) return range;
  return unary_table<C>(std::make_integer_sequence<int, int(Unary::power) + 1>{}, kind);
}

Kernel make_unary(Unary kind, UnaryArgs args, const Layout& x, const Layout& y) {
  return dispatch_computed(x.dtype, [&](auto tag) -> Kernel {
    using C = typename decltype(tag)::type;
    if constexpr (std::is_same_v<C, std::int64_t>) {
      throw Error(ErrorKind::internal, "elementwise.integer", "unary ops are for floating point and complex types");
    } else {
      return run_unary<C>(best_unary<C>(kind), args, x, y);
    }
  });
}

// ---- choice ---------------------------------------------------------------------------------------------------------

/// Elements are moved, not computed: one version a size.
template <class Bytes>
Kernel where_of(const Layout& c, const Layout& a, const Layout& b, const Layout& out) {
  cpu::StridedLoop<4> loop(out.shape, {c.strides, a.strides, b.strides, out.strides});
  return [loop](void* const* p) {
    loop.run([&](const auto& at, const auto& s, std::int64_t n) {
      const bool* m = static_cast<const bool*>(p[0]) + at[0];
      const Bytes* x = static_cast<const Bytes*>(p[1]) + at[1];
      const Bytes* y = static_cast<const Bytes*>(p[2]) + at[2];
      Bytes* z = static_cast<Bytes*>(p[3]) + at[3];
      for (std::int64_t i = 0; i < n; ++i) z[i * s[3]] = m[i * s[0]] ? x[i * s[1]] : y[i * s[2]];
    });
  };
}

Kernel make_where(const Layout& c, const Layout& a, const Layout& b, const Layout& out) {
  return dispatch_size(a.dtype, [&](auto tag) { return where_of<typename decltype(tag)::type>(c, a, b, out); });
}

template <class C, int... I>
BinaryLoop<C> chained_table(std::integer_sequence<int, I...>, Binary kind) {
  static constexpr BinaryLoop<C> table[] = {binary_loop<Binary(I), C, C>...};
  return table[int(kind)];
}

}  // namespace

template <class C>
UnaryLoop<C> unary_loop_of(Unary kind) {
  return best_unary<C>(kind);
}

template <class C>
BinaryLoop<C> binary_loop_of(Binary kind) {
  if constexpr (std::is_same_v<C, float>)
    if (const auto gradient = activation_loops().of(kind)) return gradient;
  return chained_table<C>(std::make_integer_sequence<int, int(Binary::greater_equal) + 1>{}, kind);
}

template UnaryLoop<float> unary_loop_of<float>(Unary);
template UnaryLoop<double> unary_loop_of<double>(Unary);
template BinaryLoop<float> binary_loop_of<float>(Binary);
template BinaryLoop<double> binary_loop_of<double>(Binary);

KernelSlot<Binary, const Layout&, const Layout&, const Layout&> binary_kernel{"elementwise", make_binary};
KernelSlot<Unary, UnaryArgs, const Layout&, const Layout&> unary_kernel{"elementwise", make_unary};
KernelSlot<const Layout&, const Layout&, const Layout&, const Layout&> where_kernel{"where", make_where};

}  // namespace tenon
