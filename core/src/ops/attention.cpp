#include "autograd/backward_scope.hpp"
#include "tenon/attention.hpp"

#include <array>
#include <cmath>
#include <limits>

#include "kernels/types.hpp"
#include "ops/attention_kernels.hpp"
#include "ops/check.hpp"
#include "tenon/autograd.hpp"
#include "tenon/memory.hpp"
#include "tenon/ops.hpp"

namespace tenon {
namespace {

using List = std::vector<Tensor>;
const char* const kOp = "scaled_dot_product_attention";

/// [N, L, heads, features] with features together, and its strides.
AttentionStrides strides_of(const Tensor& t) {
  return {t.strides()[0], t.strides()[1], t.strides()[2], 0};
}
Tensor readable(const Tensor& t) {
  return t.size(3) <= 1 || t.strides()[3] == 1 ? t : t.contiguous();
}

void check_operands(const Tensor& q, const Tensor& k, const Tensor& v) {
  for (const auto& [t, name] : {std::pair{&q, "q"}, {&k, "k"}, {&v, "v"}}) {
    check_floating(kOp, *t, name);
    check_same_device(kOp, q, *t);
  }
  const std::string given = "q " + q.str() + ", k " + k.str() + ", v " + v.str();
  if (q.rank() != 4 || k.rank() != 4 || v.rank() != 4 || q.dtype() != k.dtype() || q.dtype() != v.dtype())
    throw_usage(kOp, given, "all are [N, L, heads, d], of one type");
  if (q.size(0) != k.size(0) || q.size(0) != v.size(0) || q.size(2) != k.size(2) || q.size(2) != v.size(2) || q.size(3) != k.size(3) ||
      k.size(1) != v.size(1))
    throw_usage(kOp, given, "samples and heads agree, d of q and k, and the length of k and v");
  if (q.numel() == 0 || k.numel() == 0 || v.numel() == 0) throw_usage(kOp, given + ": an operand is empty");
}

/// What attention is computed from: f32 (f64 for f64), and 16-bit numbers as they are on CUDA, where there are kernels for them.
DType operand_type(const Tensor& t) {
  return t.device().type == DeviceType::cuda ? t.dtype() : acc_dtype(t.dtype());
}

/// Additive, in `type`, broadcast to [N, heads, L, S].
Tensor additive_mask(const Tensor& q, const Tensor& mask, const Attention& p, DType type) {
  if (mask.dtype() != DType::boolean && !is_floating(mask.dtype()))
    throw_usage(kOp, "the mask is " + mask.str(), "it is bool (true: may see) or floating (added)");
  check_same_device(kOp, q, mask);
  const Shape all{p.samples, p.heads, p.queries, p.keys};
  bool fits = mask.rank() <= 4;
  for (int i = 1; fits && i <= mask.rank(); ++i) fits = mask.size(-i) == 1 || mask.size(-i) == all[-i];
  if (!fits) throw_usage(kOp, "the mask " + mask.str() + " does not broadcast to " + all.str());
  const DetectorPause infinities_are_meant;
  Tensor add = mask;
  if (mask.dtype() == DType::boolean) {
    Tensor none = Tensor::full(Shape{}, -std::numeric_limits<double>::infinity(), type, mask.device());
    add = where(mask, Tensor::zeros(Shape{}, type, mask.device()), none);
  }
  return add.to(type).expand(all);
}

Attention geometry(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& o) {
  Attention p{q.dtype(), q.size(0),        q.size(2), q.size(1),
              k.size(1), q.size(3),        v.size(3), o.scale != 0 ? o.scale : 1 / std::sqrt(double(q.size(3))),
              o.causal,  o.mask.defined(), {},        {},
              {}};
  return p;
}

void add_workspace(List& writes, const Attention& p, AttentionPass pass, Device device) {
  const AttentionWorkspaceFn& bytes = attention_workspace(device.type);
  const std::size_t wanted = bytes ? bytes(p, pass) : 0;
  if (wanted == 0) return;
  MemoryScope tag(MemoryTag::workspace);
  writes.push_back(Tensor::empty({std::int64_t(wanted)}, DType::u8, device));
}

/// y and the log-sum-exp of its rows.
List run(const Attention& p, const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask) {
  List reads{q, k, v};
  if (p.masked) reads.push_back(mask);
  List out{Tensor::empty({p.samples, p.queries, p.heads, p.features}, p.dtype, q.device()),
           Tensor::empty({p.samples, p.heads, p.queries}, acc_dtype(p.dtype), q.device())};
  List writes = out;
  add_workspace(writes, p, AttentionPass::forward, q.device());
  launch(kOp, reads, writes, attention_kernel(q.device(), p));
  return out;
}

void run_gradient(const Attention& p, const List& qkv, const Tensor& mask, const List& result, const Tensor& d_y, const List& d_qkv) {
  List reads = qkv;
  if (p.masked) reads.push_back(mask);
  reads.insert(reads.end(), {result[0].detach(), result[1], d_y.contiguous()});
  List writes = d_qkv;
  add_workspace(writes, p, AttentionPass::gradient, d_y.device());
  launch("scaled_dot_product_attention.gradient", reads, writes, attention_gradient_kernel(d_y.device(), p));
}

/// The gradients of q, k, v and the mask in plain ops, with the matrix: for second derivatives, and masks that are learned.
List gradient_of_ops(const Attention& p, const Tensor& q_given, const Tensor& k_given, const Tensor& v_given, const Tensor& mask,
                     const Tensor& d_given) {
  const DType type = acc_dtype(p.dtype);
  const Tensor q = q_given.to(type), k = k_given.to(type), v = v_given.to(type), d_y = d_given.to(type);
  auto by_head = [](const Tensor& t) { return t.transpose(1, 2); };
  auto given_back = [&](const Tensor& t) { return by_head(t).to(p.dtype); };
  Tensor products = matmul(by_head(q), by_head(k).transpose(-2, -1)) * p.scale;
  if (p.masked) products = products + mask;
  if (p.causal) {
    Tensor row = Tensor::arange(p.queries).to(q.device()).reshape({p.queries, 1});
    Tensor column = Tensor::arange(p.keys).to(q.device()).reshape({1, p.keys});
    products = where(greater(column, row), Tensor::full(Shape{}, -std::numeric_limits<double>::infinity(), type, q.device()), products);
  }
  // a row that sees nothing has no probabilities: neither value nor gradient may pass through its softmax
  Tensor dead;
  {
    NoGrad off;
    dead = equal(max(products.detach(), -1, true), Tensor::full(Shape{}, -std::numeric_limits<double>::infinity(), type, q.device()));
  }
  const Tensor zero = Tensor::zeros(Shape{}, type, q.device());
  Tensor share = where(dead, zero, softmax(where(dead, zero, products))), d = by_head(d_y);
  Tensor d_share = matmul(d, by_head(v).transpose(-2, -1));
  Tensor d_mask = share * (d_share - sum(share * d_share, {-1}, true)), d_products = d_mask * p.scale;
  return {given_back(matmul(d_products, by_head(k))), given_back(matmul(d_products.transpose(-2, -1), by_head(q))),
          given_back(matmul(share.transpose(-2, -1), d)), d_mask};
}

std::array<AttentionWorkspaceFn, kDeviceTypes>& workspaces() {
  static std::array<AttentionWorkspaceFn, kDeviceTypes> bytes;
  return bytes;
}

}  // namespace

void set_attention_workspace(DeviceType type, AttentionWorkspaceFn bytes) {
  workspaces()[std::size_t(type)] = std::move(bytes);
}
const AttentionWorkspaceFn& attention_workspace(DeviceType type) {
  return workspaces()[std::size_t(type)];
}

Tensor scaled_dot_product_attention(const Tensor& q_given, const Tensor& k_given, const Tensor& v_given, const AttentionOptions& options) {
  check_operands(q_given, k_given, v_given);
  const DType given = q_given.dtype(), type = operand_type(q_given);
  if (given != type) return scaled_dot_product_attention(q_given.to(type), k_given.to(type), v_given.to(type), options).to(given);
  Tensor q = readable(q_given), k = readable(k_given), v = readable(v_given), mask;
  Attention p = geometry(q, k, v, options);
  p.q = strides_of(q), p.k = strides_of(k), p.v = strides_of(v);
  if (p.masked) {
    mask = additive_mask(q, options.mask, p, acc_dtype(type));
    for (int i = 0; i < 4; ++i) p.mask_strides[std::size_t(i)] = mask.strides()[i];
  }
  const bool learned = wants_grad({mask});
  List result = run(p, q, k, v, mask);
  auto backward = [=](const List& d) -> List {
    if (learned || wants_grad({d[0], q, k, v})) {
      List all = gradient_of_ops(p, q, k, v, mask, d[0]);
      all.resize(learned ? 4 : 3);
      return all;
    }
    List d_qkv{Tensor::empty(q.shape(), type, q.device()), Tensor::empty(k.shape(), type, q.device()),
               Tensor::empty(v.shape(), type, q.device())};
    // operands and gradients share strides: operands that are views are read from dense copies here
    Attention dense = p;
    List dense_qkv{q.contiguous(), k.contiguous(), v.contiguous()};
    dense.q = strides_of(dense_qkv[0]), dense.k = strides_of(dense_qkv[1]), dense.v = strides_of(dense_qkv[2]);
    run_gradient(dense, dense_qkv, mask, result, d[0], d_qkv);
    return d_qkv;
  };
  return differentiable(kOp, result[0], learned ? List{q, k, v, mask} : List{q, k, v}, backward);
}

Tensor self_attention(const Tensor& qkv_given, const AttentionOptions& options) {
  check_floating("self_attention", qkv_given, "qkv");
  if (qkv_given.rank() != 5 || qkv_given.size(2) != 3 || qkv_given.numel() == 0)
    throw_usage("self_attention", "qkv is " + qkv_given.str(), "it is [N, L, 3, heads, d]");
  const DType given = qkv_given.dtype(), type = operand_type(qkv_given);
  if (given != type) return self_attention(qkv_given.to(type), options).to(given);
  Tensor qkv = qkv_given.contiguous(), mask;
  auto part = [](const Tensor& t, std::int64_t i) { return t.select(2, i); };
  Attention p;
  {
    NoGrad no_grad;
    p = geometry(part(qkv, 0), part(qkv, 1), part(qkv, 2), options);
  }
  const Shape& s = qkv.strides();
  for (AttentionStrides* to : {&p.q, &p.k, &p.v}) *to = {s[0], s[1], s[3], (to == &p.q ? 0 : to == &p.k ? 1 : 2) * s[2]};
  if (p.masked) {
    mask = additive_mask(qkv, options.mask, p, acc_dtype(type));
    for (int i = 0; i < 4; ++i) p.mask_strides[std::size_t(i)] = mask.strides()[i];
  }
  const bool learned = wants_grad({mask});
  List result = run(p, qkv, qkv, qkv, mask);
  auto backward = [=](const List& d) -> List {
    if (learned || wants_grad({d[0], qkv})) {
      List parts = gradient_of_ops(p, part(qkv, 0), part(qkv, 1), part(qkv, 2), mask, d[0]);
      const Tensor d_mask = parts[3];
      parts.pop_back();
      for (Tensor& t : parts) t = t.unsqueeze(2);
      const Tensor d_qkv = concat(parts, 2);
      return learned ? List{d_qkv, d_mask} : List{d_qkv};
    }
    Tensor d_qkv = Tensor::empty(qkv.shape(), type, qkv.device());
    run_gradient(p, {qkv, qkv, qkv}, mask, result, d[0], {d_qkv, d_qkv, d_qkv});
    return {d_qkv};
  };
  return differentiable("self_attention", result[0], learned ? List{qkv, mask} : List{qkv}, backward);
}

}  // namespace tenon
