/// Linear algebra of matrices on the last two axes; all leading axes are a batch: [..., m, n].
///
/// f32 and f64; computed in f64 either way, so that f32 results are right to their last digits and one set of kernels serves
/// both (docs/decisions.md). Everything is differentiable any number of times unless said otherwise; results are the same bits for any
/// thread count. Calls of a wrong shape or type throw a usage error. What depends on values is found when the kernel runs, also in a
/// recorded step: ErrorKind::data with code linalg.singular, linalg.not_positive_definite or linalg.not_converged, naming the
/// matrix by its place in the batch. A matrix has at least one row and one column; a batch may be empty.
#pragma once

#include <optional>

#include "tenon/tensor.hpp"

namespace tenon::linalg {

// ---- triangles and systems (ops/linalg_solve.cpp) ----------------------------------------------------------------
/// Lower L with L L^T = a, for symmetric positive definite a [..., n, n], whose lower triangle alone is read; what stands above
/// L's diagonal is 0. The gradient is symmetric (Murray 2016, "Differentiation of the Cholesky decomposition").
TENON_API Tensor cholesky(const Tensor& a);

struct Triangle {
  bool upper = false;       ///< the upper triangle of t is read, else the lower; the other one never is
  bool transposed = false;  ///< solves t^T x = b
  bool unit = false;        ///< the diagonal counts as ones and is not read
};
/// x with t x = b: t [..., n, n], b [..., n, k] -> [..., n, k]; batches broadcast. A zero on the diagonal is an error.
TENON_API Tensor triangular_solve(const Tensor& t, const Tensor& b, const Triangle& triangle = {});
/// x with l l^T x = b, l from cholesky.
TENON_API Tensor cholesky_solve(const Tensor& l, const Tensor& b);

/// x with a x = b, by LU with partial pivoting: a [..., n, n], b [..., n, k], or a vector [n]; batches broadcast.
TENON_API Tensor solve(const Tensor& a, const Tensor& b);
TENON_API Tensor inv(const Tensor& a);
/// [..., n, n] -> [...]. 0 for a singular matrix, whose gradient is an error.
TENON_API Tensor det(const Tensor& a);
/// det = sign exp(log_abs): sign -1, 0 or 1, without gradient, and log_abs, -infinity for a singular matrix.
struct SignLogDet {
  Tensor sign, log_abs;
};
TENON_API SignLogDet slogdet(const Tensor& a);

// ---- orthogonal and spectral decompositions (ops/linalg_spectral.cpp) ---------------------------------------------
/// a [..., m, n] = q r with q^T q = 1, r upper triangular with a diagonal that is not negative: unique for full rank. Reduced: q [..., m,
/// k], r [..., k, n], k = min(m, n). Complete: q [..., m, m], r [..., m, n]; for m > n without gradient. Gradients need full rank (Seeger
/// et al. 2017, "Auto-differentiating linear algebra"; wide a: Roberts and Roberts 2020).
struct QR {
  Tensor q, r;
};
enum class QRMode { reduced, complete };
TENON_API QR qr(const Tensor& a, QRMode mode = QRMode::reduced);

/// a [..., m, n] = u diag(s) vh: u [..., m, k], s [..., k] descending and not negative, vh [..., k, n], k = min(m, n). Of each column of
/// u the entry of largest size, the first among equals, is positive. (Golub and Reinsch 1970.) Gradients: Townsend 2016, "Differentiating
/// the singular value decomposition". Vectors of equal singular values are not unique: gradients through them hold only for functions that
/// do not depend on the choice; use singular_values where the values are all you need.
struct SVD {
  Tensor u, s, vh;
};
TENON_API SVD svd(const Tensor& a);
TENON_API Tensor singular_values(const Tensor& a);

/// Symmetric a [..., n, n] = v diag(w) v^T, of which both triangles are averaged: w [..., n] ascending, eigenvectors in the columns of v,
/// the entry of largest size of each, the first among equals, positive. Gradients: Giles 2008, "Collected matrix derivative results"; equal
/// eigenvalues as in svd.
struct Eigh {
  Tensor w, v;
};
TENON_API Eigh eigh(const Tensor& a);
TENON_API Tensor eigvalsh(const Tensor& a);

/// The pseudo-inverse [..., n, m]; singular values up to rcond times the largest count as 0. Default: max(m, n) epsilon of a's type.
/// Its gradient supposes that the rank does not change nearby (Golub and Pereyra 1973).
TENON_API Tensor pinv(const Tensor& a, std::optional<double> rcond = {});
/// x [..., n, k] of least |a x - b|, and of least |x| among those: a [..., m, n], b [..., m, k]; batches broadcast. Without rcond by QR,
/// and a must have full rank, else linalg.singular; with it through pinv, for any rank.
TENON_API Tensor lstsq(const Tensor& a, const Tensor& b, std::optional<double> rcond = {});

enum class MatrixNorm {
  frobenius,  ///< root of the sum of squares
  nuclear,    ///< sum of the singular values
  spectral    ///< the largest singular value
};
/// [..., m, n] -> [...]. Of a zero matrix, which has no gradient, Frobenius's is given as 0 and the others' as one of their subgradients, u v^T
/// with the vectors that svd gives.
TENON_API Tensor matrix_norm(const Tensor& a, MatrixNorm kind = MatrixNorm::frobenius);

// ---- functions of matrices (ops/linalg_functions.cpp) --------------------------------------------------------------
/// a^n by repeated squaring; n < 0 is the power of the inverse, n = 0 the identity.
TENON_API Tensor matrix_power(const Tensor& a, std::int64_t n);
/// Exponential, by scaling and squaring with the Pade approximant of degree 13 (Higham 2005). The gradient is the exponential of a
/// block triangular matrix of twice the size (Mathias 1996).
TENON_API Tensor matrix_exp(const Tensor& a);
/// lower_weight, diagonal_weight or upper_weight times x [..., m, n], by where an element stands: (1, 1, 0) is the lower triangle.
TENON_API Tensor weigh_triangles(const Tensor& x, double lower_weight, double diagonal_weight, double upper_weight);

}  // namespace tenon::linalg
