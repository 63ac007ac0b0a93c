// Chooses the direction numbers of Sobol's sequence: writes core/src/ops/sobol_choice.inc to stdout, and to stderr how good the pairs are.
//   g++ -O3 -march=native -std=c++20 -Icore/src -Icore/include -DTENON_SOBOL_SEARCH tests/golden/sobol_search.cpp -o /tmp/search &&
//   /tmp/search > core/src/ops/sobol_choice.inc
// With the name of a file of other direction numbers (32 a line, as integers of 32 bits) it rates those instead.
#include <cmath>
#include <cstdio>
#include <set>
#include <vector>

#include "../../core/src/ops/sobol_directions.cpp"

using namespace tenon;

namespace {

constexpr int kCandidates = 24, kMost = 14;
using Rows = std::vector<std::uint32_t>;  // row i of the generator matrix: bit j is digit i of direction number j

Rows rows_of(const std::uint32_t* directions) {
  Rows rows(kMost);
  for (int i = 0; i < kMost; ++i)
    for (int j = 0; j < kMost; ++j) rows[std::size_t(i)] |= (directions[j] >> (31 - i) & 1u) << j;
  return rows;
}

// The quality parameter t of the first 2^m points: least such that the first i and j rows are independent for all i + j = m - t.
int quality(const Rows& a, const Rows& b, int m) {
  const std::uint32_t mask = (1u << m) - 1;
  std::uint32_t basis_a[kMost] = {};  // by leading (lowest) column
  int good = m;
  const auto insert = [](std::uint32_t* basis, std::uint32_t row) {
    while (row != 0) {
      const int lead = __builtin_ctz(row);
      if (basis[lead] == 0) {
        basis[lead] = row;
        return true;
      }
      row ^= basis[lead];
    }
    return false;
  };
  for (int i = 0; i <= good; ++i) {
    if (i > 0) insert(basis_a, a[std::size_t(i - 1)] & mask);
    std::uint32_t basis[kMost];
    for (int c = 0; c < kMost; ++c) basis[c] = basis_a[c];
    int j = 0;
    while (i + j < good && insert(basis, b[std::size_t(j)] & mask)) ++j;
    if (i + j < good) good = i + j;
  }
  return m - good;
}

double rate(const std::vector<Rows>& all, const Rows& rows, double give_up = INFINITY) {
  double sum = 0;
  for (const Rows& other : all) {
    for (int m = 4; m <= kMost; m += 2) {
      const int t = quality(rows, other, m);
      sum += std::pow(t, 6) / (m - t + 1);
    }
    if (sum > give_up) return sum;
  }
  return sum;
}

// Property A: the leading digits of the first d direction numbers of the first d dimensions form a regular matrix, for every d.
struct PropertyA {
  static constexpr int kWords = (kSobolDimensions + 63) / 64;
  struct Row {
    std::uint64_t bits[kWords] = {};
  };
  std::vector<Row> reduced;
  // The leading digits of all direction numbers of a dimension, continued by the recurrence as far as needed.
  static Row leading(int dimension, std::uint32_t polynomial, const std::uint32_t* directions) {
    Row row;
    const int degree = dimension == 0 ? 0 : 31 - __builtin_clz(polynomial);
    std::vector<std::uint8_t> digit(kSobolDimensions);
    for (int j = 0; j < kSobolDimensions; ++j) {
      if (dimension == 0) {
        digit[std::size_t(j)] = j == 0;
      } else if (j < degree) {
        digit[std::size_t(j)] = directions[j] >> 31 & 1u;
      } else {
        digit[std::size_t(j)] = digit[std::size_t(j - degree)];
        for (int k = 1; k < degree; ++k)
          if (polynomial >> (degree - k) & 1u) digit[std::size_t(j)] ^= digit[std::size_t(j - k)];
      }
      row.bits[j / 64] |= std::uint64_t(digit[std::size_t(j)]) << (j % 64);
    }
    return row;
  }
  bool fits(Row row, Row* out) const {
    for (std::size_t d = 0; d < reduced.size(); ++d)
      if (row.bits[d / 64] >> (d % 64) & 1u)
        for (int w = 0; w < kWords; ++w) row.bits[w] ^= reduced[d].bits[w];
    *out = row;
    return row.bits[reduced.size() / 64] >> (reduced.size() % 64) & 1u;
  }
};

void report(const std::vector<Rows>& all) {
  for (std::size_t dims : {std::size_t(20), std::size_t(100), std::size_t(400), all.size()}) {
    std::fprintf(stderr, "first %4zu dimensions: mean t of pairs", dims);
    for (int m : {6, 10, 14}) {
      double sum = 0, pairs = 0;
      int worst = 0;
      for (std::size_t a = 0; a < dims; ++a)
        for (std::size_t b = 0; b < a; ++b, ++pairs) {
          const int t = quality(all[a], all[b], m);
          sum += t;
          if (t > worst) worst = t;
        }
      std::fprintf(stderr, "  m=%d: %.3f (worst %d)", m, sum / pairs, worst);
    }
    std::fprintf(stderr, "\n");
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<Rows> all;
  if (argc > 1) {
    std::FILE* file = std::fopen(argv[1], "r");
    std::uint32_t directions[32];
    for (int d = 0; d < kSobolDimensions; ++d) {
      for (auto& v : directions)
        if (std::fscanf(file, "%u", &v) != 1) return 1;
      all.push_back(rows_of(directions));
    }
    report(all);
    return 0;
  }
  PropertyA property;
  const auto polynomials = primitive_polynomials(kSobolDimensions - 1);
  std::vector<int> choices;
  // Where no candidate keeps the property, the dimension before takes its next best.
  std::vector<std::set<int>> barred(kSobolDimensions);
  for (int d = 0; d < kSobolDimensions;) {
    const std::uint32_t polynomial = d == 0 ? 0 : polynomials[std::size_t(d - 1)];
    double best = INFINITY;
    int choice = -1, tried = 0;
    Rows best_rows;
    PropertyA::Row best_leading;
    for (int c = 0; c < 256 && tried < kCandidates; ++c) {
      std::uint32_t directions[32];
      sobol_dimension(d, polynomial, std::uint32_t(c), directions);
      PropertyA::Row row;
      if (barred[std::size_t(d)].count(c) || !property.fits(PropertyA::leading(d, polynomial, directions), &row)) continue;
      ++tried;
      const Rows rows = rows_of(directions);
      const double score = rate(all, rows, best);
      if (score < best) {
        best = score;
        choice = c;
        best_rows = rows;
        best_leading = row;
      }
    }
    if (choice < 0) {
      if (d == 0) return 2;
      barred[std::size_t(d)].clear();
      --d;
      std::fprintf(stderr, "back to dimension %d\n", d);
      barred[std::size_t(d)].insert(choices.back());
      choices.pop_back();
      property.reduced.pop_back();
      all.pop_back();
      continue;
    }
    property.reduced.push_back(best_leading);
    all.push_back(best_rows);
    choices.push_back(choice);
    ++d;
  }
  for (std::size_t d = 0; d < choices.size(); ++d) std::printf("%d,%s", choices[d], d % 24 == 23 ? "\n" : " ");
  std::printf("\n");
  report(all);
}
