#include "genomics/audit/kmer_sets.hpp"

#include "genomics/io/letters.hpp"

namespace tenon::genomics {

const std::vector<std::uint16_t>& KmerSet::of(std::string_view sequence, bool reverse) {
  for (auto w : words_) seen_.reset(w);
  words_.clear();
  std::uint32_t word = 0;
  int known = 0;
  for (char c : sequence) {
    std::uint32_t code = base_code(c);
    if (code > 3) {
      known = 0;
      continue;
    }
    // The reverse complement of a window: complements enter at the other end.
    word = reverse ? (word >> 2) | ((3 - code) << (2 * kAuditWord - 2)) : ((word << 2) | code) & (kAuditWords - 1);
    if (++known < kAuditWord || seen_.test(word)) continue;
    seen_.set(word);
    words_.push_back(std::uint16_t(word));
  }
  return words_;
}

}  // namespace tenon::genomics
