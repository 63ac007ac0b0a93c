/// One matrix product on one thread, for any strides: the loops under f64 products, small f32 products and the
/// factorisations (private).
///
/// Every element is a sum over the depth in one order that depends on k and on which of the paths below is taken, and that
/// depends on m, n, k and the strides alone. Three paths: products with few rows read b once and in place; small ones, and
/// tall ones with a small b, run the register block over the operands where they lie; large ones pack blocks of both (Goto
/// and van de Geijn 2008).
#pragma once

#include <cstdint>

namespace tenon::cpu {

/// Sizes, and strides in elements; c is row major with rows `c_row` apart and must not overlap a or b.
struct DenseProduct {
  std::int64_t m = 0, n = 0, k = 0;
  std::int64_t a_row = 0, a_col = 0, b_row = 0, b_col = 0, c_row = 0;
};

/// Up to so many rows b is read where it lies: packing it would cost as much as the product.
inline constexpr std::int64_t kFewRows = 3;

enum class Store { set, add, subtract };  ///< c = ab, c += ab, c -= ab

/// T: float or double.
template <class T>
void dense_product(const DenseProduct& g, const T* a, const T* b, T* c, Store store);

/// Many products of one small shape (g, c dense): matrix i at a + a_offset[i] and b + b_offset[i], c's one after the other.
template <class T>
void dense_products(const DenseProduct& g, std::int64_t count, const T* a, const std::int64_t* a_offset, const T* b,
                    const std::int64_t* b_offset, T* c);
/// Whether they are faster so than one by one.
bool dense_products_pay(const DenseProduct& g);

/// Whether a product this small is faster here than through the library's sgemm.
bool dense_product_pays_f32(std::int64_t m, std::int64_t n, std::int64_t k);

// ---- what the loops of each instruction set share ------------------------------------------------------------------

inline constexpr std::int64_t kManyMost = 32;      ///< rows, columns and depth of dense_products, at most
inline constexpr std::int64_t kDepthBlock = 192;   ///< depth of packed blocks: a panel of b stays in the L1 cache
inline constexpr std::int64_t kRowBlock = 132;     ///< rows of a packed block of a, which stays in L2: a multiple of 6 and 12
inline constexpr std::int64_t kColumnBlock = 512;  ///< columns of a packed block of b: a multiple of every panel
/// Elements of scratch that the packed path needs: a block of a and one of b.
inline constexpr std::int64_t kPackedA = kRowBlock * kDepthBlock, kPackedB = kColumnBlock * kDepthBlock;

}  // namespace tenon::cpu
