/// Attention on CUDA by plain arithmetic, for any type and size. A block makes tiles of products, uses and forgets them; the matrix of
/// scores is never stored.
#include "backend/cuda/install.hpp"
#include "ops/attention_tiles.cuh"

namespace tenon::cuda {
namespace tiles {
namespace {

template <class T, int N>
__global__ void __launch_bounds__(Tile<Acc<T>>::kThreads, Tile<Acc<T>>::kBlocks / N)
    attention_forward(AttentionProblem p, const T* q_all, const T* k_all, const T* v_all, const Acc<T>* mask_all, T* y, Acc<T>* log_sum,
                      std::int64_t tiles, std::int64_t chunks) {
  using A = Acc<T>;
  using S = Tile<A>;
  const int tx = int(threadIdx.x) % S::kSide, ty = int(threadIdx.x) / S::kSide;
  const Shared<A, N> m;
  const Place at(p.heads, tiles, chunks, S::kRows);
  const T *q = q_all + head_offset(p.q, at.sample, at.head), *k = k_all + head_offset(p.k, at.sample, at.head),
          *v = v_all + head_offset(p.v, at.sample, at.head);
  const A* mask = mask_of(p, at, mask_all);
  const std::int64_t column = at.chunk * N * S::kRows, end = at.row + S::kRows < p.queries ? at.row + S::kRows : p.queries;
  A sum[4][4 * N] = {}, top[4], total[4] = {}, s[4][4];
  for (int i = 0; i < 4; ++i) top[i] = -std::numeric_limits<A>::infinity();
  for (std::int64_t j = 0; j < p.keys && (!p.causal || j < end); j += S::kRows) {
    dot_tile<A, N, T>(m, rows_at(q, p.q.row, at.row, p.queries), rows_at(k, p.k.row, j, p.keys), p.depth, s);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      A most = -std::numeric_limits<A>::infinity(), added = 0;
#pragma unroll
      for (int c = 0; c < 4; ++c) {
        s[i][c] = score_of<A>(p, mask, at.row + 4 * ty + i, j + 4 * tx + c, s[i][c]);
        most = max_nan(s[i][c], most);
      }
      const A now = max_nan(row_max<A>(most), top[i]), base = now == -std::numeric_limits<A>::infinity() ? A(0) : now;
#pragma unroll
      for (int c = 0; c < 4; ++c) {
        s[i][c] = exp_fast(s[i][c] - base);
        added += s[i][c];
      }
      const A carry = exp_fast(top[i] - base);
      top[i] = now;
      total[i] = total[i] * carry + row_sum<A>(added);
#pragma unroll
      for (int c = 0; c < 4 * N; ++c) sum[i][c] *= carry;
    }
    keep_share<A, N>(m, s);
    add_product<A, N, T>(m, rows_at(v, p.v.row, j, p.keys), column, p.features, sum);
  }
  A factor[4];
  for (int i = 0; i < 4; ++i) {
    const std::int64_t row = at.row + 4 * ty + i;
    factor[i] = total[i] > A(0) || total[i] != total[i] ? A(1) / total[i] : A(0);
    // a row that sees nothing: its probabilities, exp(-inf - inf), are 0 in the backward pass too
    if (at.chunk == 0 && tx == 0 && row < p.queries)
      log_sum[(at.sample * p.heads + at.head) * p.queries + row] =
          total[i] == A(0) ? std::numeric_limits<A>::infinity() : top[i] + std::log(total[i]);
  }
  write_rows<A, N, T>(y + head_offset(p.out, at.sample, at.head), p.out.row, at.row, p.queries, column, p.features, sum, factor);
}

template <class T, int N>
void run_forward(const Attention& p, void* const* o) {
  using A = Acc<T>;
  const int k = 3 + p.masked;
  const Cover<A, N> c(p, p.queries, p.features);
  start("attention_forward", c.blocks, c.threads(), c.shared_bytes(), attention_forward<T, N>, AttentionProblem(p),
        static_cast<const T*>(o[0]), static_cast<const T*>(o[1]), static_cast<const T*>(o[2]),
        p.masked ? static_cast<const A*>(o[3]) : nullptr, static_cast<T*>(o[k]), static_cast<A*>(o[k + 1]), c.tiles, c.chunks);
}

}  // namespace
}  // namespace tiles

Kernel make_plain_attention(const Attention& p) {
  return tiles::by_type(p, [&]<class T>(T) -> Kernel {
    const bool small = tiles::fits_one_tile<T>(p.features);
    return [p, small](void* const* o) { small ? tiles::run_forward<T, 1>(p, o) : tiles::run_forward<T, 2>(p, o); };
  });
}

void install_attention() {
  attention_kernel.set(DeviceType::cuda, make_plain_attention);
  attention_gradient_kernel.set(DeviceType::cuda, make_plain_attention_gradient);
  set_attention_workspace(DeviceType::cuda, own_attention_workspace);
}

}  // namespace tenon::cuda
