/// HDF5's filters undone: shuffle (bytes of a number apart, in planes), deflate (a zlib stream) and fletcher32 (a checksum at the end).
/// A call belongs to one thread; an Inflater may be used for many chunks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

struct libdeflate_decompressor;

namespace tenon::climate {

/// `bytes` of planes to numbers of `size` bytes (1, 2, 4, 8), in the other byte order where `swapped`; what is left of a number at the end was not shuffled.
/// The ranges do not overlap.
void unshuffle(const std::byte* planes, std::size_t bytes, std::size_t size, bool swapped, std::byte* out);
/// Bytes of each number turned round, in place.
void swap_bytes(std::byte* data, std::size_t bytes, std::size_t size);
/// The checksum that HDF5 stores, of any bytes.
std::uint32_t fletcher32(const std::byte* data, std::size_t bytes);
/// Does the checksum in the last four bytes hold for those before? HDF5 1.6.2 and older stored it with the bytes of its halves exchanged: taken too, as HDF5 does.
bool fletcher32_holds(const std::byte* data, std::size_t bytes);

class Inflater {
 public:
  Inflater();
  /// A zlib stream that holds exactly `size` bytes; what follows it is not looked at. Empty when that went well, else what is wrong.
  std::string operator()(const std::byte* stream, std::size_t stored, std::byte* out, std::size_t size);

 private:
  struct Free {
    void operator()(libdeflate_decompressor* d) const noexcept;
  };
  std::unique_ptr<libdeflate_decompressor, Free> inflate_;
};

}  // namespace tenon::climate
