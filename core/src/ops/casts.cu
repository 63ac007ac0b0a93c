/// Many dense tensors converted by one kernel: the weights of a step in 16 bits.
#include "backend/cuda/install.hpp"
#include "backend/cuda/lanes.cuh"
#include "backend/cuda/launch.cuh"
#include "ops/copy.hpp"

namespace tenon::cuda {
namespace {

constexpr int V = 8;                                  // elements a thread
constexpr std::int64_t kPart = std::int64_t(kBlock) * V;  // and a block

struct CastTable {
  int casts = 0;
  DType from[kCasts], to[kCasts];
  std::uint32_t first[kCasts + 1] = {};  // block
  std::uint32_t count[kCasts];
  const void* source[kCasts];
  void* result[kCasts];
};

__global__ void __launch_bounds__(kBlock) convert_casts(CastTable table) {
  int low = 0, high = table.casts;  // the last cast that begins at this block or before
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (table.first[middle] <= blockIdx.x) low = middle;
    else high = middle;
  }
  const std::int64_t at = std::int64_t(blockIdx.x - table.first[low]) * kPart + std::int64_t(threadIdx.x) * V;
  const std::int64_t left = std::int64_t(table.count[low]) - at;
  if (left <= 0) return;
  const void* from = table.source[low];
  void* to = table.result[low];
  const DType in = table.from[low], out = table.to[low];
  const auto mask = std::uintptr_t(15);
  if (left >= V && !((reinterpret_cast<std::uintptr_t>(from) | reinterpret_cast<std::uintptr_t>(to)) & mask)) {
    float v[V];
    load_lanes<float, V>(in, from, at, v);
    store_lanes<float, V>(out, to, at, v);
    return;
  }
#pragma unroll 1
  for (std::int64_t i = at; i < at + (left < V ? left : V); ++i) store_lane<float>(out, to, i, load_lane<float>(in, from, i));
}

Kernel make_casts(const std::vector<Cast>& casts) {
  if (casts.size() > kCasts) throw Error(ErrorKind::internal, "casts.many", std::to_string(casts.size()) + " casts in one kernel");
  CastTable table;
  table.casts = int(casts.size());
  for (std::size_t i = 0; i < casts.size(); ++i) {
    const std::int64_t blocks = (casts[i].count + kPart - 1) / kPart;
    if (casts[i].count > 0x7fffffff || table.first[i] + blocks > 0x7fffffff) throw Error(ErrorKind::internal, "casts.large", std::to_string(casts[i].count) + " elements in a cast");
    table.from[i] = casts[i].from;
    table.to[i] = casts[i].to;
    table.count[i] = std::uint32_t(casts[i].count);
    table.first[i + 1] = table.first[i] + std::uint32_t(blocks);
  }
  return [table](void* const* p) {
    CastTable now = table;
    for (int i = 0; i < now.casts; ++i) {
      now.source[i] = p[i];
      now.result[i] = p[now.casts + i];
    }
    if (const unsigned blocks = now.first[now.casts]) start("casts", dim3(blocks), dim3(unsigned(kBlock)), 0, convert_casts, now);
  };
}

}  // namespace

void install_casts() { casts_kernel.set(DeviceType::cuda, make_casts); }

}  // namespace tenon::cuda
