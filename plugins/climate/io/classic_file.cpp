#include <fmt/format.h>

#include <bit>
#include <cstring>

#include "climate/io/classic.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/kernel.hpp"

namespace tenon::climate {
namespace {

template <class T> void swap_all(T* values, std::int64_t n) {
  parallel_blocks(n, 1 << 16, [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t i = from; i < to; ++i) {
      if constexpr (sizeof(T) == 2) values[i] = __builtin_bswap16(values[i]);
      if constexpr (sizeof(T) == 4) values[i] = __builtin_bswap32(values[i]);
      if constexpr (sizeof(T) == 8) values[i] = __builtin_bswap64(values[i]);
    }
  });
}

class ClassicFile final : public NetcdfFile {
 public:
  ClassicFile(const std::filesystem::path& path, std::unique_ptr<File> file, ClassicHeader h)
      : NetcdfFile(path, std::move(h.header)), file_(std::move(file)), extents_(std::move(h.extents)), record_bytes_(h.record_bytes) {}

  void read(const Variable& v, std::span<const std::int64_t> start, std::span<const std::int64_t> count, void* out) const override {
    require_numbers(v);
    const ClassicExtent& e = extents_[std::size_t(&v - header_.variables.data())];
    const auto size = shape(v);
    const int rank = int(size.size());
    std::int64_t total = 1;
    for (int k = 0; k < rank; ++k) {
      if (start[std::size_t(k)] < 0 || count[std::size_t(k)] < 0 || start[std::size_t(k)] > size[std::size_t(k)] - count[std::size_t(k)]) {
        throw_usage("read", fmt::format("axis {} of '{}' has {} positions, asked for {} from {}", k, v.name, size[std::size_t(k)], count[std::size_t(k)], start[std::size_t(k)]));
      }
      total *= count[std::size_t(k)];
    }
    if (total == 0) return;
    const std::uint64_t width = size_of(v.type);
    // Bytes from one position to the next of each axis.
    std::vector<std::uint64_t> stride(std::size_t(rank), width);
    for (int k = rank - 2; k >= 0; --k) stride[std::size_t(k)] = stride[std::size_t(k) + 1] * std::uint64_t(size[std::size_t(k) + 1]);
    if (e.record) stride[0] = record_bytes_;
    // The axes from `inner` on lie in one run.
    int inner = rank;
    std::uint64_t run = width;
    while (inner > 0 && stride[std::size_t(inner) - 1] == run) {
      run *= std::uint64_t(count[std::size_t(--inner)]);
      if (count[std::size_t(inner)] != size[std::size_t(inner)]) break;
    }
    auto* to = static_cast<std::byte*>(out);
    std::vector<std::int64_t> at(start.begin(), start.end());
    for (std::int64_t done = 0, runs = total * std::int64_t(width) / std::int64_t(run); done < runs; ++done, to += run) {
      std::uint64_t offset = e.begin;
      for (int k = 0; k < rank; ++k) offset += stride[std::size_t(k)] * std::uint64_t(at[std::size_t(k)]);
      if (file_->read_at(offset, to, run) != run) {
        throw Error(ErrorKind::data, "climate.truncated", fmt::format("variable '{}': {} bytes are wanted from byte {} on, the file ended (it was cut while open)", v.name, run, offset),
                    "copy or download the file again", path_.string());
      }
      for (int k = inner - 1; k >= 0; --k) {
        if (++at[std::size_t(k)] < start[std::size_t(k)] + count[std::size_t(k)]) break;
        at[std::size_t(k)] = start[std::size_t(k)];
      }
    }
    if constexpr (std::endian::native == std::endian::little) {
      if (width == 2) swap_all(static_cast<std::uint16_t*>(out), total);
      if (width == 4) swap_all(static_cast<std::uint32_t*>(out), total);
      if (width == 8) swap_all(static_cast<std::uint64_t*>(out), total);
    }
  }

  std::vector<std::string> read_texts(const Variable& v) const override {
    if (v.type != NcType::character) throw Error(ErrorKind::data, "climate.type", "variable '" + v.name + "' holds no text", {}, path_.string());
    return texts_of_characters(v);
  }

 private:
  std::unique_ptr<File> file_;
  std::vector<ClassicExtent> extents_;
  std::uint64_t record_bytes_;
};

}  // namespace

std::unique_ptr<NetcdfFile> open_classic(const std::filesystem::path& path, const OpenOptions& options) {
  auto file = files().open_read(path);
  auto header = read_classic_header(*file, options.whole_records);
  return std::make_unique<ClassicFile>(path, std::move(file), std::move(header));
}

}  // namespace tenon::climate
