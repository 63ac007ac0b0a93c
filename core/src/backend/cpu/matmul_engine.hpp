/// Matrix products on the CPU, on raw pointers: c[b] = a[b] x b[b] (+ bias), for a list of matrices b.
///
/// A MatmulProgram is prepared for given sizes, immutable, and may run on several threads at once; its runs use
/// tenon::parallel_for over tiles cut by size alone, so the bits are the same for any thread count. Preparing costs about
/// a microsecond in f32 and f64; bf16 uses library primitives from a bounded cache, about a millisecond the first time.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "backend/matmul_geometry.hpp"
#include "tenon/export.hpp"

namespace tenon::cpu {

struct TileProduct;

class TENON_API MatmulProgram {
 public:
  explicit MatmulProgram(const MatmulGeometry& g);
  std::size_t workspace_bytes() const { return workspace_bytes_; }
  void run(const void* a, const void* b, const void* bias, void* c, void* workspace) const;

 private:
  struct Tile {
    std::int64_t matrix, m0, m, n0, n, part;
    std::shared_ptr<const TileProduct> product;  ///< bf16 only
  };
  std::int64_t depth(std::int64_t part) const;
  void run_tile(const Tile& t, const void* a, const void* b, const void* bias, void* c, void* workspace) const;
  /// a^T b in f32: the library's loops meet themselves in the cache where rows are a power of two apart, so both operands are packed here.
  void run_packed(const float* a, const float* b, float* c, float* packed_b) const;
  void add_parts(const void* workspace, const void* bias, void* c) const;

  MatmulGeometry g_;
  std::vector<Tile> tiles_;
  std::int64_t parts_ = 1, part_depth_ = 0;  ///< a long k is cut into parts that are summed in order
  std::int64_t tiles_a_task_ = 1;
  bool packed_ = false;
  std::size_t workspace_bytes_ = 0;
};

/// Whether this machine's library multiplies bf16 matrices at all.
TENON_API bool matmul_has_bf16();

}  // namespace tenon::cpu
