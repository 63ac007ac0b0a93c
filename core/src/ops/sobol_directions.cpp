/// Direction numbers of Sobol's sequence, made here rather than carried as a table.
///
/// Dimension d > 0 belongs to the d-th primitive polynomial of degree s; its initial numbers m_1 .. m_s (odd, m_j < 2^j) may be chosen, and
/// what is chosen decides how well pairs of dimensions fill the square. Candidate c takes m_j from the bits of Random("SOBOL", d) at index
/// 256 c + j; kChoice holds the winning c of each dimension, found by tests/golden/sobol_search.cpp: of the first 24 candidates that keep
/// Sobol's property A (1967), the one with the least sum over all earlier dimensions e and m = 4, 6, .. 14 of t^6 / (m - t + 1), t being
/// the quality parameter of the pair (d, e) with 2^m points; where none keeps it, the dimension before takes its next best (the form of
/// criterion is Joe and Kuo's, SIAM J. Sci. Comput. 30, 2008; the numbers are not theirs).
#include "ops/sobol_directions.hpp"

#include "kernels/sobol.hpp"

namespace tenon {
namespace {

constexpr std::uint8_t kChoice[kSobolDimensions] = {
#ifndef TENON_SOBOL_SEARCH  // the search begins without
#include "ops/sobol_choice.inc"
#endif
};

int degree_of(std::uint32_t polynomial) {
  int degree = -1;
  for (; polynomial != 0; polynomial >>= 1) ++degree;
  return degree;
}

/// a b modulo the polynomial, all over GF(2).
std::uint32_t multiply(std::uint32_t a, std::uint32_t b, std::uint32_t polynomial, int degree) {
  std::uint32_t product = 0;
  for (; b != 0; b >>= 1) {
    if (b & 1u) product ^= a;
    a <<= 1;
    if (a >> degree & 1u) a ^= polynomial;
  }
  return product;
}

std::uint32_t power_of_x(std::uint32_t exponent, std::uint32_t polynomial, int degree) {
  std::uint32_t result = 1, square = degree == 1 ? 2u ^ polynomial : 2u;
  for (; exponent != 0; exponent >>= 1) {
    if (exponent & 1u) result = multiply(result, square, polynomial, degree);
    square = multiply(square, square, polynomial, degree);
  }
  return result;
}

/// Whether x generates all nonzero residues: its order is 2^degree - 1.
bool is_primitive(std::uint32_t polynomial, int degree) {
  const std::uint32_t order = (1u << degree) - 1;
  if (power_of_x(order, polynomial, degree) != 1) return false;
  std::uint32_t rest = order;
  for (std::uint32_t p = 2; p <= rest; ++p) {
    if (rest % p != 0) continue;
    if (power_of_x(order / p, polynomial, degree) == 1) return false;
    while (rest % p == 0) rest /= p;
  }
  return true;
}

}  // namespace

std::vector<std::uint32_t> primitive_polynomials(int count) {
  std::vector<std::uint32_t> found;
  for (int degree = 1; int(found.size()) < count; ++degree)
    for (std::uint32_t p = (1u << degree) | 1u; p < (2u << degree) && int(found.size()) < count; p += 2)
      if (is_primitive(p, degree)) found.push_back(p);
  return found;
}

void sobol_dimension(int dimension, std::uint32_t polynomial, std::uint32_t choice, std::uint32_t* directions) {
  if (dimension == 0) {  // van der Corput's sequence
    for (int j = 0; j < kSobolBits; ++j) directions[j] = 1u << (kSobolBits - 1 - j);
    return;
  }
  const int degree = degree_of(polynomial);
  const Random random(0x534f424f4cu, std::uint64_t(dimension));
  for (int j = 0; j < kSobolBits; ++j) {
    if (j < degree) {
      const std::uint32_t m = (random.bits(256 * std::uint64_t(choice) + std::uint64_t(j) + 1)[0] & ((2u << j) - 1)) | 1u;
      directions[j] = m << (kSobolBits - 1 - j);
      continue;
    }
    std::uint32_t v = directions[j - degree] ^ (directions[j - degree] >> degree);
    for (int k = 1; k < degree; ++k)
      if (polynomial >> (degree - k) & 1u) v ^= directions[j - k];
    directions[j] = v;
  }
}

const std::uint32_t* sobol_directions() {
  static const std::vector<std::uint32_t> all = [] {
    const std::vector<std::uint32_t> polynomials = primitive_polynomials(kSobolDimensions - 1);
    std::vector<std::uint32_t> directions(std::size_t(kSobolDimensions) * kSobolBits);
    for (int d = 0; d < kSobolDimensions; ++d)
      sobol_dimension(d, d == 0 ? 0 : polynomials[std::size_t(d - 1)], kChoice[d], &directions[std::size_t(d) * kSobolBits]);
    return directions;
  }();
  return all.data();
}

}  // namespace tenon
