#include "ops/copy.hpp"

#include <cstring>

#include "backend/cpu/strided.hpp"
#include "ops/convert.hpp"
#include "ops/dispatch.hpp"

namespace tenon {
namespace {

template <class From, class To> void copy_run(const From* from, std::int64_t from_step, To* to, std::int64_t to_step, std::int64_t n) {
  if (from_step == 1 && to_step == 1) {
    if constexpr (std::is_same_v<From, To>) {
      std::memcpy(static_cast<void*>(to), from, std::size_t(n) * sizeof(To));
    } else {
      for (std::int64_t i = 0; i < n; ++i) to[i] = convert<To>(from[i]);
    }
  } else {
    for (std::int64_t i = 0; i < n; ++i) to[i * to_step] = convert<To>(from[i * from_step]);
  }
}

Kernel make_copy(const Layout& from, const Layout& to) {
  return dispatch_all(from.dtype, [&](auto f) -> Kernel {
    using From = typename decltype(f)::type;
    return dispatch_all(to.dtype, [&](auto t) -> Kernel {
      using To = typename decltype(t)::type;
      cpu::StridedLoop<2> loop(from.shape, {from.strides, to.strides});
      return [loop](void* const* p) {
        loop.run([&](const auto& at, const auto& step, std::int64_t n) {
          copy_run(static_cast<const From*>(p[0]) + at[0], step[0], static_cast<To*>(p[1]) + at[1], step[1], n);
        });
      };
    });
  });
}

Kernel make_fill(const Layout& to, double value) {
  return dispatch_all(to.dtype, [&](auto t) -> Kernel {
    using To = typename decltype(t)::type;
    cpu::StridedLoop<1> loop(to.shape, {to.strides});
    return [loop, value = convert<To>(value)](void* const* p) {
      loop.run([&](const auto& at, const auto& step, std::int64_t n) {
        To* q = static_cast<To*>(p[0]) + at[0];
        for (std::int64_t i = 0; i < n; ++i) q[i * step[0]] = value;
      });
    };
  });
}

}  // namespace

KernelSlot<const Layout&, const Layout&> copy_kernel{"copy", make_copy};
KernelSlot<const Layout&, double> fill_kernel{"fill", make_fill};

void copy_strided(const Tensor& from, const Tensor& to) { launch("copy", {from}, {to}, copy_kernel(to.device(), Layout(from), Layout(to))); }
void fill_strided(const Tensor& to, double value) { launch("fill", {}, {to}, fill_kernel(to.device(), Layout(to), value)); }

}  // namespace tenon
