#include "climate/io/chunks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <optional>

#include "climate/io/chunk_storage.hpp"
#include "climate/io/filters.hpp"
#include "tenon/error.hpp"
#include "tenon/kernel.hpp"

namespace tenon::climate {
namespace {

/// `sizes` of a box in a row-major array of `shape`, both of `rank` sides, copied run by run.
void copy_box(const std::byte* from, std::span<const std::int64_t> from_shape, std::span<const std::int64_t> from_at, std::byte* to, std::span<const std::int64_t> to_shape,
              std::span<const std::int64_t> to_at, std::span<const std::int64_t> sizes, std::size_t item) {
  // The last sides that are whole in both make one run.
  std::size_t inner = sizes.size() - 1;
  std::size_t run = std::size_t(sizes[inner]) * item;
  while (inner > 0 && sizes[inner] == from_shape[inner] && sizes[inner] == to_shape[inner]) run *= std::size_t(sizes[--inner]);
  std::vector<std::int64_t> at(sizes.size(), 0);
  while (true) {
    std::size_t f = 0, t = 0;
    for (std::size_t k = 0; k < sizes.size(); ++k) {
      f = f * std::size_t(from_shape[k]) + std::size_t(from_at[k] + at[k]);
      t = t * std::size_t(to_shape[k]) + std::size_t(to_at[k] + at[k]);
    }
    std::memcpy(to + t * item, from + f * item, run);
    std::size_t k = inner;
    while (k > 0 && ++at[k - 1] == sizes[k - 1]) at[--k] = 0;
    if (k == 0) return;
  }
}

std::shared_ptr<std::byte[]> make_bytes(std::size_t n) { return std::shared_ptr<std::byte[]>(new std::byte[n]); }

}  // namespace

struct ChunkReader::Piece {
  std::vector<std::int64_t> at;                    ///< in the grid of chunks
  std::vector<std::int64_t> inside, box, sizes;    ///< where the part begins in the chunk and in the box, and its sides
  std::int64_t index = 0;
  bool whole = true, direct = false;               ///< direct: its numbers follow each other in the box too
};

/// Reads and unpacks chunks one after the other.
class ChunkReader::Unpacker {
 public:
  Unpacker(const ChunkStorage& s, std::uint64_t file_size) : s_(s), file_size_(file_size) {}

  enum class Found { chunk, missing, unreadable };

  /// Stored bytes of a chunk.
  Found fetch(const Piece& piece) {
    std::array<hsize_t, H5S_MAX_RANK> offset{};
    for (std::size_t k = 0; k < piece.at.size(); ++k) offset[k] = hsize_t(piece.at[k] * s_.chunk[k]);
    std::lock_guard hold(netcdf_lock());
    const H5Silence silence;
    hsize_t size = 0;
    if (H5Dget_chunk_storage_size(s_.dataset, offset.data(), &size) < 0 || size == 0) return reads_as_fill(offset.data()) ? Found::missing : Found::unreadable;
    if (size > file_size_) return Found::unreadable;
    if (size > capacity_) {
      stored_ = make_bytes(size);
      capacity_ = size;
    }
    size_ = size;
    return H5Dread_chunk(s_.dataset, H5P_DEFAULT, offset.data(), &mask_, stored_.get()) < 0 ? Found::unreadable : Found::chunk;
  }

  /// The fetched chunk to `out`; what is wrong with it, or nothing.
  std::string unpack(std::byte* out) {
    const std::byte* data = stored_.get();
    std::size_t size = size_;
    bool swapped = s_.swapped;
    for (std::size_t i = s_.filters.size(); i-- > 0;) {
      if (skips(i)) continue;
      // What the filter was given when the chunk was written: the numbers, and a checksum made before.
      const auto wanted = s_.bytes + (checked_before(i) ? 4 : 0);
      std::byte* to = last_of(i) ? out : other(data);
      if (s_.filters[i] == H5Z_FILTER_FLETCHER32) {
        if (!fletcher32_holds(data, size)) return "its checksum (fletcher32) is wrong";
        size -= 4;
        continue;
      }
      if (s_.filters[i] == H5Z_FILTER_DEFLATE) {
        if (std::string wrong = inflate_(data, size, to, wanted); !wrong.empty()) return wrong;
      } else {
        if (size != wanted) break;
        unshuffle(data, size, s_.item, swapped && to == out, to);
        swapped = swapped && to != out;
      }
      data = to;
      size = wanted;
    }
    if (size != s_.bytes) return fmt::format("it holds {} bytes, {} are wanted", size, s_.bytes);
    if (data != out) std::memcpy(out, data, size);
    if (swapped) swap_bytes(out, size, s_.item);
    return {};
  }

  /// Room for a chunk, the same with every call.
  std::byte* image() {
    if (!image_) image_ = make_bytes(s_.bytes);
    return image_.get();
  }

 private:
  /// HDF5 1.10 gives no size for a chunk that was never written, and none for one whose index is damaged: reading a number tells them apart.
  bool reads_as_fill(const hsize_t* offset) const {
    if (!s_.fill) return false;
    std::array<hsize_t, H5S_MAX_RANK> one;
    one.fill(1);
    std::array<std::byte, 8> number{};
    const H5Id all(H5Dget_space(s_.dataset), H5Sclose), memory(H5Screate(H5S_SCALAR), H5Sclose);
    return all && memory && H5Sselect_hyperslab(all.get(), H5S_SELECT_SET, offset, nullptr, one.data(), nullptr) >= 0 &&
           H5Dread(s_.dataset, s_.native, memory.get(), all.get(), H5P_DEFAULT, number.data()) >= 0 && std::memcmp(number.data(), s_.fill->data(), s_.item) == 0;
  }
  bool skips(std::size_t i) const { return mask_ >> i & 1; }
  bool checked_before(std::size_t i) const {
    while (i-- > 0)
      if (s_.filters[i] == H5Z_FILTER_FLETCHER32 && !skips(i)) return true;
    return false;
  }
  /// Is no filter left to undo after this one?
  bool last_of(std::size_t i) const {
    while (i-- > 0)
      if (!skips(i)) return false;
    return true;
  }
  /// A buffer that is not `data`, with room for a chunk and a checksum.
  std::byte* other(const std::byte* data) {
    Bytes& b = data == between_[0].get() ? between_[1] : between_[0];
    if (!b) b = make_bytes(s_.bytes + 4);
    return b.get();
  }

  const ChunkStorage& s_;
  const std::uint64_t file_size_;
  Bytes stored_, image_;
  std::array<Bytes, 2> between_;
  std::size_t capacity_ = 0, size_ = 0;
  std::uint32_t mask_ = 0;
  Inflater inflate_;
};

ChunkReader::ChunkReader(std::filesystem::path path) : path_(std::move(path)) {}

ChunkReader::~ChunkReader() {
  if (file_ < 0) return;  // nothing was opened, and who opens the file may hold the lock
  std::lock_guard hold(netcdf_lock());
  storage_.clear();
  H5Fclose(file_);
}

const ChunkStorage* ChunkReader::storage_of(const Header& header, const Variable& v) {
  std::lock_guard hold(netcdf_lock());
  auto [found, fresh] = storage_.try_emplace(&v);
  const H5Silence silence;
  if (!fresh) return found->second.get();
  if (file_ < 0) {
    // HDF5 shares the file with libnetcdf's handle, whose close degree the default takes over.
    file_ = H5Fopen(std::filesystem::absolute(path_).c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
    hsize_t size = 0;
    if (file_ >= 0 && H5Fget_filesize(file_, &size) >= 0) file_size_ = size;
  }
  if (file_ >= 0) found->second = chunk_storage(file_, header, v);
  return found->second.get();
}

ChunkReader::Bytes ChunkReader::cached(const Key& key) {
  std::lock_guard hold(cache_);
  const auto found = where_.find(key);
  if (found == where_.end()) return {};
  kept_.splice(kept_.begin(), kept_, found->second);
  return found->second->chunk;
}

void ChunkReader::keep(const Key& key, Bytes chunk, std::size_t size) {
  std::lock_guard hold(cache_);
  if (where_.count(key)) return;
  kept_.push_front({key, std::move(chunk), size});
  where_[key] = kept_.begin();
  kept_bytes_ += size;
  while (kept_bytes_ > kCacheBytes && kept_.size() > 1) {
    kept_bytes_ -= kept_.back().size;
    where_.erase(kept_.back().key);
    kept_.pop_back();
  }
}

bool ChunkReader::read(const Header& header, const Variable& v, std::span<const std::int64_t> start, std::span<const std::int64_t> count, void* out) {
  const ChunkStorage* found = v.chunks.empty() ? nullptr : storage_of(header, v);
  if (!found) return false;
  const ChunkStorage& s = *found;
  const std::size_t rank = s.chunk.size();
  std::vector<std::int64_t> first(rank), sides(rank);
  std::int64_t pieces = 1;
  for (std::size_t k = 0; k < rank; ++k) {
    if (start[k] < 0 || count[k] <= 0 || start[k] > s.shape[k] - count[k]) return false;
    first[k] = start[k] / s.chunk[k];
    sides[k] = (start[k] + count[k] - 1) / s.chunk[k] - first[k] + 1;
    pieces *= sides[k];
  }
  auto piece_at = [&](std::int64_t number) {
    Piece p;
    p.at.resize(rank), p.inside.resize(rank), p.box.resize(rank), p.sizes.resize(rank);
    for (std::size_t k = rank; k-- > 0; number /= sides[k]) p.at[k] = first[k] + number % sides[k];
    bool apart = false;  // has a side before this one more than one place in the part?
    p.direct = true;
    for (std::size_t k = 0; k < rank; ++k) {
      const std::int64_t begin = p.at[k] * s.chunk[k], from = std::max(begin, start[k]), to = std::min({begin + s.chunk[k], start[k] + count[k], s.shape[k]});
      p.index = p.index * s.grid[k] + p.at[k];
      p.inside[k] = from - begin;
      p.box[k] = from - start[k];
      p.sizes[k] = to - from;
      p.whole = p.whole && from == begin && to == std::min(begin + s.chunk[k], s.shape[k]);
      p.direct = p.direct && p.sizes[k] == s.chunk[k] && (!apart || p.sizes[k] == count[k]);
      apart = apart || p.sizes[k] > 1;
    }
    return p;
  };

  std::atomic<std::int64_t> damaged{pieces};  // the first piece that is
  std::atomic<bool> unreadable{false};
  std::mutex reasons;
  std::string reason;
  auto* box = static_cast<std::byte*>(out);
  parallel_blocks(pieces, pieces < 64 ? 1 : 4, [&](std::int64_t from, std::int64_t to) {
    std::optional<Unpacker> unpacker;
    for (std::int64_t i = from; i < to && i < damaged && !unreadable; ++i) {
      const Piece p = piece_at(i);
      auto place = [&](const std::byte* chunk) { copy_box(chunk, s.chunk, p.inside, box, count, p.box, p.sizes, s.item); };
      const Key key{&s, p.index};
      if (!p.whole) {
        if (const Bytes kept = cached(key)) {
          place(kept.get());
          continue;
        }
      }
      if (!unpacker) unpacker.emplace(s, file_size_);
      const auto state = unpacker->fetch(p);
      if (state == Unpacker::Found::unreadable) {
        unreadable = true;
        return;
      }
      const Bytes mine = p.whole ? Bytes() : make_bytes(s.bytes);
      std::int64_t offset = 0;
      for (std::size_t k = 0; k < rank; ++k) offset = offset * count[k] + p.box[k];
      std::byte* to_chunk = p.direct ? box + std::size_t(offset) * s.item : mine ? mine.get() : unpacker->image();
      if (state == Unpacker::Found::missing) {
        for (std::size_t at = 0; at < s.bytes; at += s.item) std::memcpy(to_chunk + at, s.fill->data(), s.item);
      } else if (std::string wrong = unpacker->unpack(to_chunk); !wrong.empty()) {
        std::lock_guard hold(reasons);
        if (i < damaged) {
          damaged = i;
          reason = std::move(wrong);
        }
        return;
      }
      if (!p.direct) place(to_chunk);
      if (mine) keep(key, mine, s.bytes);
    }
  });
  if (unreadable) return false;
  if (damaged < pieces) {
    throw Error(ErrorKind::data, "climate.chunk", fmt::format("variable '{}', {} cannot be read: {}", v.name, chunk_text(header, v, piece_at(damaged).at), reason), "copy or download the file again",
                path_.string());
  }
  return true;
}

std::string chunk_text(const Header& header, const Variable& v, std::span<const std::int64_t> at) {
  std::string places;
  std::int64_t index = 0;
  for (std::size_t k = 0; k < at.size(); ++k) {
    const auto& dimension = header.dimensions[v.dimensions[k]];
    const std::int64_t from = at[k] * v.chunks[k], to = std::min(from + v.chunks[k], dimension.size);
    index = index * ((dimension.size + v.chunks[k] - 1) / v.chunks[k]) + at[k];
    places += fmt::format("{}{} {} to {}", k ? ", " : "", dimension.name, from, to - 1);
  }
  return fmt::format("chunk {} ({})", index, places);
}

}  // namespace tenon::climate
