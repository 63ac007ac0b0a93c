#include "genomics/baselines/kmers.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "tenon/error.hpp"
#include "tenon/kernel.hpp"

namespace tenon::genomics {
namespace {

/// Rows of counts of what `list` gives for a sequence (the columns, in any order), of length 1.
SparseRows counted(const CodedRows& x, std::int64_t columns, const auto& list) {
  std::vector<std::vector<std::pair<std::int32_t, double>>> rows(x.rows.size());
  parallel_for(std::int64_t(x.rows.size()), [&](std::int64_t r) {
    std::vector<std::int32_t> seen;
    list(x.codes + x.rows[std::size_t(r)] * x.width, seen);
    std::sort(seen.begin(), seen.end());
    auto& row = rows[std::size_t(r)];
    double squares = 0;
    for (std::size_t i = 0; i < seen.size();) {
      std::size_t j = i;
      while (j < seen.size() && seen[j] == seen[i]) ++j;
      row.emplace_back(seen[i], double(j - i));
      squares += double(j - i) * double(j - i);
      i = j;
    }
    for (auto& [c, v] : row) v /= std::sqrt(squares);
  });
  SparseRows out;
  out.columns = columns;
  for (const auto& row : rows) {
    for (const auto& [c, v] : row) {
      out.column.push_back(c);
      out.value.push_back(v);
    }
    out.end_row();
  }
  return out;
}

/// Calls `use(first base, k-mer, its reverse complement)` for every k-mer without an unknown base.
void each_kmer(const std::uint8_t* codes, std::int64_t width, int k, const auto& use) {
  const std::int64_t mask = (std::int64_t(1) << (2 * k)) - 1;
  std::int64_t forward = 0, reverse = 0, run = 0;
  for (std::int64_t i = 0; i < width; ++i) {
    if (codes[i] > 3) {
      run = 0;
      continue;
    }
    forward = ((forward << 2) | codes[i]) & mask;
    reverse = (reverse >> 2) | (std::int64_t(3 - codes[i]) << (2 * (k - 1)));
    if (++run >= k) use(i + 1 - k, forward, reverse);
  }
}

}  // namespace

SparseRows kmer_counts(const CodedRows& x, int k, bool both_strands) {
  return counted(x, std::int64_t(1) << (2 * k), [&](const std::uint8_t* codes, std::vector<std::int32_t>& seen) {
    each_kmer(codes, x.width, k, [&](std::int64_t, std::int64_t forward, std::int64_t reverse) {
      seen.push_back(std::int32_t(both_strands ? std::min(forward, reverse) : forward));
    });
  });
}

SparseRows placed_kmer_counts(const CodedRows& x, int k, std::int64_t bases) {
  const std::int64_t kinds = std::int64_t(1) << (2 * k), places = x.width / bases + 2;
  if (2 * places * kinds > std::int64_t(1) << 30)
    throw_usage("placed_kmer_counts", std::to_string(k) + "-mers in " + std::to_string(places) + " places: more columns than can be numbered");
  return counted(x, 2 * places * kinds, [&](const std::uint8_t* codes, std::vector<std::int32_t>& seen) {
    each_kmer(codes, x.width, k, [&](std::int64_t at, std::int64_t kmer, std::int64_t) {
      seen.push_back(std::int32_t(at / bases * kinds + kmer));
      seen.push_back(std::int32_t((places + (at + bases / 2) / bases) * kinds + kmer));
    });
  });
}

SparseRows side_by_side(std::span<const SparseRows> kinds) {
  SparseRows out;
  const double scale = 1 / std::sqrt(double(kinds.size()));
  for (const auto& kind : kinds) {
    if (kind.rows() != kinds[0].rows()) throw_usage("side_by_side", std::to_string(kind.rows()) + " rows beside " + std::to_string(kinds[0].rows()));
    out.columns += kind.columns;
  }
  for (std::int64_t r = 0; r < kinds[0].rows(); ++r) {
    std::int64_t before = 0;
    for (const auto& kind : kinds) {
      for (std::int64_t e = kind.start[std::size_t(r)]; e < kind.start[std::size_t(r) + 1]; ++e) {
        out.column.push_back(std::int32_t(before + kind.column[std::size_t(e)]));
        out.value.push_back(scale * kind.value[std::size_t(e)]);
      }
      before += kind.columns;
    }
    out.end_row();
  }
  return out;
}

}  // namespace tenon::genomics
