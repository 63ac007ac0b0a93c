/// Large triangles and factors, halved.
///
/// A triangle is halved, at a multiple of the leaves, until a leaf is left: the first half is solved, its product with what is beside it taken from the right-hand
/// sides of the second, which is solved then. Nearly all operations so are those of large products, and their shapes are few: one or two a level.
#include "backend/cuda/blocked_linalg.hpp"

#include <algorithm>
#include <vector>

#include "backend/cuda/packs.cuh"
#include "backend/cuda/product.hpp"
#include "ops/linalg_block.cuh"

namespace tenon::cuda {
namespace {

/// Of `rows`, more than a leaf has: half of the leaves, the larger half.
std::int64_t first_half(std::int64_t rows, std::int64_t leaf) {
  return ((rows + leaf - 1) / leaf + 1) / 2 * leaf;
}

constexpr int kLeaf = 32, kColumns = 64;  ///< rows of a leaf; right-hand sides of a block, one a thread

struct Leaf {
  std::int64_t k, pieces, t_step, t_row, t_column;  ///< t_step: 0 where one matrix is all systems'
  std::int64_t x_row, x_step;                       ///< negated solutions are dense: k, n k
  std::int64_t negated_step;
  bool unit;
};

/// The rows from `row` on, `rows` of them, in registers. Rows that are not there are those of the identity.
template <bool Upper>
__global__ void __launch_bounds__(kColumns) solve_leaf(Leaf s, const double* t, double* x, double* negated, const std::int64_t* reasons, std::int64_t row, int rows) {
  __shared__ double tile[kLeaf][kLeaf + 1];
  const std::int64_t system = blockIdx.x / s.pieces, column = blockIdx.x % s.pieces * kColumns + threadIdx.x;
  t += system * s.t_step + row * (s.t_row + s.t_column);
  for (int e = int(threadIdx.x); e < kLeaf * kLeaf; e += kColumns) {
    const int slow = e / kLeaf, fast = e % kLeaf;  // neighbouring threads read neighbouring values
    const int i = s.t_column == 1 ? slow : fast, j = s.t_column == 1 ? fast : slow;
    tile[i][j] = i < rows && j < rows ? t[i * s.t_row + j * s.t_column] : i == j ? 1.0 : 0.0;
  }
  __syncthreads();
  if (column >= s.k) return;
  const bool refused = reasons && reasons[s.t_step ? system : 0] != 0;
  x += system * s.x_step + row * s.x_row + column;
  negated += system * s.negated_step + row * s.k + column;
  double v[kLeaf];
#pragma unroll
  for (int i = 0; i < kLeaf; ++i) v[i] = i < rows ? x[i * s.x_row] : 0.0;
#pragma unroll
  for (int step = 0; step < kLeaf; ++step) {
    const int i = Upper ? kLeaf - 1 - step : step;
    if (!s.unit) v[i] /= tile[i][i];
#pragma unroll
    for (int r = 0; r < kLeaf; ++r)
      if (Upper ? r < i : r > i) v[r] -= tile[r][i] * v[i];
  }
#pragma unroll
  for (int i = 0; i < kLeaf; ++i)
    if (i < rows) {
      const double value = refused ? double(NAN) : v[i];
      x[i * s.x_row] = value;
      negated[i * s.k] = -value;
    }
}

/// x of `rows` rows from `to` on += T's values there by the negated solutions from `from` on.
struct Update {
  ProductCall product;
  std::int64_t from, to;
};
struct Step {
  std::int64_t row = 0;
  int rows = 0;  ///< of a leaf; 0: an update
  std::size_t update = 0;
};

class Blocked {
 public:
  explicit Blocked(const Triangle& t) : t_(t) {
    const std::int64_t row = t.row ? t.row : t.n, step = t.step ? t.step : t.n * t.n;
    leaf_ = {t.k, (t.k + kColumns - 1) / kColumns, t.matrices == 1 ? 0 : step, t.turned ? 1 : row, t.turned ? row : 1, t.k, t.n * t.k, t.n * t.k, t.unit};
    halve(0, t.n);
  }

  void run(const double* t, double* x, double* space, const std::int64_t* reasons) const {
    for (const Step& s : steps_) {
      if (s.rows > 0) {
        start("solve_triangle", dim3(grid_blocks(t_.count * leaf_.pieces)), dim3(kColumns), 0, t_.upper ? solve_leaf<true> : solve_leaf<false>, leaf_, t, x, space, reasons,
              s.row, s.rows);
      } else {
        const Update& u = updates_[s.update];
        u.product(t + u.to * leaf_.t_row + u.from * leaf_.t_column, space + u.from * t_.k, nullptr, x + u.to * t_.k, nullptr);
      }
    }
  }

 private:
  void halve(std::int64_t row, std::int64_t rows) {
    if (rows <= kLeaf) {
      steps_.push_back({row, int(rows)});
      return;
    }
    const std::int64_t half = first_half(rows, kLeaf);
    const std::int64_t first = t_.upper ? row + half : row, first_rows = t_.upper ? rows - half : half;
    const std::int64_t second = t_.upper ? row : row + half, second_rows = rows - first_rows;
    halve(first, first_rows);
    add_update(first, first_rows, second, second_rows);
    halve(second, second_rows);
  }

  void add_update(std::int64_t from, std::int64_t from_rows, std::int64_t to, std::int64_t to_rows) {
    ProductShape s;
    s.in = s.out = DType::f64;
    s.m = to_rows, s.n = t_.k, s.k = from_rows;
    s.a_row = leaf_.t_row, s.a_col = leaf_.t_column;
    s.b_row = t_.k, s.b_col = 1;
    if (t_.k == 1) s.b_row = 1, s.b_col = from_rows;
    s.count = t_.count, s.a_step = leaf_.t_step, s.b_step = s.c_step = t_.n * t_.k;
    s.add = true;
    steps_.push_back({0, 0, updates_.size()});
    updates_.push_back({make_product(s), from, to});
  }

  Triangle t_;
  Leaf leaf_;
  std::vector<Step> steps_;
  std::vector<Update> updates_;
};

/// The last m rows and columns of [count, n, n] += the rows' values in `depth` columns times dense negated ones, [depth, m].
ProductCall update_rest(std::int64_t count, std::int64_t n, std::int64_t m, std::int64_t depth) {
  ProductShape s;
  s.in = s.out = DType::f64;
  s.m = s.n = m, s.k = depth;
  s.a_row = n, s.a_col = 1;
  s.b_row = m == 1 ? 1 : m, s.b_col = m == 1 ? depth : 1;
  s.c_row = n;
  s.count = count, s.a_step = s.c_step = n * n, s.b_step = depth * m;
  s.add = true;
  return make_product(s);
}

// ---- factors ---------------------------------------------------------------------------------------------------------

constexpr int kFactorLeaf = 48;  ///< rows that one block factors

/// The factor of the rows and columns from `row` on, `rows` of them; a block a matrix.
__global__ void __launch_bounds__(block::kMostThreads) factor_leaf(double* a, std::int64_t n, std::int64_t row, int rows, std::int64_t* bad) {
  __shared__ double work[kFactorLeaf * (kFactorLeaf + 1)];
  constexpr int pitch = kFactorLeaf + 1;
  double* const from = a + blockIdx.x * n * n + row * (n + 1);
  for (int i = block::warp(); i < rows; i += block::warps())
    for (int j = block::lane(); j <= i; j += 32) work[i * pitch + j] = from[i * n + j];
  __syncthreads();
  const std::int64_t first = block::cholesky(rows, work, pitch);
  __syncthreads();
  for (int i = block::warp(); i < rows; i += block::warps())
    for (int j = block::lane(); j <= i; j += 32) from[i * n + j] = work[i * pitch + j];
  if (threadIdx.x == 0 && first && bad[blockIdx.x] == 0) bad[blockIdx.x] = row + first;
}

constexpr int kTile = 32, kTileRows = 8;

/// y = x turned, matrix by matrix: x [rows, columns] of rows x_row apart, y of rows y_row apart. Grid: tiles, matrices.
__global__ void turn_tiles(const double* x, std::int64_t x_row, std::int64_t x_step, double* y, std::int64_t y_row, std::int64_t y_step, std::int64_t rows, std::int64_t columns) {
  __shared__ double tile[kTile][kTile + 1];
  const std::int64_t across = (columns + kTile - 1) / kTile, row0 = blockIdx.x / across * kTile, column0 = blockIdx.x % across * kTile;
  x += blockIdx.y * x_step, y += blockIdx.y * y_step;
  const int t = int(threadIdx.x) % kTile;
  for (int i = int(threadIdx.x) / kTile; i < kTile; i += kTileRows)
    if (row0 + i < rows && column0 + t < columns) tile[i][t] = x[(row0 + i) * x_row + column0 + t];
  __syncthreads();
  for (int j = int(threadIdx.x) / kTile; j < kTile; j += kTileRows)
    if (column0 + j < columns && row0 + t < rows) y[(column0 + j) * y_row + row0 + t] = tile[t][j];
}

void turn(const double* x, std::int64_t x_row, std::int64_t x_step, double* y, std::int64_t y_row, std::int64_t y_step, std::int64_t rows, std::int64_t columns, std::int64_t count) {
  const std::int64_t tiles = (rows + kTile - 1) / kTile * ((columns + kTile - 1) / kTile);
  start("turn_tiles", dim3(grid_blocks(tiles), unsigned(count)), dim3(kTile * kTileRows), 0, turn_tiles, x, x_row, x_step, y, y_row, y_step, rows, columns);
}

__global__ void clear_above(double* a, std::int64_t count, std::int64_t n) {
  const std::int64_t total = count * n * n, step = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t e = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; e < total; e += step)
    if (const std::int64_t row = e / n % n; e % n > row) a[e] = 0;
}

/// The first half is factored, the rows below it solved against its factor, and their products with themselves taken from the second half, which is factored then.
class BlockedCholesky {
 public:
  BlockedCholesky(std::int64_t count, std::int64_t n) : count_(count), n_(n) { halve(0, n); }

  void run(double* a, double* space, std::int64_t* bad) const {
    for (const Step& s : steps_) {
      if (s.below == 0) {
        start("cholesky", dim3(unsigned(count_)), dim3(block::kMostThreads), 0, factor_leaf, a, n_, s.row, int(s.rows), bad);
        continue;
      }
      const std::int64_t h = s.rows, m = s.below, size = h * m, step = n_ * n_;
      double *const solved = space, *const negated = space + count_ * size, *const beside = a + (s.row + h) * n_ + s.row;
      turn(beside, n_, step, solved, m, size, m, h, count_);
      s.solve(a + s.row * (n_ + 1), solved, negated, nullptr);
      turn(solved, m, size, beside, n_, step, h, m, count_);
      s.product(beside, negated, nullptr, a + (s.row + h) * (n_ + 1), nullptr);
    }
    start_items("clear_above", count_ * n_ * n_, clear_above, a, count_, n_);
  }

 private:
  struct Step {
    std::int64_t row, rows, below;  ///< below: rows that are solved and taken from the rest; 0: a leaf
    SolveCall solve;
    ProductCall product;
  };

  void halve(std::int64_t row, std::int64_t rows) {
    if (rows <= kFactorLeaf) {
      steps_.push_back({row, rows, 0, {}, {}});
      return;
    }
    const std::int64_t h = first_half(rows, kFactorLeaf), m = rows - h;
    halve(row, h);
    steps_.push_back({row, h, m, make_blocked_solve({count_, count_, h, m, false, false, false, n_, n_ * n_}), update_rest(count_, n_, m, h)});
    halve(row + h, m);
  }

  std::int64_t count_, n_;
  std::vector<Step> steps_;
};

// ---- LU ---------------------------------------------------------------------------------------------------------------

/// A panel, its columns one after the other: p [count][width][rows], of the matrix' rows and columns from `first` on. A block a matrix; as block::lu.
__global__ void __launch_bounds__(block::kMostThreads) factor_panel(double* p, int width, std::int64_t rows, std::int64_t first, std::int64_t n, std::int32_t* pivots, std::int64_t* zero) {
  p += blockIdx.x * width * rows;
  pivots += blockIdx.x * n + first;
  for (int j = 0; j < width; ++j) {
    double* const column = p + j * rows;
    block::Largest l;
    l.place = rows;
    for (std::int64_t i = j + std::int64_t(threadIdx.x); i < rows; i += blockDim.x) l.offer(fabs(column[i]), i);
    l = block::largest(l);
    const double here = column[j];
    const std::int64_t pivot = here != here || l.place >= rows ? j : l.place;  // NaN is never larger, and nothing is larger than NaN
    if (threadIdx.x == 0) pivots[j] = std::int32_t(first + pivot);
    __syncthreads();
    if (pivot != j && int(threadIdx.x) < width) {
      double *a = p + threadIdx.x * rows + j, *b = p + threadIdx.x * rows + pivot;
      const double v = *a;
      *a = *b;
      *b = v;
    }
    __syncthreads();
    const double value = column[j];
    if (value == 0) {
      if (threadIdx.x == 0 && zero[blockIdx.x] == 0) zero[blockIdx.x] = first + j + 1;
      continue;
    }
    for (std::int64_t i = j + 1 + std::int64_t(threadIdx.x); i < rows; i += blockDim.x) {
      const double f = column[i] / value;
      column[i] = f;
#pragma unroll 4
      for (int c = j + 1; c < width; ++c) p[c * rows + i] -= f * p[c * rows + j];
    }
    __syncthreads();
  }
}

/// The exchanges of a panel in all columns but its own. Grid: columns, matrices.
__global__ void exchange_rows(double* a, std::int64_t n, std::int64_t first, int width, const std::int32_t* pivots) {
  std::int64_t c = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (c >= first) c += width;
  if (c >= n) return;
  a += blockIdx.y * n * n + c;
  pivots += blockIdx.y * n;
  for (std::int64_t i = first; i < first + width; ++i) {
    const std::int64_t j = pivots[i];
    if (j == i) continue;
    const double v = a[i * n];
    a[i * n] = a[j * n];
    a[j * n] = v;
  }
}

/// Panel by panel: the columns of one are factored, the rows beside it solved, and their product taken from what is left.
class BlockedLu {
 public:
  BlockedLu(std::int64_t count, std::int64_t n) : count_(count), n_(n) {
    for (std::int64_t first = 0; first < n; first += kLeaf) {
      const std::int64_t width = std::min<std::int64_t>(kLeaf, n - first), rest = n - first - width;
      panels_.push_back({first, width, rest, rest > 0 ? update_rest(count, n, rest, width) : ProductCall()});
    }
  }

  void run(double* a, std::int32_t* pivots, double* space, std::int64_t* zero) const {
    const std::int64_t step = n_ * n_;
    for (const Panel& p : panels_) {
      const std::int64_t rows = n_ - p.first, size = rows * p.width;
      double *const here = a + p.first * (n_ + 1), *const right = here + p.width, *const below = here + p.width * n_;
      turn(here, n_, step, space, rows, size, rows, p.width, count_);
      start("lu", dim3(unsigned(count_)), dim3(block::kMostThreads), 0, factor_panel, space, int(p.width), rows, p.first, n_, pivots, zero);
      turn(space, rows, size, here, n_, step, p.width, rows, count_);
      if (n_ == p.width) continue;
      start("exchange_rows", dim3(grid_blocks((n_ - p.width + kBlock - 1) / kBlock), unsigned(count_)), dim3(kBlock), 0, exchange_rows, a, n_, p.first, int(p.width),
            static_cast<const std::int32_t*>(pivots));
      if (p.rest == 0) continue;
      const Leaf leaf{p.rest, (p.rest + kColumns - 1) / kColumns, step, n_, 1, n_, step, p.width * p.rest, true};
      start("solve_triangle", dim3(grid_blocks(count_ * leaf.pieces)), dim3(kColumns), 0, solve_leaf<false>, leaf, static_cast<const double*>(here), right, space,
            static_cast<const std::int64_t*>(nullptr), std::int64_t(0), int(p.width));
      p.product(below, space, nullptr, below + p.width, nullptr);
    }
  }

 private:
  struct Panel {
    std::int64_t first, width, rest;
    ProductCall product;
  };
  std::int64_t count_, n_;
  std::vector<Panel> panels_;
};

}  // namespace

LuCall make_blocked_lu(std::int64_t count, std::int64_t n) {
  return [lu = std::make_shared<const BlockedLu>(count, n)](double* a, std::int32_t* pivots, double* space, std::int64_t* zero) { lu->run(a, pivots, space, zero); };
}

std::int64_t lu_space(std::int64_t count, std::int64_t n) {
  return count * std::min<std::int64_t>(kLeaf, n) * n;
}

FactorCall make_blocked_cholesky(std::int64_t count, std::int64_t n) {
  return [factor = std::make_shared<const BlockedCholesky>(count, n)](double* a, double* space, std::int64_t* bad) { factor->run(a, space, bad); };
}

std::int64_t factor_space(std::int64_t count, std::int64_t n) {
  if (n <= kFactorLeaf) return 0;
  const std::int64_t h = first_half(n, kFactorLeaf);
  return std::max({2 * count * h * (n - h), factor_space(count, h), factor_space(count, n - h)});
}

SolveCall make_blocked_solve(const Triangle& t) {
  return [solve = std::make_shared<const Blocked>(t)](const double* a, double* x, double* space, const std::int64_t* reasons) { solve->run(a, x, space, reasons); };
}

}  // namespace tenon::cuda
