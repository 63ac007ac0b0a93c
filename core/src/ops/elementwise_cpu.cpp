#include "backend/cpu/strided.hpp"
#include "ops/activation_loops.hpp"
#include "ops/dispatch.hpp"
#include "ops/elementwise.hpp"

namespace tenon {
namespace {

using kernels::Binary;
using kernels::BinaryOp;
using kernels::Computed;
using kernels::Unary;
using kernels::UnaryArgs;
using kernels::UnaryOp;

template <class Op, class T, class Out> Kernel binary_loop(const Layout& a, const Layout& b, const Layout& out) {
  cpu::StridedLoop<3> loop(out.shape, {a.strides, b.strides, out.strides});
  return [loop](void* const* p) {
    loop.run([&](const auto& at, const auto& step, std::int64_t n) {
      using C = Computed<T>;
      const T* x = static_cast<const T*>(p[0]) + at[0];
      const T* y = static_cast<const T*>(p[1]) + at[1];
      Out* z = static_cast<Out*>(p[2]) + at[2];
      Op op;
      if (step[0] == 1 && step[1] == 1 && step[2] == 1) {
        for (std::int64_t i = 0; i < n; ++i) z[i] = Out(op(C(x[i]), C(y[i])));
      } else if (step[0] == 1 && step[1] == 0 && step[2] == 1) {
        const C v = C(y[0]);
        for (std::int64_t i = 0; i < n; ++i) z[i] = Out(op(C(x[i]), v));
      } else {
        for (std::int64_t i = 0; i < n; ++i) z[i * step[2]] = Out(op(C(x[i * step[0]]), C(y[i * step[1]])));
      }
    });
  };
}

template <Binary K> Kernel binary_of_kind(const Layout& a, const Layout& b, const Layout& out) {
  return dispatch_all(a.dtype, [&](auto t) -> Kernel {
    using T = typename decltype(t)::type;
    if constexpr (kernels::is_comparison(K)) return binary_loop<BinaryOp<K>, T, bool>(a, b, out);
    else return binary_loop<BinaryOp<K>, T, T>(a, b, out);
  });
}

/// Of gradients of activations, which no integer has.
template <Binary K> Kernel floating_binary(const Layout& a, const Layout& b, const Layout& out) {
  return dispatch_floating("elementwise", a.dtype, [&](auto t) -> Kernel {
    using T = typename decltype(t)::type;
    return binary_loop<BinaryOp<K>, T, T>(a, b, out);
  });
}

bool dense(const Layout& x) { return x.strides == x.shape.contiguous_strides(); }
constexpr std::int64_t kDenseBlock = 8192;  // elements a task, where the arithmetic is dear

Kernel gelu_gradient(const Layout& x, const Layout& d, const Layout& out) {
  if (x.dtype != DType::f32 || !dense(x) || !dense(d) || !dense(out)) return floating_binary<Binary::gelu_gradient>(x, d, out);
  return [loop = activation_loops().gelu_gradient, n = x.shape.numel()](void* const* p) {
    parallel_blocks(n, kDenseBlock, [&](std::int64_t begin, std::int64_t end) {
      loop(end - begin, static_cast<const float*>(p[0]) + begin, static_cast<const float*>(p[1]) + begin, static_cast<float*>(p[2]) + begin);
    });
  };
}

Kernel make_binary(Binary kind, const Layout& a, const Layout& b, const Layout& out) {
  switch (kind) {
    case Binary::add: return binary_of_kind<Binary::add>(a, b, out);
    case Binary::sub: return binary_of_kind<Binary::sub>(a, b, out);
    case Binary::mul: return binary_of_kind<Binary::mul>(a, b, out);
    case Binary::div: return binary_of_kind<Binary::div>(a, b, out);
    case Binary::maximum: return binary_of_kind<Binary::maximum>(a, b, out);
    case Binary::minimum: return binary_of_kind<Binary::minimum>(a, b, out);
    case Binary::pow: return binary_of_kind<Binary::pow>(a, b, out);
    case Binary::atan2: return binary_of_kind<Binary::atan2>(a, b, out);
    case Binary::relu_gradient: return floating_binary<Binary::relu_gradient>(a, b, out);
    case Binary::gelu_gradient: return gelu_gradient(a, b, out);
    case Binary::not_equal: return binary_of_kind<Binary::not_equal>(a, b, out);
    case Binary::less_equal: return binary_of_kind<Binary::less_equal>(a, b, out);
    case Binary::greater_equal: return binary_of_kind<Binary::greater_equal>(a, b, out);
    case Binary::equal: return binary_of_kind<Binary::equal>(a, b, out);
    case Binary::less: return binary_of_kind<Binary::less>(a, b, out);
    case Binary::greater: return binary_of_kind<Binary::greater>(a, b, out);
  }
  throw Error(ErrorKind::internal, "elementwise.kind", "unknown binary op");
}

template <Unary K> Kernel unary_of_kind(UnaryArgs args, const Layout& x, const Layout& y) {
  return dispatch_floating("elementwise", x.dtype, [&](auto t) -> Kernel {
    using T = typename decltype(t)::type;
    cpu::StridedLoop<2> loop(x.shape, {x.strides, y.strides});
    return [loop, op = UnaryOp<K>{args}](void* const* p) {
      loop.run([&](const auto& at, const auto& step, std::int64_t n) {
        using C = Computed<T>;
        const T* a = static_cast<const T*>(p[0]) + at[0];
        T* z = static_cast<T*>(p[1]) + at[1];
        if (step[0] == 1 && step[1] == 1) {
          for (std::int64_t i = 0; i < n; ++i) z[i] = T(op(C(a[i])));
        } else {
          for (std::int64_t i = 0; i < n; ++i) z[i * step[1]] = T(op(C(a[i * step[0]])));
        }
      });
    };
  });
}

/// Finds the kind among all of them at compile time.
template <int... I> Kernel unary_table(std::integer_sequence<int, I...>, Unary kind, UnaryArgs args, const Layout& x, const Layout& y) {
  using Make = Kernel (*)(UnaryArgs, const Layout&, const Layout&);
  static constexpr Make table[] = {unary_of_kind<Unary(I)>...};
  return table[int(kind)](args, x, y);
}

Kernel make_unary(Unary kind, UnaryArgs args, const Layout& x, const Layout& y) {
  if (kind == Unary::gelu && x.dtype == DType::f32 && dense(x) && dense(y)) {
    return [loop = activation_loops().gelu, n = x.shape.numel()](void* const* p) {
      parallel_blocks(n, kDenseBlock, [&](std::int64_t begin, std::int64_t end) {
        loop(end - begin, static_cast<const float*>(p[0]) + begin, static_cast<float*>(p[1]) + begin);
      });
    };
  }
  return unary_table(std::make_integer_sequence<int, int(Unary::power) + 1>{}, kind, args, x, y);
}

Kernel make_where(const Layout& c, const Layout& a, const Layout& b, const Layout& out) {
  return dispatch_all(a.dtype, [&](auto t) -> Kernel {
    using T = typename decltype(t)::type;
    cpu::StridedLoop<4> loop(out.shape, {c.strides, a.strides, b.strides, out.strides});
    return [loop](void* const* p) {
      loop.run([&](const auto& at, const auto& s, std::int64_t n) {
        const bool* m = static_cast<const bool*>(p[0]) + at[0];
        const T* x = static_cast<const T*>(p[1]) + at[1];
        const T* y = static_cast<const T*>(p[2]) + at[2];
        T* z = static_cast<T*>(p[3]) + at[3];
        for (std::int64_t i = 0; i < n; ++i) z[i * s[3]] = m[i * s[0]] ? x[i * s[1]] : y[i * s[2]];
      });
    };
  });
}

}  // namespace

KernelSlot<Binary, const Layout&, const Layout&, const Layout&> binary_kernel{"elementwise", make_binary};
KernelSlot<Unary, UnaryArgs, const Layout&, const Layout&> unary_kernel{"elementwise", make_unary};
KernelSlot<const Layout&, const Layout&, const Layout&, const Layout&> where_kernel{"where", make_where};

}  // namespace tenon
