/// Elementwise ops on the CPU: one short loop an op and computed type, driven over tiles of any stored type and stride.
#include "backend/cpu/strided.hpp"
#include "backend/cpu/tiles.hpp"
#include "ops/activation_loops.hpp"
#include "ops/dispatch.hpp"
#include "ops/elementwise.hpp"
#include "ops/elementwise_loops.hpp"
#include "ops/elementwise_ranges.hpp"

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

// ---- two operands ---------------------------------------------------------------------------------------------------

template <class C, class Out>
using Loop2 = void (*)(std::int64_t n, const C* x, const C* y, Out* z);

template <Binary K, class C, class Out>
void binary_loop(std::int64_t n, const C* x, const C* y, Out* z) {
  BinaryOp<K> op;
  for (std::int64_t i = 0; i < n; ++i) z[i] = op(x[i], y[i]);
}

/// `Out`: bool for comparisons, else C. C may be the stored type itself.
template <class C, class Out>
Kernel run_binary(Loop2<C, Out> body, cpu::LoadTile<C> load, cpu::StoreTile<Out> store, bool own, const Layout& a, const Layout& b, const Layout& out) {
  cpu::StridedLoop<3> loop(out.shape, {a.strides, b.strides, out.strides});
  return [=, in = a.dtype, to = out.dtype](void* const* p) {
    loop.run_blocks([&](const cpu::Block<3>& block) {
      alignas(64) C tx[cpu::kTile], ty[cpu::kTile];
      alignas(64) Out tz[cpu::kTile];
      cpu::TileSource<C> x(in, load, p[0], block.at[0], block.lines(0), own), y(in, load, p[1], block.at[1], block.lines(1), own);
      const cpu::TileTarget<Out> z(to, store, p[2], block.at[2], block.lines(2), own || !std::is_same_v<Out, C>);
      const bool in_place = x.in_place() && y.in_place() && z.in_place();
      const std::int64_t count = block.count(), cut = in_place ? count : block.lines(0).cut(cpu::kTile);
      for (std::int64_t i = 0; i < count; i += cut) {
        const std::int64_t m = std::min(cut, count - i);
        const C *from_x = x.tile(i, m, tx), *from_y = y.tile(i, m, ty);
        Out* to_z = z.tile(i, tz);
        body(m, from_x, from_y, to_z);
        z.put(to_z, i, m);
      }
    });
  };
}

template <class C, class Out>
Kernel run_computed(Loop2<C, Out> body, const Layout& a, const Layout& b, const Layout& out) {
  cpu::StoreTile<Out> store = cpu::scatter_tile<Out>;
  if constexpr (std::is_same_v<Out, C>) store = cpu::tile_storer<C>(out.dtype);
  return run_binary<C, Out>(body, cpu::tile_loader<C>(a.dtype), store, cpu::is_computed(a.dtype), a, b, out);
}

template <Binary K, class C>
Kernel binary_of(const Layout& a, const Layout& b, const Layout& out) {
  if constexpr (kernels::is_complex_v<C> && !kernels::has_complex(K)) {
    throw Error(ErrorKind::internal, "elementwise.complex", "no complex version of binary op " + std::to_string(int(K)));
  } else if constexpr (kernels::is_comparison(K)) {
    if constexpr (std::is_same_v<C, float>) return run_computed<C, bool>(compare_range_of<C>(K), a, b, out);
    return run_computed<C, bool>(binary_loop<K, C, bool>, a, b, out);
  } else {
    if constexpr (std::is_floating_point_v<C>)
      if (const BinaryLoop<C> fast = fast_loop<C>(K)) return run_computed<C, C>(fast, a, b, out);
    if constexpr (std::is_same_v<C, float>)
      if (const auto range = binary_range_of<C>(K)) return run_computed<C, C>(range, a, b, out);
    return run_computed<C, C>(binary_loop<K, C, C>, a, b, out);
  }
}

/// Finds the kind among all of them at compile time.
template <class C, int... I>
Kernel binary_table(std::integer_sequence<int, I...>, Binary kind, const Layout& a, const Layout& b, const Layout& out) {
  using Make = Kernel (*)(const Layout&, const Layout&, const Layout&);
  static constexpr Make table[] = {binary_of<Binary(I), C>...};
  return table[int(kind)](a, b, out);
}

/// Rows where they lie; none where they are dense, or short and go in whole tiles. f16, which has no other loop without a tile, may be
/// dense.
template <class T>
Kernel run_rows(RowsLoop<T> body, const Layout& a, const Layout& b, const Layout& out) {
  cpu::StridedLoop<3> loop(out.shape, {a.strides, b.strides, out.strides}, cpu::kRun / 2 + 1);
  const auto [x_step, y_step, z_step] = loop.steps();
  const auto one_or_none = [](std::int64_t step) { return step == 0 || step == 1; };
  const bool moves = x_step + y_step == 2, lines = one_or_none(x_step) && one_or_none(y_step) && x_step + y_step > 0 && z_step == 1;
  if (!lines || loop.row_length() < (moves ? cpu::kShortRow : cpu::kDenseRow)) return nullptr;
  if (moves && !loop.has_rows() && !std::is_same_v<T, f16>) return nullptr;
  return [=](void* const* p) {
    const T *x = static_cast<const T*>(p[0]), *y = static_cast<const T*>(p[1]);
    T* z = static_cast<T*>(p[2]);
    loop.run_blocks([&](const cpu::Block<3>& k) {
      body({k.rows, k.n, x + k.at[0], y + k.at[1], z + k.at[2], k.step[0], k.step[1], k.row_step[0], k.row_step[1], k.row_step[2]});
    });
  };
}

/// In the stored type; none for ops and types without such loops.
Kernel make_stored(Binary kind, const Layout& a, const Layout& b, const Layout& out) {
  if (is_complex(a.dtype)) return nullptr;
  return dispatch_all(a.dtype, [&](auto tag) -> Kernel {
    using Stored = typename decltype(tag)::type;
    using T = std::conditional_t<std::is_same_v<Stored, bool>, std::uint8_t, Stored>;
    if constexpr (std::is_floating_point_v<T> || std::is_same_v<T, f16>)
      if (const auto rows = binary_rows_of<T>(kind))
        if (Kernel kernel = run_rows<T>(rows, a, b, out)) return kernel;
    if constexpr (!std::is_same_v<Stored, f16>) {
      if constexpr (std::is_same_v<Stored, bool>) {  // 0 and 1, and any number but 0 is 1
        if (kind == Binary::add) kind = Binary::maximum;
        if (kind == Binary::sub) kind = Binary::not_equal;
      }
      const cpu::LoadTile<T> load = cpu::gather_tile<T>;
      if (const auto compare = compare_range_of<T>(kind)) return run_binary<T, bool>(compare, load, cpu::scatter_tile<bool>, true, a, b, out);
      if (const auto range = binary_range_of<T>(kind)) return run_binary<T, T>(range, load, cpu::scatter_tile<T>, true, a, b, out);
    }
    return nullptr;
  });
}

Kernel make_binary(Binary kind, const Layout& a, const Layout& b, const Layout& out) {
  if (Kernel stored = make_stored(kind, a, b, out)) return stored;
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
Kernel run_unary(UnaryLoop<C> body, cpu::LoadTile<C> load, cpu::StoreTile<C> store, bool own, UnaryArgs args, const Layout& x, const Layout& y) {
  cpu::StridedLoop<2> loop(x.shape, {x.strides, y.strides});
  return [=, type = x.dtype](void* const* p) {
    loop.run_blocks([&](const cpu::Block<2>& block) {
      alignas(64) C tx[cpu::kTile], ty[cpu::kTile];
      cpu::TileSource<C> from(type, load, p[0], block.at[0], block.lines(0), own);
      const cpu::TileTarget<C> to(type, store, p[1], block.at[1], block.lines(1), own);
      const std::int64_t count = block.count(), cut = from.in_place() && to.in_place() ? count : block.lines(0).cut(cpu::kTile);
      for (std::int64_t i = 0; i < count; i += cut) {
        const std::int64_t m = std::min(cut, count - i);
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
  if constexpr (std::is_floating_point_v<C>)
    if (const auto fast = fast_loop<C>(kind)) return fast;
  if constexpr (!kernels::is_complex_v<C>)
    if (const auto range = unary_range_of<C>(kind)) return range;
  return unary_table<C>(std::make_integer_sequence<int, int(Unary::power) + 1>{}, kind);
}

Kernel make_unary(Unary kind, UnaryArgs args, const Layout& x, const Layout& y) {
  if (x.dtype == DType::bf16)
    if (const auto range = unary_range_of<bf16>(kind)) return run_unary<bf16>(range, cpu::gather_tile<bf16>, cpu::scatter_tile<bf16>, true, args, x, y);
  return dispatch_computed(x.dtype, [&](auto tag) -> Kernel {
    using C = typename decltype(tag)::type;
    if constexpr (std::is_same_v<C, std::int64_t>) {
      throw Error(ErrorKind::internal, "elementwise.integer", "unary ops are for floating point and complex types");
    } else {
      return run_unary<C>(best_unary<C>(kind), cpu::tile_loader<C>(x.dtype), cpu::tile_storer<C>(y.dtype), cpu::is_computed(x.dtype), args, x, y);
    }
  });
}

// ---- choice ---------------------------------------------------------------------------------------------------------

/// Elements are moved, not computed: one version a size.
template <class Bytes>
Kernel where_of(const Layout& c, const Layout& a, const Layout& b, const Layout& out) {
  cpu::StridedLoop<4> loop(out.shape, {c.strides, a.strides, b.strides, out.strides});
  return [=, choose = choice_range<Bytes>(), type = a.dtype](void* const* p) {
    loop.run_blocks([&](const cpu::Block<4>& block) {
      alignas(64) bool tm[cpu::kTile];
      alignas(64) Bytes tx[cpu::kTile], ty[cpu::kTile], tz[cpu::kTile];
      cpu::TileSource<bool> condition(DType::boolean, cpu::gather_tile<bool>, p[0], block.at[0], block.lines(0), true);
      cpu::TileSource<Bytes> x(type, cpu::gather_tile<Bytes>, p[1], block.at[1], block.lines(1), true), y(type, cpu::gather_tile<Bytes>, p[2], block.at[2], block.lines(2), true);
      const cpu::TileTarget<Bytes> z(type, cpu::scatter_tile<Bytes>, p[3], block.at[3], block.lines(3), true);
      const std::int64_t cut = block.lines(0).cut(cpu::kTile), count = block.count();
      for (std::int64_t i = 0; i < count; i += cut) {
        const std::int64_t m = std::min(cut, count - i);
        Bytes* to = z.tile(i, tz);
        choose(m, condition.tile(i, m, tm), x.tile(i, m, tx), y.tile(i, m, ty), to);
        z.put(to, i, m);
      }
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
  if (const auto fast = fast_loop<C>(kind)) return fast;
  if (const auto range = binary_range_of<C>(kind)) return range;
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
