#include "genomics/io/byte_input.hpp"

#include <fmt/format.h>
#include <libdeflate.h>
#include <zlib.h>

#include <algorithm>
#include <cctype>
#include <cstring>

#include "tenon/error.hpp"

namespace tenon::genomics {
namespace {

constexpr std::size_t kPiece = std::size_t(1) << 17, kHeader = 18, kTrailer = 8, kLargestBlock = 65536;
const char kCopyAgain[] = "the file is damaged or was cut: copy or download it again";

std::uint32_t u16(const unsigned char* p) { return p[0] | std::uint32_t(p[1]) << 8; }
std::uint32_t u32(const unsigned char* p) { return u16(p) | u16(p + 2) << 16; }

bool is_gzip(const unsigned char* p, std::size_t n) { return n >= 3 && p[0] == 0x1f && p[1] == 0x8b && p[2] == 8; }

/// Size of the BGZF block that begins at `p`; 0 when it is no BGZF header. BC must come first, as
/// every writer puts it.
std::size_t block_size(const unsigned char* p, std::size_t n) {
  if (n < kHeader || !is_gzip(p, n) || !(p[3] & 4) || u16(p + 10) < 6 || p[12] != 'B' || p[13] != 'C' || u16(p + 14) != 2) return 0;
  return u16(p + 16) + 1;
}

}  // namespace

void require_file_name(const std::filesystem::path& path) {
  const std::string name = path.string();
  auto colon = name.find(':');
  if (colon == std::string::npos || colon < 2) return;
  std::string scheme = name.substr(0, colon);
  if (!std::all_of(scheme.begin(), scheme.end(), [](unsigned char c) { return std::isalnum(c) || c == '+' || c == '-' || c == '.'; })) return;
  std::transform(scheme.begin(), scheme.end(), scheme.begin(), [](unsigned char c) { return char(std::tolower(c)); });
  bool known = false;
  for (const char* s : {"http", "https", "ftp", "ftps", "s3", "s3+http", "s3+https", "gs", "gs+http", "gs+https", "gcs", "data", "mem", "preload", "file", "htsget", "crypt4gh"})
    known = known || scheme == s;
  if (!known && name.compare(colon, 3, "://") != 0) return;
  throw Error(ErrorKind::data, "genomics.url", "the name is a URL (" + scheme + ":); only files are read", "download it and give the file's name; a file so named as ./" + name,
              name);
}

struct ByteInput::Inflater {
  libdeflate_decompressor* block = nullptr;
  z_stream stream{};
  bool streaming = false, in_member = false;
  ~Inflater() {
    if (block) libdeflate_free_decompressor(block);
    if (streaming) inflateEnd(&stream);
  }
};

ByteInput::ByteInput(const std::filesystem::path& path, bool end_block) : path_(path), inflater_(std::make_unique<Inflater>()), end_block_(end_block) {
  require_file_name(path);
  file_ = files().open_read(path);
  std::size_t n = fill(kHeader);
  if (block_size(packed_.data(), n)) {
    packing_ = Packing::bgzf;
    inflater_->block = libdeflate_alloc_decompressor();
    if (!inflater_->block) throw Error(ErrorKind::device, "genomics.memory", "no memory for decompression", "", path_.string());
  } else if (is_gzip(packed_.data(), n)) {
    packing_ = Packing::gzip;
    if (inflateInit2(&inflater_->stream, 15 + 16) != Z_OK) throw Error(ErrorKind::device, "genomics.memory", "zlib could not start", "", path_.string());
    inflater_->streaming = true;
  }
}

ByteInput::~ByteInput() = default;

std::size_t ByteInput::fill(std::size_t wanted) {
  if (packed_.size() - used_ >= wanted) return packed_.size() - used_;
  packed_.erase(packed_.begin(), packed_.begin() + std::ptrdiff_t(used_));
  used_ = 0;
  while (packed_.size() < wanted) {
    std::size_t had = packed_.size();
    packed_.resize(had + std::max(kPiece, wanted));
    std::size_t got = file_->read(packed_.data() + had, packed_.size() - had);
    packed_.resize(had + got);
    if (got == 0) break;
  }
  return packed_.size() - used_;
}

bool ByteInput::next(std::string& out) {
  switch (packing_) {
    case Packing::plain: return next_plain(out);
    case Packing::gzip: return next_gzip(out);
    default: return next_block(out);
  }
}

bool ByteInput::next_plain(std::string& out) {
  std::size_t n = fill(1);
  piece_offset_ = offset_;
  out.append(reinterpret_cast<const char*>(packed_.data() + used_), n);
  used_ += n;
  offset_ += n;
  return n > 0;
}

bool ByteInput::next_gzip(std::string& out) {
  auto fail = [&](const std::string& what) { throw Error(ErrorKind::data, "genomics.gzip", fmt::format("{} at byte {} of the compressed file", what, offset_), kCopyAgain, path_.string()); };
  z_stream& z = inflater_->stream;
  piece_offset_ = offset_;
  const std::size_t before = out.size();
  while (out.size() == before) {
    std::size_t n = fill(1);
    if (n == 0) {
      if (inflater_->in_member) fail("the gzip stream ends before its end mark,");
      return false;
    }
    if (!inflater_->in_member) {
      if (n < 3) n = fill(3);
      if (!is_gzip(packed_.data() + used_, n)) fail("what follows the gzip stream is no gzip,");
      inflateReset(&z);
      inflater_->in_member = true;
    }
    z.next_in = packed_.data() + used_;
    z.avail_in = uInt(std::min<std::size_t>(n, kPiece));
    const std::size_t given = z.avail_in;
    out.resize(before + kPiece);
    z.next_out = reinterpret_cast<Bytef*>(out.data() + before);
    z.avail_out = uInt(kPiece);
    int rc = inflate(&z, Z_NO_FLUSH);
    out.resize(before + kPiece - z.avail_out);
    used_ += given - z.avail_in;
    offset_ += given - z.avail_in;
    if (rc == Z_STREAM_END) inflater_->in_member = false;
    else if (rc != Z_OK && rc != Z_BUF_ERROR) fail(fmt::format("the gzip stream is broken ({})", z.msg ? z.msg : "checksum or data"));
  }
  return true;
}

bool ByteInput::next_block(std::string& out) {
  auto fail = [&](const std::string& what) {
    throw Error(ErrorKind::data, "genomics.bgzf", fmt::format("{} (block at byte {}, virtual offset {})", what, offset_, offset_ << 16), kCopyAgain, path_.string());
  };
  while (true) {
    std::size_t n = fill(kHeader);
    if (n == 0) {
      if (end_block_ && !last_block_empty_) {
        throw Error(ErrorKind::data, "genomics.no_end_block", fmt::format("the BGZF file ends at byte {} without its end block: it may have been cut", offset_), kCopyAgain, path_.string());
      }
      return false;
    }
    const std::size_t size = block_size(packed_.data() + used_, n);
    if (size == 0) fail(n < kHeader ? "the BGZF file was cut inside a block's header" : "no BGZF block where one must begin");
    n = fill(size);
    if (n < size) fail(fmt::format("the BGZF file was cut: a block of {} bytes has {}", size, n));
    const unsigned char* p = packed_.data() + used_;
    const std::size_t header = 12 + u16(p + 10);
    if (size < header + kTrailer) fail("a BGZF block is shorter than its header");
    const std::size_t length = u32(p + size - 4);
    if (length > kLargestBlock) fail(fmt::format("a BGZF block claims {} bytes, at most 65536 are allowed", length));
    const std::size_t before = out.size();
    out.resize(before + length);
    std::size_t made = 0;
    auto rc = libdeflate_deflate_decompress(inflater_->block, p + header, size - header - kTrailer, out.data() + before, length, &made);
    if (rc != LIBDEFLATE_SUCCESS || made != length) fail("a BGZF block does not decompress to its stated size");
    if (libdeflate_crc32(0, out.data() + before, length) != u32(p + size - 8)) fail("the checksum of a BGZF block is wrong");
    piece_offset_ = offset_;
    used_ += size;
    offset_ += size;
    last_block_empty_ = length == 0;
    if (length > 0) return true;
  }
}

}  // namespace tenon::genomics
