#include "backend/cpu/dense_product.hpp"

#include <memory>
#include <new>

#define TENON_ISA_FILE "backend/cpu/simd/dense_product.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon::cpu {
namespace {

constexpr std::int64_t kSmall = 96;  // rows and columns up to which operands stay where they lie
constexpr std::int64_t kSmallDepth = 256;
constexpr std::int64_t kFewDots = 32;                       // rows and columns of products of lines that are dense along the depth
constexpr std::int64_t kThinColumns = 32, kThinDepth = 64;  // of b that stays in L1 under any number of rows, which are read once or twice

/// Packed blocks, aligned to a cache line, one set a thread that ever multiplied; taken once.
template <class T>
struct Scratch {
  struct Free {
    void operator()(T* p) const { ::operator delete[](p, std::align_val_t(64)); }
  };
  std::unique_ptr<T[], Free> block{static_cast<T*>(::operator new[](std::size_t(kPackedA + kPackedB) * sizeof(T), std::align_val_t(64)))};
  T* a() { return block.get() + kPackedB; }
  T* b() { return block.get(); }
};

}  // namespace

template <class T>
void dense_product(const DenseProduct& g, const T* a, const T* b, T* c, Store store) {
  static const auto in_place = TENON_BY_ISA(product_in_place<T>);
  static const auto dots = TENON_BY_ISA(product_dots<T>);
  static const auto packed = TENON_BY_ISA(product_packed<T>);
  if (g.n == 1 && g.m > 1 && g.c_row == 1) {  // a column is the row of the transposed product
    DenseProduct turned{1, g.m, g.k, g.b_col, g.b_row, g.a_col, g.a_row, g.m};
    return dense_product(turned, b, a, c, store);
  }
  const bool small = g.m <= kSmall && g.n <= kSmall && g.k <= kSmallDepth;
  const bool thin = g.n <= kThinColumns && g.k <= kThinDepth;
  if (g.b_col == 1 && (g.m <= kFewRows || small || thin)) return in_place(g, a, b, c, store);
  const bool few_dots = g.m <= kFewDots && g.n <= kFewDots;
  if (g.b_row == 1 && g.a_col == 1 && (g.m <= kFewRows || few_dots)) return dots(g, a, b, c, store);
  thread_local Scratch<T> scratch;
  packed(g, a, b, c, store, scratch.a(), scratch.b());
}

template void dense_product(const DenseProduct&, const float*, const float*, float*, Store);
template void dense_product(const DenseProduct&, const double*, const double*, double*, Store);

template <class T>
void dense_products(const DenseProduct& g, std::int64_t count, const T* a, const std::int64_t* a_offset, const T* b,
                    const std::int64_t* b_offset, T* c) {
  static const auto many = TENON_BY_ISA(product_many<T>);
  DenseProduct turned{1, g.m, g.k, g.b_col, g.b_row, g.a_col, g.a_row, g.m};
  if (g.n == 1) return many(turned, count, b, b_offset, a, a_offset, c);
  many(g, count, a, a_offset, b, b_offset, c);
}

template void dense_products(const DenseProduct&, std::int64_t, const float*, const std::int64_t*, const float*, const std::int64_t*,
                             float*);
template void dense_products(const DenseProduct&, std::int64_t, const double*, const std::int64_t*, const double*, const std::int64_t*,
                             double*);

bool dense_products_pay(const DenseProduct& g) {
  return g.m <= kManyMost && g.k <= kManyMost && g.n <= kManyMost / 2;
}

bool dense_product_pays_f32(std::int64_t m, std::int64_t n, std::int64_t k) {
  return m <= kFewRows || (m <= kSmall && n <= kSmall && k <= kSmallDepth);
}

}  // namespace tenon::cpu
