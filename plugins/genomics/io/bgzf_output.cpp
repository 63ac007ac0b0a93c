#include "genomics/io/bgzf_output.hpp"

#include <htslib/bgzf.h>

#include <algorithm>

#include "tenon/error.hpp"

namespace tenon::genomics {
namespace {

constexpr std::size_t kBlock = 0xff00;  // htslib's BGZF_BLOCK_SIZE

}  // namespace

TextOutput::TextOutput(const std::filesystem::path& path) : file_(path), path_(path), packed_(path.extension() == ".gz" || path.extension() == ".bgz") {}

void TextOutput::write(std::string_view text) {
  if (!packed_) return file_.write(text);
  pending_ += text;
  while (pending_.size() >= kBlock) flush_block();
}

void TextOutput::flush_block() {
  const std::size_t n = std::min(pending_.size(), kBlock);
  char block[0x10000];
  std::size_t size = sizeof block;
  if (bgzf_compress(block, &size, pending_.data(), n, -1) != 0) throw Error(ErrorKind::internal, "genomics.bgzf_write", "a BGZF block could not be compressed", "", path_.string());
  file_.write(block, size);
  pending_.erase(0, n);
}

void TextOutput::commit() {
  if (packed_) {
    while (!pending_.empty()) flush_block();
    flush_block();  // the empty end block
  }
  file_.commit();
}

}  // namespace tenon::genomics
