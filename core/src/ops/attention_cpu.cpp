/// The CPU kernels of attention. Forward: a task takes some queries of a head past all keys, or few queries past some keys; backward: a
/// head. Tiles of 64 x 64 products are made, used and forgotten in the first-level cache.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "backend/cpu/small_product.hpp"
#include "ops/attention_kernels.hpp"

#define TENON_ISA_FILE "ops/simd/attention.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon {
namespace {

constexpr std::int64_t kTile = 64;      // queries and keys of a tile
constexpr std::int64_t kQueries = 512;  // of a forward task: keys are packed once for them

/// One head of one sample.
template <class A>
struct Head {
  const Attention& p;
  std::int64_t sample, head;
  const A* mask;

  const A* rows(const AttentionStrides& s, const void* data) const {
    return static_cast<const A*>(data) + s.offset + sample * s.sample + head * s.head;
  }
  A* rows(const AttentionStrides& s, void* data) const { return static_cast<A*>(data) + s.offset + sample * s.sample + head * s.head; }
  /// Keys from `key` on that queries before `query_end` may see at all.
  bool visible(std::int64_t query_end, std::int64_t key) const { return !p.causal || key < query_end; }
  /// Adds the mask to a tile of products.
  void hide(std::int64_t query, std::int64_t queries, std::int64_t key, std::int64_t keys, A* tile) const {
    const auto& m = p.mask_strides;
    for (std::int64_t i = 0; i < queries; ++i) {
      A* row = tile + i * kTile;
      if (mask) {
        const A* add = mask + sample * m[0] + head * m[1] + (query + i) * m[2] + key * m[3];
        for (std::int64_t j = 0; j < keys; ++j) row[j] += add[j * m[3]];
      }
      if (p.causal)
        for (std::int64_t j = std::max<std::int64_t>(0, query + i + 1 - key); j < keys; ++j) row[j] = -std::numeric_limits<A>::infinity();
    }
  }
};

/// Memory of one task, on its thread; kept, so that a repeated step takes none.
template <class A>
A* task_memory(std::int64_t elements) {
  thread_local std::vector<A> memory;
  if (std::int64_t(memory.size()) < elements) memory.resize(std::size_t(elements));
  return memory.data();
}

/// y, a sum of exponentials times values, becomes the average; returns the log-sum-exp.
template <class A, class Scale>
A finish_row(const Scale& scale, std::int64_t features, A* y, A top, A sum) {
  scale(features, y, sum > A(0) || sum != sum ? A(1) / sum : A(0));
  // a row that sees nothing: its probabilities, exp(-inf - inf), are 0 in the backward pass too
  return sum == A(0) ? std::numeric_limits<A>::infinity() : top + std::log(sum);
}

constexpr std::int64_t kFewQueries = 8;  // keys are not worth packing for them
constexpr std::int64_t kPiece = 1024;    // keys of a task then

/// A task takes a piece of the keys, and the pieces are joined.
template <class A>
void forward_few(const Attention& p, void* const* o) {
  constexpr A kNone = -std::numeric_limits<A>::infinity();
  const auto products = TENON_BY_ISA(query_products<A>);
  const auto softmax_row = TENON_BY_ISA(online_softmax_row<A>);
  const auto scale = TENON_BY_ISA(scale_row<A>);
  const auto add = TENON_BY_ISA(add_shares<A>);
  const int k = 3 + p.masked;
  const std::int64_t pieces = (p.keys + kPiece - 1) / kPiece, width = p.features + 2;
  std::vector<A> parts(std::size_t(p.samples * p.heads * pieces * p.queries * width));  // y, top and sum of each query
  const auto part = [&](std::int64_t task, std::int64_t query) { return parts.data() + (task * p.queries + query) * width; };
  const auto head = [&](std::int64_t i) { return Head<A>{p, i / p.heads, i % p.heads, p.masked ? static_cast<const A*>(o[3]) : nullptr}; };
  parallel_for(p.samples * p.heads * pieces, [&](std::int64_t task) {
    const Head<A> h = head(task / pieces);
    const A *q = h.rows(p.q, o[0]), *key = h.rows(p.k, o[1]), *value = h.rows(p.v, o[2]);
    A tile[kTile];
    for (std::int64_t i = 0; i < p.queries; ++i) part(task, i)[p.features] = kNone;
    const std::int64_t first = task % pieces * kPiece, last = std::min(p.keys, first + kPiece);
    for (std::int64_t j = first; j < last; j += kTile)
      for (std::int64_t i = 0; i < p.queries; ++i) {
        if (!h.visible(i + 1, j)) continue;
        const std::int64_t n = std::min(kTile, last - j);
        A* y = part(task, i);
        products(n, p.depth, q + i * p.q.row, key + j * p.k.row, p.k.row, A(p.scale), tile);
        if (p.masked || p.causal) h.hide(i, 1, j, n, tile);
        const A carry = softmax_row(n, tile, y + p.features, y + p.features + 1);
        if (carry != A(1)) scale(p.features, y, carry);
        add(n, p.features, tile, value + j * p.v.row, p.v.row, y);
      }
  });
  const AttentionStrides out = p.out();
  parallel_for(p.samples * p.heads, [&](std::int64_t task) {
    const Head<A> h = head(task);
    for (std::int64_t i = 0; i < p.queries; ++i) {
      A top = kNone, sum = 0, *y = h.rows(out, o[k]) + i * out.row;
      for (std::int64_t t = 0; t < pieces; ++t) top = std::max(top, part(task * pieces + t, i)[p.features]);
      std::fill_n(y, p.features, A(0));
      for (std::int64_t t = 0; t < pieces; ++t) {
        const A *from = part(task * pieces + t, i), share = std::exp(from[p.features] - (top == kNone ? A(0) : top));
        sum += share * from[p.features + 1];
        add(1, p.features, &share, from, 0, y);
      }
      static_cast<A*>(o[k + 1])[task * p.queries + i] = finish_row(scale, p.features, y, top, sum);
    }
  });
}

template <class A>
void forward(const Attention& p, void* const* o) {
  if (p.queries <= kFewQueries) return forward_few<A>(p, o);
  const auto& product = cpu::small_products<A>();
  const auto softmax_row = TENON_BY_ISA(online_softmax_row<A>);
  const auto scale = TENON_BY_ISA(scale_row<A>);
  const int k = 3 + p.masked;
  const AttentionStrides out = p.out();
  const std::int64_t pieces = (p.queries + kQueries - 1) / kQueries;
  parallel_for(p.samples * p.heads * pieces, [&](std::int64_t task) {
    const Head<A> h{p, task / pieces / p.heads, task / pieces % p.heads, p.masked ? static_cast<const A*>(o[3]) : nullptr};
    const std::int64_t first = task % pieces * kQueries, last = std::min(p.queries, first + kQueries);
    const A *q = h.rows(p.q, o[0]), *key = h.rows(p.k, o[1]), *value = h.rows(p.v, o[2]);
    A *y = h.rows(out, o[k]), *log_sum = static_cast<A*>(o[k + 1]) + (h.sample * p.heads + h.head) * p.queries;
    const std::int64_t key_size = cpu::packed_bound(p.depth, kTile), value_size = cpu::packed_bound(kTile, p.features);
    A *keys = task_memory<A>(key_size + value_size + kTile * kTile + kQueries), *values = keys + key_size, *tile = values + value_size;
    A* top = tile + kTile * kTile;
    std::fill_n(top, last - first, -std::numeric_limits<A>::infinity());
    std::fill_n(log_sum + first, last - first, A(0));  // sums until the end
    for (std::int64_t i = first; i < last; ++i) std::fill_n(y + i * out.row, p.features, A(0));
    for (std::int64_t j = 0; j < p.keys && h.visible(last, j); j += kTile) {
      const std::int64_t n = std::min(kTile, p.keys - j);
      product.pack(key + j * p.k.row, 1, p.k.row, p.depth, n, A(p.scale), keys);
      product.pack(value + j * p.v.row, p.v.row, 1, n, p.features, A(1), values);
      for (std::int64_t i = first; i < last; i += kTile) {
        const std::int64_t m = std::min(kTile, last - i);
        if (!h.visible(i + m, j)) continue;
        product.run({m, n, p.depth, p.q.row, 1, kTile, false}, q + i * p.q.row, keys, tile);
        if (p.masked || p.causal) h.hide(i, m, j, n, tile);
        for (std::int64_t r = 0; r < m; ++r) {
          const A carry = softmax_row(n, tile + r * kTile, top + (i - first) + r, log_sum + i + r);
          if (carry != A(1)) scale(p.features, y + (i + r) * out.row, carry);
        }
        product.run({m, p.features, n, kTile, 1, out.row, true}, tile, values, y + i * out.row);
      }
    }
    for (std::int64_t i = first; i < last; ++i) log_sum[i] = finish_row(scale, p.features, y + i * out.row, top[i - first], log_sum[i]);
  });
}

template <class A>
void gradient(const Attention& p, void* const* o) {
  const auto& product = cpu::small_products<A>();
  const auto row_gradient = TENON_BY_ISA(attention_row_gradient<A>);
  const auto dot = TENON_BY_ISA(dot_row<A>);
  const int k = 3 + p.masked;
  const AttentionStrides out = p.out();
  parallel_for(p.samples * p.heads, [&](std::int64_t task) {
    const Head<A> h{p, task / p.heads, task % p.heads, p.masked ? static_cast<const A*>(o[3]) : nullptr};
    const A *q = h.rows(p.q, o[0]), *key = h.rows(p.k, o[1]), *value = h.rows(p.v, o[2]), *y = h.rows(out, o[k]),
            *dy = h.rows(out, o[k + 2]);
    const A* log_sum = static_cast<const A*>(o[k + 1]) + task * p.queries;
    A *dq = h.rows(p.q, o[k + 3]), *dk = h.rows(p.k, o[k + 4]), *dv = h.rows(p.v, o[k + 5]);
    const std::int64_t deep = cpu::packed_bound(p.depth, kTile), wide = cpu::packed_bound(p.features, kTile);
    const std::int64_t flat = cpu::packed_bound(kTile, p.depth), flat_v = cpu::packed_bound(kTile, p.features),
                       tiles = (p.queries + kTile - 1) / kTile;
    A* keys_turned = task_memory<A>(deep + wide + flat + tiles * (flat + flat_v) + 2 * kTile * kTile + p.queries);
    A *values_turned = keys_turned + deep, *keys = values_turned + wide, *queries = keys + flat, *d_outputs = queries + tiles * flat;
    A *tile = d_outputs + tiles * flat_v, *d_tile = tile + kTile * kTile, *delta = d_tile + kTile * kTile;
    for (std::int64_t i = 0; i < p.queries; ++i) {
      delta[i] = dot(p.features, y + i * out.row, dy + i * out.row);
      std::fill_n(dq + i * p.q.row, p.depth, A(0));
    }
    for (std::int64_t t = 0, i = 0; t < tiles; ++t, i += kTile) {
      const std::int64_t m = std::min(kTile, p.queries - i);
      product.pack(q + i * p.q.row, p.q.row, 1, m, p.depth, A(p.scale), queries + t * flat);
      product.pack(dy + i * out.row, out.row, 1, m, p.features, A(1), d_outputs + t * flat_v);
    }
    for (std::int64_t j = 0; j < p.keys; j += kTile) {
      const std::int64_t n = std::min(kTile, p.keys - j);
      product.pack(key + j * p.k.row, 1, p.k.row, p.depth, n, A(p.scale), keys_turned);
      product.pack(value + j * p.v.row, 1, p.v.row, p.features, n, A(1), values_turned);
      product.pack(key + j * p.k.row, p.k.row, 1, n, p.depth, A(p.scale), keys);
      for (std::int64_t r = 0; r < n; ++r) {
        std::fill_n(dk + (j + r) * p.k.row, p.depth, A(0));
        std::fill_n(dv + (j + r) * p.v.row, p.features, A(0));
      }
      for (std::int64_t t = 0, i = 0; t < tiles; ++t, i += kTile) {
        const std::int64_t m = std::min(kTile, p.queries - i);
        if (!h.visible(i + m, j)) continue;
        product.run({m, n, p.depth, p.q.row, 1, kTile, false}, q + i * p.q.row, keys_turned, tile);
        if (p.masked || p.causal) h.hide(i, m, j, n, tile);
        product.run({m, n, p.features, out.row, 1, kTile, false}, dy + i * out.row, values_turned, d_tile);
        for (std::int64_t r = 0; r < m; ++r) row_gradient(n, tile + r * kTile, d_tile + r * kTile, log_sum[i + r], delta[i + r]);
        product.run({n, p.features, m, 1, kTile, p.v.row, true}, tile, d_outputs + t * flat_v, dv + j * p.v.row);
        product.run({n, p.depth, m, 1, kTile, p.k.row, true}, d_tile, queries + t * flat, dk + j * p.k.row);
        product.run({m, p.depth, n, kTile, 1, p.q.row, true}, d_tile, keys, dq + i * p.q.row);
      }
    }
  });
}

template <void (*F32)(const Attention&, void* const*), void (*F64)(const Attention&, void* const*)>
Kernel of_type(const Attention& p) {
  return [p](void* const* o) { (p.dtype == DType::f64 ? F64 : F32)(p, o); };
}

}  // namespace

KernelSlot<const Attention&> attention_kernel("scaled_dot_product_attention", of_type<forward<float>, forward<double>>);
KernelSlot<const Attention&> attention_gradient_kernel("scaled_dot_product_attention.gradient", of_type<gradient<float>, gradient<double>>);

}  // namespace tenon
