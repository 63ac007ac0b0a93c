#include "ops/padding_kernels.hpp"

#include "backend/cuda/install.hpp"
#include "backend/cuda/upload.cuh"
#include "backend/cuda/words.cuh"

namespace tenon::cuda {
namespace {

/// The axes' tables lie one after another; -1 is the constant.
struct TableMap {
  int rank = 0;
  LongDivider to[kMaxRank];
  std::int64_t from[kMaxRank] = {}, begin[kMaxRank] = {};
  const std::int64_t* tables = nullptr;

  __device__ std::int64_t operator()(std::int64_t e) const {
    std::int64_t source = 0, stride = 1;
    bool inside = true;
    for (int a = rank - 1; a >= 0; --a) {
      std::int64_t j = e;
      e = to[a].split(j);
      const std::int64_t s = __ldg(reinterpret_cast<const long long*>(tables) + begin[a] + j);
      inside = inside && s >= 0;
      source += s * stride;
      stride *= from[a];
    }
    return inside ? source : -1;
  }
};

Kernel make_padding(const TablePadding& p) {
  TableMap map;
  std::vector<std::int64_t> tables;
  std::int64_t elements = 1;
  for (const PaddedAxis& axis : *p.axes) {
    map.to[map.rank] = LongDivider(axis.to);
    map.from[map.rank] = axis.from;
    map.begin[map.rank++] = std::int64_t(tables.size());
    tables.insert(tables.end(), axis.source.begin(), axis.source.end());
    elements *= axis.to;
  }
  const auto device_tables = upload(tables);
  map.tables = device_tables.get();
  return [map, device_tables, elements, bytes = p.element, fill = FillPattern(p.fill, p.fill_bytes)](void* const* o) {
    run_map("pad_axes", o[0], o[1], elements, bytes, map, fill);
  };
}

}  // namespace

void install_padding() {
  table_padding_kernel.set(DeviceType::cuda, make_padding);
}

}  // namespace tenon::cuda
