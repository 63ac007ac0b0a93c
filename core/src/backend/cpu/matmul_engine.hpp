/// Matrix products on the CPU, on raw pointers: c[b] = a[b] x b[b] (+ bias), for a list of matrices b.
///
/// A MatmulProgram is prepared for given sizes, immutable, and may run on several threads at once; its runs use
/// tenon::parallel_for over tiles cut by size alone, so the bits are the same for any thread count. f64 and small f32 products run
/// on loops of our own (dense_product.hpp), large f32 ones too (small_product.hpp, both operands packed), f32 ones between on oneDNN's sgemm. Preparing costs about
/// a microsecond in f32 and f64; bf16 uses library primitives from a bounded cache, about a millisecond the first time.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

#include "backend/cpu/dense_product.hpp"
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
  };
  Tile tile(std::int64_t index) const;
  DenseProduct dense() const;  ///< of a whole matrix
  std::int64_t depth(std::int64_t part) const;
  /// Index among the bf16 primitives: a tile is whole or last along each of rows, columns and depth.
  std::size_t product_index(const Tile& t) const;
  void run_tile(const Tile& t, const void* a, const void* b, const void* bias, void* c, void* workspace) const;
  /// One large product in f32, both operands packed: b once for all tasks, rows of a by each.
  void run_packed(const float* a, const float* b, const float* bias, float* c, float* packed_b) const;
  /// One deep product in f32, by parts of the depth into the workspace.
  void run_deep(const float* a, const float* b, float* partial) const;
  void add_parts(const void* workspace, const void* bias, void* c) const;

  MatmulGeometry g_;
  bool own_loops_ = false;
  std::int64_t rows_ = 1, row_pieces_ = 1, columns_ = 1, column_pieces_ = 1, tiles_ = 0;  ///< of a tile, and how many a matrix; in all
  std::array<std::shared_ptr<const TileProduct>, 8> products_;                             ///< bf16 only
  std::int64_t parts_ = 1, part_depth_ = 0;  ///< a long k is cut into parts that are summed in order
  std::int64_t tiles_a_task_ = 1;
  bool many_ = false;  ///< small matrices: a run of them at a time
  bool deep_ = false, packed_ = false;
  std::size_t workspace_bytes_ = 0;
};

/// Whether this machine's library multiplies bf16 matrices at all.
TENON_API bool matmul_has_bf16();

}  // namespace tenon::cpu
