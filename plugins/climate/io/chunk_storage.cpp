#include "climate/io/chunk_storage.hpp"

#include <algorithm>
#include <string>

namespace tenon::climate {
namespace {

struct StoredType {
  hid_t native, little, big;
};

std::optional<StoredType> stored_type(NcType type) {
  switch (type) {
    case NcType::byte: return StoredType{H5T_NATIVE_INT8, H5T_STD_I8LE, H5T_STD_I8BE};
    case NcType::uint8: return StoredType{H5T_NATIVE_UINT8, H5T_STD_U8LE, H5T_STD_U8BE};
    case NcType::int16: return StoredType{H5T_NATIVE_INT16, H5T_STD_I16LE, H5T_STD_I16BE};
    case NcType::uint16: return StoredType{H5T_NATIVE_UINT16, H5T_STD_U16LE, H5T_STD_U16BE};
    case NcType::int32: return StoredType{H5T_NATIVE_INT32, H5T_STD_I32LE, H5T_STD_I32BE};
    case NcType::uint32: return StoredType{H5T_NATIVE_UINT32, H5T_STD_U32LE, H5T_STD_U32BE};
    case NcType::int64: return StoredType{H5T_NATIVE_INT64, H5T_STD_I64LE, H5T_STD_I64BE};
    case NcType::uint64: return StoredType{H5T_NATIVE_UINT64, H5T_STD_U64LE, H5T_STD_U64BE};
    case NcType::float32: return StoredType{H5T_NATIVE_FLOAT, H5T_IEEE_F32LE, H5T_IEEE_F32BE};
    case NcType::float64: return StoredType{H5T_NATIVE_DOUBLE, H5T_IEEE_F64LE, H5T_IEEE_F64BE};
    default: return {};
  }
}

/// The filters in the order of writing, where each is one that is undone here and none comes twice.
std::optional<std::vector<H5Z_filter_t>> filters_of(hid_t properties, std::size_t size) {
  std::vector<H5Z_filter_t> out;
  const int n = H5Pget_nfilters(properties);
  for (int i = 0; i < n; ++i) {
    unsigned flags = 0;
    std::array<unsigned, 8> values{};
    std::size_t given = values.size();
    const H5Z_filter_t filter = H5Pget_filter2(properties, unsigned(i), &flags, &given, values.data(), 0, nullptr, nullptr);
    if (filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_FLETCHER32) return {};
    if (std::find(out.begin(), out.end(), filter) != out.end()) return {};
    if (filter == H5Z_FILTER_SHUFFLE && values[0] != size) return {};
    out.push_back(filter);
  }
  if (out.empty()) return {};  // HDF5 only copies then
  return out;
}

}  // namespace

std::unique_ptr<ChunkStorage> chunk_storage(hid_t file, const Header& header, const Variable& v) {
  const auto type = stored_type(v.type);
  if (!type || v.chunks.empty() || !v.members.empty()) return {};
  // A variable that is called like a dimension and is no coordinate of it is stored under another name.
  const std::size_t slash = v.name.rfind('/') + 1;
  const std::string group = v.name.substr(0, slash), other = group + "_nc4_non_coord_" + v.name.substr(slash);
  const bool renamed = (group.empty() || H5Lexists(file, group.c_str(), H5P_DEFAULT) > 0) && H5Lexists(file, other.c_str(), H5P_DEFAULT) > 0;
  H5Id dataset(H5Dopen2(file, renamed ? other.c_str() : v.name.c_str(), H5P_DEFAULT), H5Dclose);
  if (!dataset) return {};
  const H5Id stored(H5Dget_type(dataset.get()), H5Tclose), space(H5Dget_space(dataset.get()), H5Sclose), properties(H5Dget_create_plist(dataset.get()), H5Pclose);
  if (!stored || !space || !properties) return {};

  const bool little = H5Tequal(stored.get(), type->little) > 0;
  if (!little && H5Tequal(stored.get(), type->big) <= 0) return {};
  const std::size_t rank = v.dimensions.size();
  std::array<hsize_t, H5S_MAX_RANK> sides{}, chunks{};
  if (H5Sget_simple_extent_ndims(space.get()) != int(rank) || H5Sget_simple_extent_dims(space.get(), sides.data(), nullptr) != int(rank)) return {};
  if (H5Pget_layout(properties.get()) != H5D_CHUNKED || H5Pget_chunk(properties.get(), int(rank), chunks.data()) != int(rank)) return {};
  unsigned edges = 0;  // chunks over the edge may be left unfiltered
  if (H5Pget_chunk_opts(properties.get(), &edges) < 0 || edges != 0) return {};
  auto filters = filters_of(properties.get(), size_of(v.type));
  if (!filters) return {};

  auto out = std::make_unique<ChunkStorage>();
  out->filters = std::move(*filters);
  out->native = type->native;
  out->item = out->bytes = size_of(v.type);
  out->swapped = !little && out->item > 1;
  for (std::size_t k = 0; k < rank; ++k) {
    const auto side = std::int64_t(sides[k]), chunk = std::int64_t(chunks[k]);
    // Of an unlimited dimension a variable may hold less than there is: libnetcdf fills the rest.
    if (side != header.dimensions[v.dimensions[k]].size || chunk != v.chunks[k] || chunk <= 0) return {};
    out->shape.push_back(side);
    out->chunk.push_back(chunk);
    out->grid.push_back((side + chunk - 1) / chunk);
    out->bytes *= std::size_t(chunk);
  }
  H5D_fill_time_t when = H5D_FILL_TIME_ERROR;
  H5D_fill_value_t defined = H5D_FILL_VALUE_ERROR;
  std::array<std::byte, 8> fill{};
  if (H5Pget_fill_time(properties.get(), &when) >= 0 && when != H5D_FILL_TIME_NEVER && H5Pfill_value_defined(properties.get(), &defined) >= 0 && defined == H5D_FILL_VALUE_USER_DEFINED &&
      H5Pget_fill_value(properties.get(), type->native, fill.data()) >= 0)
    out->fill = fill;
  out->dataset = dataset.release();
  return out;
}

}  // namespace tenon::climate
