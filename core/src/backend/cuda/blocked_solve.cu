/// A triangle is halved, at a multiple of the leaves, until a leaf is left: the first half is solved, its product with what is beside it taken from the right-hand
/// sides of the second, which is solved then. Nearly all operations so are those of large products, and their shapes are few: one or two a level.
#include "backend/cuda/blocked_solve.hpp"

#include <algorithm>
#include <vector>

#include "backend/cuda/packs.cuh"
#include "backend/cuda/product.hpp"

namespace tenon::cuda {
namespace {

constexpr int kLeaf = 32, kColumns = 64;  ///< rows of a leaf; right-hand sides of a block, one a thread

struct Leaf {
  std::int64_t n, k, pieces, t_step, t_row, t_column;  ///< t_step: 0 where one matrix is all systems'
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
  const std::int64_t first = (system * s.n + row) * s.k + column;
  double v[kLeaf];
#pragma unroll
  for (int i = 0; i < kLeaf; ++i) v[i] = i < rows ? x[first + i * s.k] : 0.0;
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
      x[first + i * s.k] = value;
      negated[first + i * s.k] = -value;
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
    leaf_ = {t.n, t.k, (t.k + kColumns - 1) / kColumns, t.matrices == 1 ? 0 : t.n * t.n, t.turned ? 1 : t.n, t.turned ? t.n : 1, t.unit};
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
    const std::int64_t leaves = (rows + kLeaf - 1) / kLeaf, half = (leaves + 1) / 2 * kLeaf;
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

}  // namespace

SolveCall make_blocked_solve(const Triangle& t) {
  return [solve = std::make_shared<const Blocked>(t)](const double* a, double* x, double* space, const std::int64_t* reasons) { solve->run(a, x, space, reasons); };
}

}  // namespace tenon::cuda
