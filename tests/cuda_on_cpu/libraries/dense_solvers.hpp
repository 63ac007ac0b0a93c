/// Factorisations as LAPACK leaves them, by plain loops: what the stand-in for cuSOLVER computes.
#pragma once

#include <cstddef>

namespace tenon::cuda::on_cpu {

/// A matrix as LAPACK has it: columns one after the other, `lead` apart.
struct Columns {
  double* at;
  int rows, columns, lead;
  double& operator()(int i, int j) const { return at[i + std::ptrdiff_t(j) * lead]; }
};

/// a = U^T U, or L L^T, of the upper or the lower triangle, in its place; the other one is neither read nor written. Gives the order of the first leading minor that
/// is not positive, or 0. NaN counts as positive.
int cholesky(const Columns& a, bool upper);
/// L without its diagonal of ones, and U; pivots from 1. Gives the place of the first pivot that is 0, from 1, or 0.
int lu(const Columns& a, int* pivots);
/// R, below it the reflectors but for their first 1; their factors in tau.
void reflect(const Columns& a, double* tau);
/// The first a.columns columns of the product of `count` reflectors, which lie in the first columns of a.
void multiply_reflectors(const Columns& a, int count, const double* tau);
/// rows >= columns; s descending, u of a's shape, vt [columns, columns]. a is destroyed. False where it did not converge.
bool singular_values(const Columns& a, double* s, const Columns& u, const Columns& vt);
/// w ascending, eigenvectors in a's columns. False where it did not converge.
bool eigenvalues(const Columns& a, bool upper, double* w);

}  // namespace tenon::cuda::on_cpu
