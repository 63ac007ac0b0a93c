/// Factorisations of one dense matrix in f64, row major (private).
///
/// Written over dense_product: triangles, Cholesky and LU recurse by halves, so that nearly all their work is products
/// (Elmroth, Gustavson, Jonsson and Kagstrom 2004); reflectors are applied in blocks (Schreiber and Van Loan 1989).
/// Large products and triangles use all threads, cut by sizes alone; the rest runs on the caller's thread.
/// Matrices are pointers with the distance of their rows. Callers give the scratch: nothing here takes memory of its own but a
/// thread's packed blocks.
#pragma once

#include <cstdint>

#include "backend/cpu/dense_product.hpp"

namespace tenon::cpu::linalg {

/// dense_product, in tiles on all threads where it is large.
void product(const DenseProduct& g, const double* a, const double* b, double* c, Store store);

/// op(T) X = B in place, T [n, n] of any strides (the other triangle is never read), B [n, k] with rows `b_row` apart.
/// A transposed triangle is given by exchanging its strides and `upper`.
void solve_triangle(bool upper, bool unit, std::int64_t n, std::int64_t k, const double* t, std::int64_t t_row, std::int64_t t_col,
                    double* b, std::int64_t b_row);

/// The lower factor in place, from the lower triangle; what stands above the diagonal is set to 0.
/// Returns the order of the first leading minor that is not positive, or 0.
std::int64_t cholesky(std::int64_t n, double* a, std::int64_t a_row);

/// P A = L U in place with partial pivoting: step i exchanged rows i and pivots[i]. Returns the 1-based place of the first
/// pivot that is 0, or 0.
std::int64_t lu(std::int64_t n, double* a, std::int64_t a_row, std::int32_t* pivots);
/// A X = B or A^T X = B in place, from lu.
void lu_solve(bool transposed, std::int64_t n, std::int64_t k, const double* lu, const std::int32_t* pivots, double* b);

/// Reflectors H_i = I - tau_i v_i v_i^T, i < count, of order m. v_i is row i of `v`: zeros, then 1 at place i + offset, then the rest.
struct Reflectors {
  static constexpr std::int64_t kBlock = 32;
  std::int64_t m = 0, count = 0, offset = 0;
  double *v = nullptr, *tau = nullptr;  ///< [count, m], [count]
  double* block = nullptr;              ///< [kBlock, kBlock]
  double* scratch = nullptr;            ///< 2 [kBlock, columns] for the widest matrix they are applied to, and [kBlock, kBlock]

  static std::int64_t scratch_size(std::int64_t columns) { return kBlock * (2 * columns > kBlock ? 2 * columns : kBlock); }
  static std::int64_t size(std::int64_t m, std::int64_t count, std::int64_t columns) {
    return count * (m + 1) + kBlock * kBlock + scratch_size(columns);
  }
  Reflectors(std::int64_t order, std::int64_t number, std::int64_t first, std::int64_t columns, double*& memory);
};

/// Makes x [n] into v (v[0] = 1) and gives tau and beta with (I - tau v v^T) x = beta e_1.
double reflect(std::int64_t n, double* x, double& beta);
/// A [m, n] -> R in its upper triangle (below it: anything), reflectors with offset 0.
void qr(std::int64_t n, double* a, std::int64_t a_row, const Reflectors& h);
/// The first `columns` columns of H_0 H_1 ..., times `diagonal` [columns] where it is given: q [m, columns].
void form_q(const Reflectors& h, std::int64_t columns, const double* diagonal, double* q);
/// q [m, columns] -> H_0 H_1 ... q.
void apply_q(const Reflectors& h, std::int64_t columns, double* q);

/// A [m, n] / scale = Q R, the diagonal of R not negative: q [m, columns] (null: none), r [columns, n]; columns is min(m, n), or m.
void orthogonalise(std::int64_t m, std::int64_t n, std::int64_t columns, const double* a, double scale, double* q, double* r,
                   double* memory);
std::int64_t orthogonalise_size(std::int64_t m, std::int64_t n);

/// Sweeps of plane rotations of neighbouring rows, gathered and then applied a few columns at a time, which stay in the cache
/// for all of them. Row r becomes c r + s (r + 1), row r + 1 becomes c (r + 1) - s r.
class RotationQueue {
 public:
  static std::int64_t size(std::int64_t n) { return 8 * (2 * n + 2); }
  /// Of x [n, columns]; columns may be 0: then nothing is kept.
  RotationQueue(std::int64_t n, double* x, std::int64_t columns, double*& memory);
  void begin(std::int64_t first);
  void push(double c, double s) {
    if (columns_ > 0) *end_++ = c, *end_++ = s;
  }
  void finish();  ///< of a sweep
  void flush();
  /// At once: row i becomes c i + s j, row j becomes c j - s i.
  void rotate(std::int64_t i, std::int64_t j, double c, double s);

 private:
  std::int64_t n_, columns_;
  double *x_, *start_, *sweep_ = nullptr, *end_;
};

/// c, s and r with c x + s y = r, c y - s x = 0.
struct Rotation {
  double c, s, r;
  static Rotation of(double x, double y);
};

/// A symmetric (both triangles given; destroyed) -> eigenvalues ascending, eigenvectors as columns of v (null: none), the entry of
/// largest size of each positive. False when the iteration does not end.
bool eigh(std::int64_t n, double* a, double* w, double* v, double* memory);
std::int64_t eigh_size(std::int64_t n);
/// A [m, n] = U diag(s) Vh, k = min(m, n): u [m, k], s descending, vh [k, n], the entry of largest size of each column of u positive.
/// u and vh null: the values alone.
bool svd(std::int64_t m, std::int64_t n, const double* a, double* u, double* s, double* vh, double* memory);
std::int64_t svd_size(std::int64_t m, std::int64_t n);

// ---- small helpers ---------------------------------------------------------------------------------------------------

/// A power of two near the largest size of the n values; 1 when all are 0, NaN when one is not finite.
double magnitude(std::int64_t n, const double* x);
/// y [n] -= sum of f[i] times line i of x, `count` lines `stride` apart.
void subtract_lines(std::int64_t n, std::int64_t count, const double* f, const double* x, std::int64_t stride, double* y);
void copy(std::int64_t n, const double* from, double* to);
/// to = from / scale, a power of two; they may be the same.
void divide(std::int64_t n, const double* from, double scale, double* to);
void transpose(std::int64_t rows, std::int64_t columns, const double* from, std::int64_t from_row, double* to, std::int64_t to_row);
/// Negates the line unless its first entry of largest size is positive; whether it did.
bool make_largest_positive(std::int64_t n, double* line);
double* take(double*& memory, std::int64_t n);

}  // namespace tenon::cpu::linalg
