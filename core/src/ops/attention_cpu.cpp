/// The CPU kernels of attention. Forward: a task takes some queries of a head past all keys, or few queries past some keys; backward: a
/// head, or a tile of keys. Tiles of 64 x 64 products are made, used and forgotten in the first-level cache.
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
  const int threads = thread_count();
  const std::int64_t length = threads > 1 && p.samples * p.heads < 2 * threads ? kTile : kQueries,
                     pieces = (p.queries + length - 1) / length;
  parallel_for(p.samples * p.heads * pieces, [&](std::int64_t task) {
    const Head<A> h{p, task / pieces / p.heads, task / pieces % p.heads, p.masked ? static_cast<const A*>(o[3]) : nullptr};
    const std::int64_t first = task % pieces * length, last = std::min(p.queries, first + length);
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

/// The gradient of one head, a tile of keys at a time; what of queries all of them meet is made first.
template <class A>
class HeadGradient {
 public:
  HeadGradient(const Attention& p, std::int64_t task, void* const* o)
      : p_(p), h_{p, task / p.heads, task % p.heads, p.masked ? static_cast<const A*>(o[3]) : nullptr}, out_(p.out()) {
    const int k = 3 + p.masked;
    q_ = h_.rows(p.q, o[0]), key_ = h_.rows(p.k, o[1]), value_ = h_.rows(p.v, o[2]);
    y_ = h_.rows(out_, static_cast<const void*>(o[k])), dy_ = h_.rows(out_, static_cast<const void*>(o[k + 2]));
    log_sum_ = static_cast<const A*>(o[k + 1]) + task * p.queries;
    dq_ = h_.rows(p.q, o[k + 3]), dk_ = h_.rows(p.k, o[k + 4]), dv_ = h_.rows(p.v, o[k + 5]);
    flat_ = cpu::packed_bound(kTile, p.depth), flat_v_ = cpu::packed_bound(kTile, p.features);
    deep_ = cpu::packed_bound(p.depth, kTile), wide_ = cpu::packed_bound(p.features, kTile);
  }

  std::int64_t query_tiles() const { return (p_.queries + kTile - 1) / kTile; }
  std::int64_t key_tiles() const { return (p_.keys + kTile - 1) / kTile; }
  std::int64_t shared_size() const { return query_tiles() * (flat_ + flat_v_ + kTile); }
  std::int64_t tile_size() const { return deep_ + wide_ + flat_ + 2 * kTile * kTile; }

  void prepare(std::int64_t t, A* shared) const {
    const std::int64_t i = t * kTile, m = std::min(kTile, p_.queries - i);
    product_.pack(q_ + i * p_.q.row, p_.q.row, 1, m, p_.depth, A(p_.scale), queries(t, shared));
    product_.pack(dy_ + i * out_.row, out_.row, 1, m, p_.features, A(1), d_outputs(t, shared));
    for (std::int64_t r = i; r < i + m; ++r) {
      delta(t, shared)[r - i] = dot_(p_.features, y_ + r * out_.row, dy_ + r * out_.row);
      std::fill_n(dq_ + r * p_.q.row, p_.depth, A(0));
    }
  }

  /// Gradients of a tile of keys and values, and what it adds to those of the queries: to `part` [queries, depth], or, where that is null,
  /// to these themselves.
  void keys(std::int64_t tile_of_keys, A* shared, A* memory, A* part) const {
    A *keys_turned = memory, *values_turned = keys_turned + deep_, *keys = values_turned + wide_, *tile = keys + flat_,
      *d_tile = tile + kTile * kTile;
    const std::int64_t j = tile_of_keys * kTile, n = std::min(kTile, p_.keys - j);
    product_.pack(key_ + j * p_.k.row, 1, p_.k.row, p_.depth, n, A(p_.scale), keys_turned);
    product_.pack(value_ + j * p_.v.row, 1, p_.v.row, p_.features, n, A(1), values_turned);
    product_.pack(key_ + j * p_.k.row, p_.k.row, 1, n, p_.depth, A(p_.scale), keys);
    for (std::int64_t r = j; r < j + n; ++r) {
      std::fill_n(dk_ + r * p_.k.row, p_.depth, A(0));
      std::fill_n(dv_ + r * p_.v.row, p_.features, A(0));
    }
    for (std::int64_t t = 0; t < query_tiles(); ++t) {
      const std::int64_t i = t * kTile, m = std::min(kTile, p_.queries - i);
      if (!h_.visible(i + m, j)) continue;
      product_.run({m, n, p_.depth, p_.q.row, 1, kTile, false}, q_ + i * p_.q.row, keys_turned, tile);
      if (p_.masked || p_.causal) h_.hide(i, m, j, n, tile);
      product_.run({m, n, p_.features, out_.row, 1, kTile, false}, dy_ + i * out_.row, values_turned, d_tile);
      for (std::int64_t r = 0; r < m; ++r) row_gradient_(n, tile + r * kTile, d_tile + r * kTile, log_sum_[i + r], delta(t, shared)[r]);
      product_.run({n, p_.features, m, 1, kTile, p_.v.row, true}, tile, d_outputs(t, shared), dv_ + j * p_.v.row);
      product_.run({n, p_.depth, m, 1, kTile, p_.k.row, true}, d_tile, queries(t, shared), dk_ + j * p_.k.row);
      if (part)
        product_.run({m, p_.depth, n, kTile, 1, p_.depth, false}, d_tile, keys, part + i * p_.depth);
      else
        product_.run({m, p_.depth, n, kTile, 1, p_.q.row, true}, d_tile, keys, dq_ + i * p_.q.row);
    }
  }

  /// The parts of tiles of keys [first, first + count), in their order, to the gradients of a tile of queries.
  void add_parts(std::int64_t t, std::int64_t first, std::int64_t count, const A* parts) const {
    for (std::int64_t i = t * kTile, end = std::min(p_.queries, i + kTile), last = end; i < end; ++i)
      for (std::int64_t g = 0; g < count && h_.visible(last, (first + g) * kTile); ++g) {
        const A* from = parts + (g * p_.queries + i) * p_.depth;
        A* to = dq_ + i * p_.q.row;
        for (std::int64_t c = 0; c < p_.depth; ++c) to[c] += from[c];
      }
  }

 private:
  A* queries(std::int64_t t, A* shared) const { return shared + t * flat_; }
  A* d_outputs(std::int64_t t, A* shared) const { return shared + query_tiles() * flat_ + t * flat_v_; }
  A* delta(std::int64_t t, A* shared) const { return shared + query_tiles() * (flat_ + flat_v_) + t * kTile; }

  const Attention& p_;
  Head<A> h_;
  AttentionStrides out_;
  const cpu::SmallProducts<A>& product_ = cpu::small_products<A>();
  decltype(&isa_base::attention_row_gradient<A>) row_gradient_ = TENON_BY_ISA(attention_row_gradient<A>);
  decltype(&isa_base::dot_row<A>) dot_ = TENON_BY_ISA(dot_row<A>);
  const A *q_, *key_, *value_, *y_, *dy_, *log_sum_;
  A *dq_, *dk_, *dv_;
  std::int64_t flat_, flat_v_, deep_, wide_;
};

/// A head a task; or, of few heads, one after the other, their tiles of keys in parallel, some at a time. Both add in the same order.
template <class A>
void gradient(const Attention& p, void* const* o) {
  const std::int64_t heads = p.samples * p.heads, together = 2 * thread_count();
  if (heads >= thread_count() || p.keys <= kTile)
    return parallel_for(heads, [&](std::int64_t task) {
      const HeadGradient<A> h(p, task, o);
      A* memory = task_memory<A>(h.shared_size() + h.tile_size());
      for (std::int64_t t = 0; t < h.query_tiles(); ++t) h.prepare(t, memory);
      for (std::int64_t j = 0; j < h.key_tiles(); ++j) h.keys(j, memory, memory + h.shared_size(), nullptr);
    });
  for (std::int64_t task = 0; task < heads; ++task) {
    const HeadGradient<A> h(p, task, o);
    const std::int64_t part = p.queries * p.depth;
    std::vector<A> shared(std::size_t(h.shared_size() + std::min(together, h.key_tiles()) * part));
    A* const parts = shared.data() + h.shared_size();
    parallel_for(h.query_tiles(), [&](std::int64_t t) { h.prepare(t, shared.data()); });
    for (std::int64_t j = 0; j < h.key_tiles(); j += together) {
      const std::int64_t count = std::min(together, h.key_tiles() - j);
      parallel_for(count, [&](std::int64_t g) { h.keys(j + g, shared.data(), task_memory<A>(h.tile_size()), parts + g * part); });
      parallel_for(h.query_tiles(), [&](std::int64_t t) { h.add_parts(t, j, count, parts); });
    }
  }
}

template <void (*F32)(const Attention&, void* const*), void (*F64)(const Attention&, void* const*)>
Kernel of_type(const Attention& p) {
  return [p](void* const* o) { (p.dtype == DType::f64 ? F64 : F32)(p, o); };
}

}  // namespace

KernelSlot<const Attention&> attention_kernel("scaled_dot_product_attention", of_type<forward<float>, forward<double>>);
KernelSlot<const Attention&> attention_gradient_kernel("scaled_dot_product_attention.gradient", of_type<gradient<float>, gradient<double>>);

}  // namespace tenon
