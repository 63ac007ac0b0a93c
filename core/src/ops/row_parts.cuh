/// Sums over rows that are cut into parts: a part a team of threads, and the last block of a row adds up what its parts left (private).
#pragma once

#include "backend/cuda/last_block.cuh"
#include "backend/cuda/row_team.cuh"
#include "ops/metric_kernels.hpp"

namespace tenon::cuda {

static_assert(RowParts::kMostCut <= kTickets && RowParts::kMost <= kMostTurns * kBlock);

struct PartCut {
  std::int64_t rows, n, part;
  unsigned parts;
  int team;  ///< of a whole block where a row has several parts

  PartCut(const RowParts& cut, int lanes)
      : rows(cut.rows), n(cut.n), part(cut.part()), parts(grid_blocks(cut.parts())), team(parts > 1 ? kBlock : team_size((n + lanes - 1) / lanes)) {}
  unsigned blocks() const { return team_blocks(rows * std::int64_t(parts), team); }
};

/// Where a thread stands: elements [first, first + count) of its row, none beyond the last row.
struct PartPlace {
  std::int64_t row, part, first, count;
  int lane;
};
__device__ inline PartPlace part_place(const PartCut& k) {
  const TeamPlace at = team_place(k.team);
  PartPlace p{at.row, 0, 0, 0, at.lane};
  if (k.parts > 1) {
    p.row = at.row / k.parts;
    p.part = at.row % k.parts;
    p.first = p.part * k.part;
  }
  if (p.row < k.rows) p.count = k.n - p.first < k.part ? k.n - p.first : k.part;
  return p;
}

/// done(sums) once a row, by one thread. partial: [rows, M, parts]; shared: a value a warp. All threads of the block come here.
template <class V, int M, class Done>
__device__ void finish_rows(const PartCut& k, const PartPlace& at, V (&sums)[M], V* partial, V* shared, const Done& done) {
#pragma unroll
  for (int m = 0; m < M; ++m) sums[m] = team_sum<V>(sums[m], k.team, shared);
  if (k.parts > 1) {
    V* left = partial + at.row * M * k.parts;
    if (threadIdx.x == 0) {
#pragma unroll
      for (int m = 0; m < M; ++m) left[m * std::int64_t(k.parts) + at.part] = sums[m];
    }
    if (!is_last_block(at.row, k.parts)) return;
#pragma unroll
    for (int m = 0; m < M; ++m) sums[m] = team_sum<V>(share_of_left<V>(left + m * std::int64_t(k.parts), k.parts), k.team, shared);
  }
  if (at.row < k.rows && at.lane == 0) done(sums);
}

}  // namespace tenon::cuda
