/// Chunks of NetCDF-4 variables, unpacked by us and in parallel: HDF5 inflates with zlib, one chunk after the other, under the lock of the process.
///
/// HDF5 finds and reads the stored bytes of a chunk (under netcdf_lock(), which is short); checksum, inflating, unshuffling, byte order and the
/// copy into the box run on the thread pool. Plain numbers whose filters are among shuffle, deflate and fletcher32 are read so; for anything
/// else read() says no and HDF5 reads it. Chunks that a box covers in part are kept, at most kCacheBytes and always the last, so that reading row by
/// row inflates none twice.
///
/// May be used from several threads. Memory in flight: each thread holds one chunk as stored and up to three unpacked.
#pragma once

#include <hdf5.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "climate/io/netcdf_file.hpp"

namespace tenon::climate {

struct ChunkStorage;  ///< how a variable lies in the file

class ChunkReader {
 public:
  static constexpr std::size_t kCacheBytes = std::size_t(64) << 20;

  explicit ChunkReader(std::filesystem::path path);
  ~ChunkReader();  ///< takes netcdf_lock(); before libnetcdf closes the file
  ChunkReader(const ChunkReader&) = delete;
  ChunkReader& operator=(const ChunkReader&) = delete;

  /// As NetcdfFile::read, of a box with no empty side. False: not read here, `out` is undefined. Throws climate.chunk for a chunk that is damaged, the first of
  /// the box for any number of threads.
  bool read(const Header& header, const Variable& variable, std::span<const std::int64_t> start, std::span<const std::int64_t> count, void* out);

 private:
  struct Piece;    ///< a chunk and what the box takes of it
  class Unpacker;  ///< buffers of a task
  using Bytes = std::shared_ptr<std::byte[]>;
  using Key = std::pair<const ChunkStorage*, std::int64_t>;

  const ChunkStorage* storage_of(const Header& header, const Variable& variable);
  Bytes cached(const Key& key);
  void keep(const Key& key, Bytes chunk, std::size_t size);

  std::filesystem::path path_;
  hid_t file_ = H5I_INVALID_HID;
  std::uint64_t file_size_ = 0;
  std::map<const Variable*, std::unique_ptr<ChunkStorage>> storage_;  ///< under netcdf_lock(); null: HDF5 reads it

  struct Kept {
    Key key;
    Bytes chunk;
    std::size_t size;
  };
  std::mutex cache_;
  std::list<Kept> kept_;  ///< the last used first
  std::map<Key, std::list<Kept>::iterator> where_;
  std::size_t kept_bytes_ = 0;
};

/// "chunk 3 (time 6 to 7, lat 0 to 11)": of the chunk at place `at` of the grid of chunks.
std::string chunk_text(const Header& header, const Variable& variable, std::span<const std::int64_t> at);

}  // namespace tenon::climate
