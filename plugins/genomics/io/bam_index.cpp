#include "genomics/io/bam_index.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <unordered_set>

#include "tenon/error.hpp"
#include "tenon/io/file.hpp"

namespace tenon::genomics {
namespace {

constexpr std::uint32_t kCountsBin = 37450;  // samtools keeps the counts of a contig there

class IndexReader {
 public:
  IndexReader(std::filesystem::path path, const std::filesystem::path& bam) : path_(std::move(path)), bam_(bam), bytes_(read_file(path_)) {}

  void compare(const std::vector<std::pair<std::uint64_t, std::uint64_t>>& blocks, const std::vector<IndexedCounts>& counts) {
    std::unordered_set<std::uint64_t> starts;
    for (const auto& block : blocks) starts.insert(block.second);
    if (number(4) != 0x01494142) stale("it is no .bai");
    if (const auto n = number(4); n != counts.size()) stale(fmt::format("it lists {} contigs, the file has {}", n, counts.size()));
    for (std::size_t c = 0; c < counts.size(); ++c) {
      for (auto bins = number(4); bins > 0; --bins) {
        const auto bin = number(4);
        for (auto chunk = number(4), i = std::uint64_t(0); i < chunk; ++i) {
          const auto begin = number(8), end = number(8);
          if (bin == kCountsBin && i == 1) {
            if (begin != std::uint64_t(counts[c].mapped) || end != std::uint64_t(counts[c].unmapped))
              stale(fmt::format("of contig {} it counts {} records, the file has {}", c + 1, begin + end, counts[c].mapped + counts[c].unmapped));
          } else if (bin != kCountsBin && !starts.count(begin >> 16)) {
            stale(fmt::format("a chunk begins at byte {}, where no block does", begin >> 16));
          }
        }
      }
      for (auto n = number(4); n > 0; --n) number(8);
    }
  }

 private:
  [[noreturn]] void stale(const std::string& what) const {
    throw Error(ErrorKind::data, "genomics.stale_index", "the index does not belong to the file beside it: " + what, "remove it, or build it again: samtools index " + bam_.string(), path_.string());
  }
  std::uint64_t number(std::size_t width) {
    if (bytes_.size() - at_ < width) stale("it ends too early");
    std::uint64_t v = 0;
    for (std::size_t i = width; i-- > 0;) v = v << 8 | std::to_integer<std::uint64_t>(bytes_[at_ + i]);
    at_ += width;
    return v;
  }

  std::filesystem::path path_, bam_;
  std::vector<std::byte> bytes_;
  std::size_t at_ = 0;
};

}  // namespace

void require_fresh_bam_index(const std::filesystem::path& bam, const std::vector<std::pair<std::uint64_t, std::uint64_t>>& blocks, const std::vector<IndexedCounts>& counts) {
  auto beside = std::filesystem::path(bam.string() + ".bai"), instead = bam;
  instead.replace_extension(".bai");
  for (const auto& path : {beside, instead})
    if (file_exists(path)) IndexReader(path, bam).compare(blocks, counts);
}

}  // namespace tenon::genomics
