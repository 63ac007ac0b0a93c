/// Least-significant-digit radix sort of records (private). It keeps the order of equal keys, so the result is the same for any number of
/// chunks.
#pragma once

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "kernels/sort_key.hpp"
#include "tenon/kernel.hpp"

namespace tenon {

template <class Record>
inline constexpr std::int64_t kRadixWorth = sizeof(Record) == 8 ? 48 : 80;  ///< records below which comparing is faster
inline constexpr int kRadixBits = 8;
inline constexpr std::size_t kRadixSize = std::size_t(1) << kRadixBits;

/// One pass by the digit at `shift`, from -> to, in `chunks` parts side by side. False, and nothing moved, where all digits are equal.
template <class Record>
bool radix_pass(const Record* from, Record* to, std::int64_t n, int shift, std::int64_t chunks) {
  using Counts = std::array<std::uint32_t, kRadixSize>;
  constexpr std::int64_t kFew = 8;
  std::array<Counts, kFew> few;
  std::vector<Counts> many(chunks > kFew ? std::size_t(chunks) : 0);
  Counts* counts = chunks > kFew ? many.data() : few.data();
  const std::int64_t length = (n + chunks - 1) / chunks;
  auto digit = [shift](const Record& r) { return std::size_t(r.key() >> shift) & (kRadixSize - 1); };
  auto end = [=](std::int64_t c) { return std::min(n, (c + 1) * length); };
  parallel_for(chunks, [&](std::int64_t c) {
    counts[c].fill(0);
    for (std::int64_t i = c * length; i < end(c); ++i) ++counts[c][digit(from[i])];
  });
  std::uint32_t start = 0;
  for (std::size_t d = 0; d < kRadixSize; ++d) {
    const std::uint32_t before = start;
    for (std::int64_t c = 0; c < chunks; ++c) start += std::exchange(counts[c][d], start);
    if (std::int64_t(start - before) == n) return false;
  }
  parallel_for(chunks, [&](std::int64_t c) {
    for (std::int64_t i = c * length; i < end(c); ++i) to[counts[c][digit(from[i])]++] = from[i];
  });
  return true;
}

/// The same on one thread: the digits of all passes are counted in one go.
template <class Record>
Record* radix_sort_alone(Record* a, Record* b, std::int64_t n) {
  constexpr int kPasses = int(8 * sizeof(typename Record::Key)) / kRadixBits;
  std::array<std::array<std::uint32_t, kRadixSize>, kPasses> counts{};
  for (std::int64_t i = 0; i < n; ++i)
    for (int pass = 0; pass < kPasses; ++pass)
      ++counts[std::size_t(pass)][std::size_t(a[i].key() >> (pass * kRadixBits)) & (kRadixSize - 1)];
  for (int pass = 0; pass < kPasses; ++pass) {
    const int shift = pass * kRadixBits;
    auto& next = counts[std::size_t(pass)];
    auto digit = [shift](const Record& r) { return std::size_t(r.key() >> shift) & (kRadixSize - 1); };
    if (std::int64_t(next[digit(a[0])]) == n) continue;
    std::uint32_t start = 0;
    for (std::uint32_t& d : next) start += std::exchange(d, start);
    for (std::int64_t i = 0; i < n; ++i) b[next[digit(a[i])]++] = a[i];
    std::swap(a, b);
  }
  return a;
}

/// Sorts a, whose records stand in the order of their indices, with b of the same size beside it; returns the one that holds the result.
/// n < 2^32.
template <class Record>
Record* radix_sort(Record* a, Record* b, std::int64_t n, std::int64_t chunks) {
  if (n < kRadixWorth<Record>) {
    std::sort(a, a + n);
    return a;
  }
  if (chunks == 1) return radix_sort_alone(a, b, n);
  for (int shift = 0; shift < int(8 * sizeof(typename Record::Key)); shift += kRadixBits)
    if (radix_pass(a, b, n, shift, chunks)) std::swap(a, b);
  return a;
}

}  // namespace tenon
