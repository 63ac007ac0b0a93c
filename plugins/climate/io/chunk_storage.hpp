/// How a chunked variable lies in an HDF5 file, and HDF5's handles. All of it under netcdf_lock().
#pragma once

#include <hdf5.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "climate/io/netcdf_file.hpp"

namespace tenon::climate {

/// HDF5's handles, closed by the function that fits.
class H5Id {
 public:
  H5Id(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  ~H5Id() {
    if (id_ >= 0) close_(id_);
  }
  H5Id(const H5Id&) = delete;
  H5Id& operator=(const H5Id&) = delete;
  explicit operator bool() const noexcept { return id_ >= 0; }
  hid_t get() const noexcept { return id_; }
  hid_t release() noexcept { return std::exchange(id_, H5I_INVALID_HID); }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

/// HDF5 prints no errors while one lives, under netcdf_lock().
class H5Silence {
 public:
  H5Silence() {
    H5Eget_auto2(H5E_DEFAULT, &print_, &data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  ~H5Silence() { H5Eset_auto2(H5E_DEFAULT, print_, data_); }
  H5Silence(const H5Silence&) = delete;
  H5Silence& operator=(const H5Silence&) = delete;

 private:
  H5E_auto2_t print_ = nullptr;
  void* data_ = nullptr;
};

struct ChunkStorage {
  hid_t dataset = H5I_INVALID_HID, native = H5I_INVALID_HID;  ///< native: the type in memory, HDF5's own
  std::vector<H5Z_filter_t> filters;
  std::vector<std::int64_t> shape, chunk, grid;  ///< grid: chunks along each side
  std::size_t item = 0, bytes = 0;               ///< of a number and of a chunk
  bool swapped = false;
  std::optional<std::array<std::byte, 8>> fill;  ///< in the byte order of this machine; nothing: HDF5 knows what a missing chunk holds
  ChunkStorage() = default;
  ChunkStorage(const ChunkStorage&) = delete;
  ChunkStorage& operator=(const ChunkStorage&) = delete;
  ~ChunkStorage() { H5Dclose(dataset); }
};

/// Null unless all about the variable is known here: plain numbers, filters that filters.hpp undoes, as long as its dimensions. Then HDF5 reads it.
std::unique_ptr<ChunkStorage> chunk_storage(hid_t file, const Header& header, const Variable& variable);

}  // namespace tenon::climate
