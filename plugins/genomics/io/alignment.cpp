#include "genomics/io/alignment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "genomics/io/alignment_check.hpp"
#include "genomics/io/bam_index.hpp"
#include "genomics/io/byte_input.hpp"
#include "tenon/error.hpp"

namespace tenon::genomics {
namespace {

std::uint32_t u32(std::string_view b, std::size_t at) {
  std::uint32_t v = 0;
  for (int i = 3; i >= 0; --i) v = v << 8 | std::uint8_t(b[at + std::size_t(i)]);
  return v;
}
std::int32_t i32(std::string_view b, std::size_t at) { return std::int32_t(u32(b, at)); }
std::uint32_t u16(std::string_view b, std::size_t at) { return std::uint8_t(b[at]) | std::uint32_t(std::uint8_t(b[at + 1])) << 8; }

constexpr std::int64_t kFixed = 32;                    // bytes of a record before its name
constexpr std::int64_t kLargest = std::int64_t(1) << 28;  // bytes of a record or of the header text

class BamReader {
 public:
  BamReader(const std::filesystem::path& path, bool end_block) : input_(path, end_block), path_(path) {}

  AlignmentSummary run() {
    header();
    std::vector<IndexedCounts> counts(contigs_.size());
    AlignmentSummary out;
    out.contigs = std::int64_t(contigs_.size());
    while (more()) {
      ++record_;
      const std::int64_t size = i32(take(4, "its length"), 0);
      if (size < kFixed || size > kLargest) fail(fmt::format("a length of {} bytes", size));
      AlignedRecord r = parse(take(std::size_t(size), "its body"));
      if (auto defect = defect_of(r, contigs_); !defect.empty()) fail(defect);
      ++out.records;
      out.mapped += is_mapped(r);
      if (r.contig >= 0) ++(r.flag & 4 ? counts[std::size_t(r.contig)].unmapped : counts[std::size_t(r.contig)].mapped);
    }
    out.end_block = input_.has_end_block();
    require_fresh_bam_index(path_, blocks_, counts);
    return out;
  }

 private:
  [[noreturn]] void fail(const std::string& what) {
    throw Error(ErrorKind::data, "genomics.alignment", fmt::format("record {} at virtual offset {}: {}", record_, virtual_offset(), what), "the file is damaged or was cut: copy or write it again", path_.string());
  }
  std::uint64_t virtual_offset() const {
    for (auto block = blocks_.rbegin(); block != blocks_.rend(); ++block)
      if (block->first <= base_ + start_) return block->second << 16 | (base_ + start_ - block->first);
    return 0;
  }
  bool fill() {
    const std::size_t had = buffer_.size();
    if (!input_.next(buffer_)) return false;
    blocks_.emplace_back(base_ + had, input_.piece_offset());
    return true;
  }
  bool more() {
    start_ = at_;
    return at_ < buffer_.size() || (drop(), fill());
  }
  void drop() {
    buffer_.erase(0, at_);
    base_ += at_;
    start_ -= at_;
    at_ = 0;
  }
  std::string_view take(std::size_t n, const char* what) {
    if (at_ > (1u << 20)) {
      const auto shift = start_;
      buffer_.erase(0, shift);
      base_ += shift, at_ -= shift, start_ = 0;
    }
    while (buffer_.size() - at_ < n)
      if (!fill()) fail(fmt::format("the file ends inside the record, {} is cut", what));
    at_ += n;
    return std::string_view(buffer_).substr(at_ - n, n);
  }

  void header() {
    if (take(4, "the magic") != std::string_view("BAM\1", 4)) throw Error(ErrorKind::data, "genomics.alignment", "the file does not begin with BAM's magic", "is it BAM?", path_.string());
    const std::int64_t text = i32(take(4, "the header"), 0);
    if (text < 0 || text > kLargest) fail(fmt::format("a header of {} bytes", text));
    header_text(take(std::size_t(text), "the header"));
    const std::int64_t n = i32(take(4, "the contigs"), 0);
    if (n < 0) fail(fmt::format("{} contigs", n));
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t length = i32(take(4, "a contig"), 0);
      if (length < 1 || length > 65536) fail(fmt::format("the name of contig {} has {} bytes", i + 1, length));
      auto name = take(std::size_t(length), "a contig");
      if (name.find('\0') != name.size() - 1) fail(fmt::format("the name of contig {} does not end, or holds a NUL byte", i + 1));
      contigs_.push_back({std::string(name.substr(0, name.size() - 1)), 0});
      contigs_.back().length = i32(take(4, "a contig"), 0);
      if (contigs_.back().length < 1) fail(fmt::format("contig '{}' of {} bases", contigs_.back().name, contigs_.back().length));
    }
  }

  /// NUL bytes may only fill it up at its end.
  void header_text(std::string_view text) {
    text = text.substr(0, text.find_last_not_of('\0') + 1);
    if (text.find('\0') != std::string_view::npos) fail("a NUL byte in the header");
    for (std::size_t at = 0; at < text.size();) {
      const auto end = std::min(text.find('\n', at), text.size());
      auto line = text.substr(at, end - at);
      if (line.ends_with('\r')) line.remove_suffix(1);
      AlignmentContig contig;
      if (line.starts_with("@SQ"))
        if (auto defect = read_contig(line, contig); !defect.empty()) fail(defect);
      at = end + 1;
    }
  }

  AlignedRecord parse(std::string_view b) {
    AlignedRecord r;
    r.contig = i32(b, 0);
    r.position = i32(b, 4);
    const std::int64_t name = std::uint8_t(b[8]), cigar = u16(b, 12), bases = i32(b, 16);
    r.flag = u16(b, 14);
    r.bases = bases;
    r.mate_contig = i32(b, 20);
    r.mate_position = i32(b, 24);
    if (name < 1 || bases < 0 || kFixed + name + 4 * cigar + (bases + 1) / 2 + bases > std::int64_t(b.size())) fail("its parts are longer than the record");
    if (b[std::size_t(kFixed + name - 1)] != 0) fail("its name does not end");
    r.has_cigar = cigar > 0;
    for (std::int64_t i = 0; i < cigar; ++i) {
      const std::uint32_t op = u32(b, std::size_t(kFixed + name + 4 * i));
      add_cigar(r, "MIDNSHP=X?"[std::min(op & 15, 9u)], op >> 4);
    }
    if (auto defect = defect_of_tags(b.substr(std::size_t(kFixed + name + 4 * cigar + (bases + 1) / 2 + bases))); !defect.empty()) fail(defect);
    return r;
  }

  ByteInput input_;
  std::filesystem::path path_;
  std::string buffer_;
  std::size_t at_ = 0, start_ = 0;
  std::uint64_t base_ = 0;
  std::int64_t record_ = 0;
  std::vector<AlignmentContig> contigs_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> blocks_;
};

bool is_bam(const std::filesystem::path& path) {
  ByteInput input(path, false);
  std::string head;
  return input.packing() == Packing::bgzf && input.next(head) && head.starts_with("BAM\1");
}

}  // namespace

AlignmentSummary check_alignments(const std::filesystem::path& path, bool end_block) {
  if (path.extension() == ".cram") throw Error(ErrorKind::data, "genomics.alignment", "CRAM is not read", "convert it: samtools view -b", path.string());
  return path.extension() == ".bam" || is_bam(path) ? BamReader(path, end_block).run() : check_sam(path);
}

}  // namespace tenon::genomics
