#include "climate/io/records.hpp"

#include <algorithm>

#include "climate/io/stored.hpp"

namespace tenon::climate {
namespace {

constexpr std::size_t kChunkBytes = std::size_t(1) << 20, kPieceBytes = std::size_t(1) << 25;

}  // namespace

Records::Records(const Dataset& data, bool classic, std::function<void()> between) : between_(std::move(between)) {
  std::vector<std::string> in_order;
  auto add = [&](const LabelledArray& array) {
    for (std::size_t k = 0; k < array.axes.size(); ++k) {
      const Axis& a = array.axes[k];
      if (!a.attributes.count(kUnlimited) || std::int64_t(k) >= array.values.rank() || array.values.size(int(k)) == 0) continue;
      if (sizes_.emplace(a.name, array.values.size(int(k))).second) in_order.push_back(a.name);
    }
  };
  auto drop_inner = [&](const LabelledArray& array) {
    for (std::size_t k = 1; k < array.axes.size(); ++k) sizes_.erase(array.axes[k].name);
  };
  for (const auto& v : data.variables) add(v);
  if (!classic) return;
  for (const auto& v : data.variables) {
    drop_inner(v);
    for (const auto& extra : v.auxiliary) drop_inner(extra);
  }
  bool found = false;
  for (const auto& name : in_order) {
    if (sizes_.count(name) == 0) continue;
    if (found) sizes_.erase(name);
    found = true;
  }
}

std::size_t Records::size(const netCDF::NcDim& dimension) const {
  const auto open = sizes_.find(dimension.getName());
  return open == sizes_.end() ? dimension.getSize() : open->second;
}

std::size_t Records::rows_at_once(const netCDF::NcVar& variable, std::size_t bytes_of_row, std::size_t rows) const {
  if (bytes_of_row == 0 || rows * bytes_of_row <= 2 * kPieceBytes) return std::max<std::size_t>(rows, 1);
  netCDF::NcVar::ChunkMode mode = netCDF::NcVar::nc_CONTIGUOUS;
  std::vector<std::size_t> chunk;
  variable.getChunkingParameters(mode, chunk);
  const std::size_t whole = mode == netCDF::NcVar::nc_CHUNKED && !chunk.empty() ? std::max<std::size_t>(chunk[0], 1) : 1;
  return std::max<std::size_t>(1, kPieceBytes / bytes_of_row / whole) * whole;
}

void Records::set_chunks(netCDF::NcVar& variable, const std::vector<netCDF::NcDim>& dimensions, std::size_t bytes_of_value) const {
  std::size_t record = bytes_of_value, open = 0;
  std::vector<std::size_t> chunk;
  for (const auto& d : dimensions) {
    const bool grows = contains(d.getName());
    open += grows;
    chunk.push_back(grows ? 1 : std::max<std::size_t>(1, size(d)));
    record *= chunk.back();
  }
  if (open == 0 || record == 0) return;
  for (std::size_t k = 0; k < dimensions.size(); ++k) {  // the last of several that grow takes what is left of the megabyte
    const std::size_t d = dimensions.size() - 1 - k;
    if (!contains(dimensions[d].getName())) continue;
    chunk[d] = std::clamp<std::size_t>(kChunkBytes / record, 1, size(dimensions[d]));
    break;
  }
  variable.setChunking(netCDF::NcVar::nc_CHUNKED, chunk);
}

}  // namespace tenon::climate
