#include "backend/cpu/matmul_engine.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <mutex>

#include "backend/cpu/ceil_div.hpp"
#include "backend/cpu/onednn.hpp"
#include "backend/cpu/small_product.hpp"
#include "tenon/error.hpp"
#include "tenon/kernel.hpp"

namespace tenon::cpu {

using dnnl::memory;

/// A library primitive for one shape of bf16 tile: a, b, c and, where it adds one, the bias.
struct TileProduct {
  LibraryCall call;
};

namespace {

constexpr double kFlopsWorthATask = 1e6;
constexpr double kRowFlopsWorthATask = 1.5e5;  // of products with few rows, which wait for memory
constexpr std::int64_t kMostTiles = 32;  // a matrix
constexpr std::int64_t kTileUnit = 64;   // rows or columns: a multiple of every register block
constexpr std::int64_t kDepthWorthAPart = 2048;
// Of our own loops, which pack what a tile reads: fewer, larger tiles.
constexpr std::int64_t kOwnRowUnit = 12, kOwnRows = 128, kOwnColumns = 512, kOwnColumnsOfRows = 256;

// Products that pack both operands: rows of a task, columns of one where there are too few rows for many tasks, depth packed at a time.
constexpr std::int64_t kPackedRows = 72, kPackedColumns = 256, kPackedDepth = 256, kPackedTiles = 8;
constexpr std::int64_t kPackedDepthWorthAPart = 512;
constexpr std::int64_t kRowGap = 16;    // between packed rows of a, which else meet in the cache's sets
constexpr std::int64_t kRowsMeet = 512;  // rows of a that lie a multiple of this apart do, and are packed
constexpr double kFlopsWorthPacking = 16e6;

/// One large f32 product: our own loop then beats the library's, which packs b anew for each tile, and meets itself in the cache where
/// rows are a power of two apart.
bool worth_packing(const MatmulGeometry& g) {
  return g.in == DType::f32 && g.a_offset.size() == 1 && g.m >= 64 && g.n >= 32 && g.k >= 64 && 2.0 * double(g.m) * double(g.n) * double(g.k) >= kFlopsWorthPacking;
}

/// One that is deep, and too small in its result to be cut there.
bool worth_parts(const MatmulGeometry& g) {
  return worth_packing(g) && g.k >= 4 * kPackedDepthWorthAPart && g.m * g.n <= kPackedRows * kPackedColumns;
}

/// Length of pieces of an axis: about `pieces` of them, multiples of `unit`.
std::int64_t piece(std::int64_t size, std::int64_t pieces, std::int64_t unit = kTileUnit) {
  return ceil_div(ceil_div(size, std::max<std::int64_t>(pieces, 1)), unit) * unit;
}

// ---- bf16: library primitives ------------------------------------------------------------------------------------

using TileKey = std::array<std::int64_t, 10>;

memory::data_type library_type(DType t) {
  return t == DType::bf16 ? memory::data_type::bf16 : memory::data_type::f32;
}

std::shared_ptr<const TileProduct> make_tile_product(const TileKey& key) {
  OneThread single;
  auto [m, n, k, a_row, a_col, b_row, b_col, c_row, out, bias] = key;
  memory::desc a({m, k}, memory::data_type::bf16, memory::dims{a_row, a_col});
  memory::desc b({k, n}, memory::data_type::bf16, memory::dims{b_row, b_col});
  memory::desc c({m, n}, library_type(DType(out)), memory::dims{c_row, 1});
  memory::desc add({1, n}, memory::data_type::f32, memory::dims{n, 1});
  dnnl::matmul::primitive_desc desc(bias ? dnnl::matmul::desc(a, b, add, c) : dnnl::matmul::desc(a, b, c), user_scratchpad(), onednn_engine());
  std::vector<LibraryCall::Argument> arguments{{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, c}};
  if (bias) arguments.push_back({DNNL_ARG_BIAS, add});
  return std::make_shared<const TileProduct>(TileProduct{{dnnl::matmul(desc), std::move(arguments), desc.scratchpad_desc()}});
}

/// From a cache that is emptied when it is full; programs keep the products they use.
std::shared_ptr<const TileProduct> tile_product(const TileKey& key) {
  constexpr std::size_t kCached = 1024;
  static std::mutex mutex;
  static std::map<TileKey, std::shared_ptr<const TileProduct>> cache;
  {
    std::lock_guard lock(mutex);
    if (auto it = cache.find(key); it != cache.end()) return it->second;
  }
  auto made = make_tile_product(key);
  std::lock_guard lock(mutex);
  if (cache.size() >= kCached) cache.clear();
  return cache.emplace(key, made).first->second;
}

template <class T>
void start_rows(T* c, std::int64_t c_row, std::int64_t m, std::int64_t n, const T* bias) {
  for (std::int64_t i = 0; i < m; ++i) std::copy(bias, bias + n, c + i * c_row);
}

}  // namespace

MatmulProgram::MatmulProgram(const MatmulGeometry& g) : g_(g), deep_(worth_parts(g)), packed_(!deep_ && worth_packing(g)) {
  if (deep_) {
    part_depth_ = piece(g.k, std::min(kMostTiles, g.k / kPackedDepthWorthAPart), kPackedDepth);
    parts_ = ceil_div(g.k, part_depth_);
    workspace_bytes_ = std::size_t(parts_ * g.m * g.n) * sizeof(float);
    return;
  }
  if (packed_) {
    workspace_bytes_ = std::size_t(packed_bound(std::min(kPackedDepth, g.k), g.n)) * sizeof(float);
    return;
  }
  auto matrices = std::int64_t(g.a_offset.size());
  double flops = 2.0 * double(g.m) * double(g.n) * double(g.k);
  const double worth = g.m <= kFewRows ? kRowFlopsWorthATask : kFlopsWorthATask;
  auto wanted = std::clamp<std::int64_t>(std::int64_t(flops / worth), 1,
                                         std::max<std::int64_t>(1, kMostTiles / std::max<std::int64_t>(matrices, 1)));
  own_loops_ = g.in == DType::f64 || (g.in == DType::f32 && dense_product_pays_f32(g.m, g.n, g.k));
  if (own_loops_) {
    rows_ = piece(g.m, std::min(wanted, ceil_div(g.m, kOwnRows)), kOwnRowUnit);
    row_pieces_ = ceil_div(g.m, rows_);
    columns_ = piece(g.n, std::min(wanted / row_pieces_, ceil_div(g.n, g.m <= kFewRows ? kOwnColumnsOfRows : kOwnColumns)));
  } else {
    rows_ = piece(g.m, wanted);
    row_pieces_ = ceil_div(g.m, rows_);
    columns_ = piece(g.n, wanted / row_pieces_);
  }
  column_pieces_ = ceil_div(g.n, columns_);
  part_depth_ = g.k;
  if (std::int64_t pieces = row_pieces_ * column_pieces_; wanted > 2 * pieces && g.k >= 2 * kDepthWorthAPart) {
    parts_ = std::min(wanted / pieces, g.k / kDepthWorthAPart);
    part_depth_ = piece(g.k, parts_);
    parts_ = ceil_div(g.k, part_depth_);
  }
  if (parts_ > 1) workspace_bytes_ = std::size_t(parts_ * matrices * g.m * g.n) * (g.in == DType::f64 ? 8 : 4);
  tiles_ = matrices * parts_ * row_pieces_ * column_pieces_;
  if (tiles_ == 0) return;
  if (g.in == DType::bf16)
    for (std::int64_t i = 0; i < tiles_ / matrices; ++i) {
      Tile t = tile(i);
      std::shared_ptr<const TileProduct>& product = products_[product_index(t)];
      if (!product)
        product = tile_product({t.m, t.n, depth(t.part), g.a_row, g.a_col, g.b_row, g.b_col, g.n,
                                std::int64_t(parts_ > 1 ? DType::f32 : g.out), g.bias && parts_ == 1});
    }
  double flops_a_tile = flops * double(matrices) / double(tiles_);
  tiles_a_task_ = std::clamp<std::int64_t>(std::int64_t(worth / std::max(flops_a_tile, 1.0)), 1, tiles_);
  many_ = own_loops_ && matrices > 1 && tiles_ == matrices && !g.bias && g.out == g.in && dense_products_pay(dense());
}

DenseProduct MatmulProgram::dense() const {
  return {g_.m, g_.n, g_.k, g_.a_row, g_.a_col, g_.b_row, g_.b_col, g_.n};
}

MatmulProgram::Tile MatmulProgram::tile(std::int64_t index) const {
  if (tiles_ == std::int64_t(g_.a_offset.size())) return {index, 0, g_.m, 0, g_.n, 0};  // small matrices: no divisions
  std::int64_t j = index % column_pieces_ * columns_, i = index / column_pieces_ % row_pieces_ * rows_;
  std::int64_t matrix = index / (column_pieces_ * row_pieces_);
  return {matrix / parts_, i, std::min(rows_, g_.m - i), j, std::min(columns_, g_.n - j), matrix % parts_};
}

std::size_t MatmulProgram::product_index(const Tile& t) const {
  return (t.m < rows_ ? 1u : 0u) + (t.n < columns_ ? 2u : 0u) + (depth(t.part) < part_depth_ ? 4u : 0u);
}

std::int64_t MatmulProgram::depth(std::int64_t part) const {
  return std::min(part_depth_, g_.k - part * part_depth_);
}

void MatmulProgram::run_tile(const Tile& t, const void* a, const void* b, const void* bias, void* c, void* workspace) const {
  std::int64_t p0 = t.part * part_depth_, k = depth(t.part), c_row = g_.n;
  std::int64_t at_a = g_.a_offset[std::size_t(t.matrix)] + t.m0 * g_.a_row + p0 * g_.a_col;
  std::int64_t at_b = g_.b_offset[std::size_t(t.matrix)] + p0 * g_.b_row + t.n0 * g_.b_col;
  std::int64_t at_c = (t.matrix * g_.m + t.m0) * g_.n + t.n0;
  DType out = g_.out;
  if (parts_ > 1) {  // partial products go to the workspace, one after the other, without the bias
    at_c += t.part * std::int64_t(g_.a_offset.size()) * g_.m * g_.n;
    c = workspace;
    bias = nullptr;
    out = g_.in == DType::f64 ? DType::f64 : DType::f32;
  }
  if (own_loops_) {
    auto run = [&]<class T>(const T* from_a, const T* from_b, const T* start, T* to) {
      if (start) start_rows(to + at_c, c_row, t.m, t.n, start + t.n0);
      dense_product({t.m, t.n, k, g_.a_row, g_.a_col, g_.b_row, g_.b_col, c_row}, from_a + at_a, from_b + at_b, to + at_c,
                    start ? Store::add : Store::set);
    };
    if (g_.in == DType::f64)
      run(static_cast<const double*>(a), static_cast<const double*>(b), static_cast<const double*>(bias), static_cast<double*>(c));
    else
      run(static_cast<const float*>(a), static_cast<const float*>(b), static_cast<const float*>(bias), static_cast<float*>(c));
  } else if (g_.in == DType::f32) {
    float* to = static_cast<float*>(c) + at_c;
    if (bias) start_rows(to, c_row, t.m, t.n, static_cast<const float*>(bias) + t.n0);
    bool a_transposed = g_.a_col != 1, b_transposed = g_.b_col != 1;
    std::int64_t lda = a_transposed ? g_.a_col : g_.a_row;
    std::int64_t ldb = b_transposed ? g_.b_col : g_.b_row;
    dnnl_status_t status =
        dnnl_sgemm(a_transposed ? 'T' : 'N', b_transposed ? 'T' : 'N', t.m, t.n, k, 1.0f, static_cast<const float*>(a) + at_a, lda,
                   static_cast<const float*>(b) + at_b, ldb, bias ? 1.0f : 0.0f, to, c_row);
    if (status != dnnl_success)
      throw Error(ErrorKind::device, "matmul.library",
                  "oneDNN's sgemm refused " + std::to_string(t.m) + " x " + std::to_string(k) + " x " + std::to_string(t.n));
  } else {
    auto address = [](const void* p, std::int64_t at, DType type) {
      return const_cast<char*>(static_cast<const char*>(p)) + at * std::int64_t(size_of(type));
    };
    std::array<void*, 4> addresses{address(a, at_a, DType::bf16), address(b, at_b, DType::bf16), address(c, at_c, out)};
    if (bias) addresses[3] = address(bias, t.n0, DType::f32);
    products_[product_index(t)]->call.run({addresses.data(), bias ? 4u : 3u});
  }
}

void MatmulProgram::run_packed(const float* a, const float* b, const float* bias, float* c, float* packed_b) const {
  const auto& product = small_products<float>();
  a += g_.a_offset[0];
  b += g_.b_offset[0];
  // a multiple of two tiles, of even heights, so that two threads or four end together
  const std::int64_t most = ceil_div(g_.m, kPackedRows), row_tiles = most < 4 ? most : ceil_div(most, 4) * 4, height = ceil_div(g_.m, row_tiles);
  const std::int64_t width = row_tiles >= kPackedTiles ? g_.n : row_tiles * ceil_div(g_.n, kPackedColumns) >= kPackedTiles ? kPackedColumns : kPackedColumns / 4;
  const std::int64_t column_tiles = ceil_div(g_.n, width);
  const std::int64_t chunk_width = g_.n >= kPackedTiles * kPackedColumns ? kPackedColumns : kPackedColumns / 4;
  const bool by_rows = g_.a_col == 1, in_place = by_rows && g_.a_row % kRowsMeet != 0;
  // one part of the depth after the other: its panels of b, all columns, stay in the cache while all rows of a meet them
  for (std::int64_t at = 0; at < g_.k; at += kPackedDepth) {
    const std::int64_t depth = std::min(kPackedDepth, g_.k - at);
    parallel_for(ceil_div(g_.n, chunk_width), [&](std::int64_t chunk) {
      const std::int64_t j = chunk * chunk_width;
      product.pack(b + at * g_.b_row + j * g_.b_col, g_.b_row, g_.b_col, depth, std::min(chunk_width, g_.n - j), 1.0f, packed_b + j * depth);
    });
    parallel_for(row_tiles * column_tiles, [&](std::int64_t tile) {
      const std::int64_t i = tile / column_tiles * height, j = tile % column_tiles * width, m = std::min(height, g_.m - i), n = std::min(width, g_.n - j);
      if (m <= 0) return;
      if (bias && at == 0) start_rows(c + i * g_.n + j, g_.n, m, n, bias + j);
      const float* from = a + at * g_.a_col + i * g_.a_row;
      std::int64_t row = g_.a_row, step = 1;
      if (!in_place) {
        auto* rows = static_cast<float*>(thread_scratch(std::size_t(kPackedRows * (kPackedDepth + kRowGap)) * sizeof(float)));
        row = by_rows ? depth + kRowGap : 1, step = by_rows ? 1 : m;
        if (by_rows)
          for (std::int64_t r = 0; r < m; ++r) std::copy_n(from + r * g_.a_row, depth, rows + r * row);
        else
          for (std::int64_t k = 0; k < depth; ++k) std::copy_n(from + k * g_.a_col, m, rows + k * m);
        from = rows;
      }
      product.run({m, n, depth, row, step, g_.n, at > 0 || bias}, from, packed_b + j * depth, c + i * g_.n + j);
    });
  }
}

void MatmulProgram::run_deep(const float* a, const float* b, float* partial) const {
  const auto& product = small_products<float>();
  a += g_.a_offset[0];
  b += g_.b_offset[0];
  parallel_for(parts_, [&](std::int64_t part) {
    const std::int64_t first = part * part_depth_, last = std::min(first + part_depth_, g_.k), room = g_.m * (kPackedDepth + kRowGap);
    auto* rows = static_cast<float*>(thread_scratch(std::size_t(room + packed_bound(kPackedDepth, g_.n)) * sizeof(float)));
    for (std::int64_t at = first; at < last; at += kPackedDepth) {
      const std::int64_t depth = std::min(kPackedDepth, last - at);
      product.pack(b + at * g_.b_row, g_.b_row, g_.b_col, depth, g_.n, 1.0f, rows + room);
      const float* from = a + at * g_.a_col;
      std::int64_t row = g_.a_row, step = g_.a_col;
      if (g_.a_col == 1) {  // rows a power of two apart would meet in the cache
        for (std::int64_t r = 0; r < g_.m; ++r) std::copy_n(from + r * g_.a_row, depth, rows + r * (depth + kRowGap));
        from = rows, row = depth + kRowGap;
      }
      product.run({g_.m, g_.n, depth, row, step, g_.n, at > first}, from, rows + room, partial + part * g_.m * g_.n);
    }
  });
}

void MatmulProgram::add_parts(const void* workspace, const void* bias, void* c) const {
  std::int64_t rows = std::int64_t(g_.a_offset.size()) * g_.m, size = rows * g_.n;
  auto add = [&]<class Sum, class Out>(const Sum* parts, const Sum* start, Out* to) {
    parallel_blocks(rows, std::max<std::int64_t>(1, 8192 / g_.n), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        for (std::int64_t j = 0; j < g_.n; ++j) {
          Sum sum = start ? start[j] : Sum(0);
          for (std::int64_t p = 0; p < parts_; ++p) sum += parts[p * size + i * g_.n + j];
          to[i * g_.n + j] = Out(sum);
        }
    });
  };
  if (g_.out == DType::f64)
    add(static_cast<const double*>(workspace), static_cast<const double*>(bias), static_cast<double*>(c));
  else if (g_.out == DType::f32)
    add(static_cast<const float*>(workspace), static_cast<const float*>(bias), static_cast<float*>(c));
  else
    add(static_cast<const float*>(workspace), static_cast<const float*>(bias), static_cast<bf16*>(c));
}

void MatmulProgram::run(const void* a, const void* b, const void* bias, void* c, void* workspace) const {
  const void* given = g_.bias ? bias : nullptr;
  if (packed_)
    return run_packed(static_cast<const float*>(a), static_cast<const float*>(b), static_cast<const float*>(given), static_cast<float*>(c), static_cast<float*>(workspace));
  if (many_) {
    const auto all = [&]<class T>(const T* from_a, const T* from_b, T* to) {
      parallel_blocks(tiles_, tiles_a_task_, [&](std::int64_t begin, std::int64_t end) {
        dense_products(dense(), end - begin, from_a, &g_.a_offset[std::size_t(begin)], from_b, &g_.b_offset[std::size_t(begin)],
                       to + begin * g_.m * g_.n);
      });
    };
    if (g_.in == DType::f64) return all(static_cast<const double*>(a), static_cast<const double*>(b), static_cast<double*>(c));
    return all(static_cast<const float*>(a), static_cast<const float*>(b), static_cast<float*>(c));
  }
  if (deep_) {
    run_deep(static_cast<const float*>(a), static_cast<const float*>(b), static_cast<float*>(workspace));
    return add_parts(workspace, given, c);
  }
  parallel_blocks(tiles_, tiles_a_task_, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) run_tile(tile(i), a, b, given, c, workspace);
  });
  if (parts_ > 1) add_parts(workspace, given, c);
}

bool matmul_has_bf16() {
  static const bool has = [] {
    try {
      make_tile_product({16, 16, 16, 16, 1, 16, 1, 16, std::int64_t(DType::bf16), 0});
      return true;
    } catch (const dnnl::error&) {
      return false;
    }
  }();
  return has;
}

}  // namespace tenon::cpu
