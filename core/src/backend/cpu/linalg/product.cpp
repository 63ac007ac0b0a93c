/// Products of the factorisations, on all threads where they are large.
#include <algorithm>

#include "backend/cpu/ceil_div.hpp"
#include "backend/cpu/linalg/factor.hpp"
#include "tenon/kernel.hpp"

namespace tenon::cpu::linalg {
namespace {

// A tile packs what it reads: thin ones would pack more than they multiply.
constexpr std::int64_t kTileRows = 96, kTileColumns = 128, kMostTiles = 32;
constexpr double kFlopsWorthATile = 1e6, kRowFlopsWorthATile = 1e5;  // products with few rows wait for memory

}  // namespace

void product(const DenseProduct& g, const double* a, const double* b, double* c, Store store) {
  const bool few = g.m <= kFewRows || g.n == 1;
  const double flops = 2 * double(g.m) * double(g.n) * double(g.k);
  const auto wanted = std::int64_t(std::min(flops / (few ? kRowFlopsWorthATile : kFlopsWorthATile), double(kMostTiles)));
  if (wanted < 2) return dense_product(g, a, b, c, store);
  const auto length = [](std::int64_t size, std::int64_t pieces, std::int64_t unit) {
    return ceil_div(ceil_div(size, pieces), unit) * unit;
  };
  const std::int64_t rows = length(g.m, std::clamp<std::int64_t>(g.m / kTileRows, 1, wanted), 12), row_tiles = ceil_div(g.m, rows);
  const std::int64_t columns = length(g.n, std::clamp<std::int64_t>(g.n / kTileColumns, 1, ceil_div(wanted, row_tiles)), 16);
  const std::int64_t column_tiles = ceil_div(g.n, columns);
  if (row_tiles * column_tiles == 1) return dense_product(g, a, b, c, store);
  parallel_for(row_tiles * column_tiles, [&](std::int64_t tile) {
    const std::int64_t i = tile / column_tiles * rows, j = tile % column_tiles * columns;
    DenseProduct part = g;
    part.m = std::min(rows, g.m - i), part.n = std::min(columns, g.n - j);
    dense_product(part, a + i * g.a_row, b + j * g.b_col, c + i * g.c_row + j, store);
  });
}

}  // namespace tenon::cpu::linalg
