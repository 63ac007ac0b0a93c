/// The distinct 8-mers of a sequence: the sets by which near duplicates are judged.
///
/// An 8-mer is 16 bits, two a base, first base highest. Windows with a letter other than A, C, G, T are left out.
#pragma once

#include <bitset>
#include <cstdint>
#include <string_view>
#include <vector>

namespace tenon::genomics {

inline constexpr int kAuditWord = 8;
inline constexpr std::size_t kAuditWords = std::size_t(1) << (2 * kAuditWord);

/// Collects the distinct 8-mers of sequences, one sequence at a time; keeps 8 KB of marks. One a thread.
class KmerSet {
 public:
  /// In the order of their first occurrence; valid until the next call. `reverse`: of the other strand.
  const std::vector<std::uint16_t>& of(std::string_view sequence, bool reverse = false);

 private:
  std::bitset<kAuditWords> seen_;
  std::vector<std::uint16_t> words_;
};

}  // namespace tenon::genomics
