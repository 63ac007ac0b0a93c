/// The CPU kernels of softmax: blocks of rows, or of columns, in parallel; of long rows, pieces.
#include <algorithm>
#include <vector>

#include "ops/dispatch.hpp"
#include "ops/softmax_columns_kernels.hpp"
#include "ops/softmax_kernels.hpp"

#define TENON_ISA_FILE "ops/simd/softmax.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon {
namespace {

constexpr std::int64_t kElements = 16384;  ///< of a task, about
constexpr std::int64_t kPiece = 65536;     ///< of a long row: read again while it is in the second-level cache

std::int64_t rows_a_task(const SoftmaxRows& p) {
  const std::int64_t rows = kElements / p.classes;
  return p.classes > isa_base::kFewClasses ? std::max<std::int64_t>(1, rows) : rows / 64 * 64;
}

/// The largest of a row, or of a piece of it, and the sum of the exponentials from there.
template <class A>
struct ExpSum {
  A top, sum;
};
template <class A>
ExpSum<A> joined(const ExpSum<A>* parts, std::int64_t n) {
  ExpSum<A> all = parts[0];
  for (std::int64_t k = 1; k < n; ++k) all.top = std::max(all.top, parts[k].top);
  all.sum = 0;
  for (std::int64_t k = 0; k < n; ++k) all.sum += parts[k].sum * std::exp(parts[k].top - all.top);
  return all;
}

/// Rows of two pieces or more, the last as long as what is left.
template <class T, bool Log>
void long_rows(const SoftmaxRows& p, const T* x, T* y) {
  using A = Acc<T>;
  const auto sum = TENON_BY_ISA(softmax_piece_sum<T>);
  const auto write = TENON_BY_ISA(softmax_piece<T, Log>);
  const std::int64_t pieces = p.classes / kPiece;
  const auto length = [&](std::int64_t k) { return k + 1 < pieces ? kPiece : p.classes - k * kPiece; };
  std::vector<ExpSum<A>> parts(std::size_t(p.rows * pieces));
  parallel_for(p.rows * pieces, [&](std::int64_t i) {
    const std::int64_t k = i % pieces;
    sum(x + i / pieces * p.classes + k * kPiece, length(k), &parts[std::size_t(i)].top, &parts[std::size_t(i)].sum);
  });
  parallel_for(p.rows * pieces, [&](std::int64_t i) {
    i = p.rows * pieces - 1 - i;  // backwards: the pass before has left the end in the cache
    const std::int64_t k = i % pieces, at = i / pieces * p.classes + k * kPiece;
    const ExpSum<A> all = joined(&parts[std::size_t(i / pieces * pieces)], pieces);
    const A nan = std::numeric_limits<A>::quiet_NaN();
    write(x + at, y + at, length(k), all.top, all.sum != all.sum ? nan : Log ? std::log(all.sum) : A(1) / all.sum);
  });
}

/// Memory of one task, on its thread; kept, so that a repeated step takes none.
template <class A>
A* task_memory(std::int64_t elements) {
  thread_local std::vector<A> memory;
  if (std::int64_t(memory.size()) < elements) memory.resize(std::size_t(elements));
  return memory.data();
}

/// body(first element, columns, memory for `widths` of them) in parallel.
template <class A, class Body>
void for_columns(const SoftmaxColumns& p, std::int64_t widths, const Body& body) {
  const std::int64_t width = isa_base::kColumns, groups = (p.stride + width - 1) / width;
  parallel_blocks(p.blocks * groups, std::max<std::int64_t>(1, kElements / (width * p.classes)), [&](std::int64_t begin, std::int64_t end) {
    A* kept = task_memory<A>(p.classes * width * widths);
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t first = i % groups * width;
      body(i / groups * p.classes * p.stride + first, std::min(width, p.stride - first), kept);
    }
  });
}

template <class T>
Kernel columns_forward(const SoftmaxColumns& p) {
  const auto loop = p.log ? TENON_BY_ISA(softmax_columns<T, true>) : TENON_BY_ISA(softmax_columns<T, false>);
  return [p, loop](void* const* o) {
    const T* x = static_cast<const T*>(o[0]);
    T* y = static_cast<T*>(o[1]);
    for_columns<Acc<T>>(
        p, 1, [&](std::int64_t at, std::int64_t columns, Acc<T>* kept) { loop(x + at, y + at, p.classes, columns, p.stride, kept); });
  };
}

template <class T>
Kernel columns_gradient(const SoftmaxColumns& p) {
  const auto loop = p.log ? TENON_BY_ISA(softmax_gradient_columns<T, true>) : TENON_BY_ISA(softmax_gradient_columns<T, false>);
  return [p, loop](void* const* o) {
    const T *y = static_cast<const T*>(o[0]), *dy = static_cast<const T*>(o[1]);
    T* dx = static_cast<T*>(o[2]);
    for_columns<Acc<T>>(p, 2, [&](std::int64_t at, std::int64_t columns, Acc<T>* kept) {
      loop(y + at, dy + at, dx + at, p.classes, columns, p.stride, kept);
    });
  };
}

template <class T>
Kernel forward(const SoftmaxRows& p) {
  auto loop = p.log ? TENON_BY_ISA(softmax_rows<T, true>) : TENON_BY_ISA(softmax_rows<T, false>);
  return [p, loop](void* const* o) {
    const T* x = static_cast<const T*>(o[0]);
    T* y = static_cast<T*>(o[1]);
    if (p.classes >= 2 * kPiece) return (p.log ? long_rows<T, true> : long_rows<T, false>)(p, x, y);
    parallel_blocks(p.rows, rows_a_task(p), [&](std::int64_t begin, std::int64_t end) {
      loop(x + begin * p.classes, y + begin * p.classes, end - begin, p.classes);
    });
  };
}

template <class T>
Kernel gradient(const SoftmaxRows& p) {
  auto loop = p.log ? TENON_BY_ISA(softmax_gradient_rows<T, true>) : TENON_BY_ISA(softmax_gradient_rows<T, false>);
  return [p, loop](void* const* o) {
    const T *y = static_cast<const T*>(o[0]), *dy = static_cast<const T*>(o[1]);
    T* dx = static_cast<T*>(o[2]);
    parallel_blocks(p.rows, rows_a_task(p), [&](std::int64_t begin, std::int64_t end) {
      std::int64_t at = begin * p.classes;
      loop(y + at, dy + at, dx + at, end - begin, p.classes);
    });
  };
}

}  // namespace

KernelSlot<const SoftmaxRows&> softmax_kernel("softmax", [](const SoftmaxRows& p) -> Kernel {
  return dispatch_floating("softmax", p.dtype, [&](auto tag) -> Kernel { return forward<typename decltype(tag)::type>(p); });
});
KernelSlot<const SoftmaxRows&> softmax_gradient_kernel("softmax.gradient", [](const SoftmaxRows& p) -> Kernel {
  return dispatch_floating("softmax", p.dtype, [&](auto tag) -> Kernel { return gradient<typename decltype(tag)::type>(p); });
});
KernelSlot<const SoftmaxColumns&> softmax_columns_kernel("softmax", [](const SoftmaxColumns& p) -> Kernel {
  return dispatch_floating("softmax", p.dtype, [&](auto tag) -> Kernel { return columns_forward<typename decltype(tag)::type>(p); });
});
KernelSlot<const SoftmaxColumns&> softmax_columns_gradient_kernel("softmax.gradient", [](const SoftmaxColumns& p) -> Kernel {
  return dispatch_floating("softmax", p.dtype, [&](auto tag) -> Kernel { return columns_gradient<typename decltype(tag)::type>(p); });
});

}  // namespace tenon
