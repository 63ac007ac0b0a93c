/// Attention by cuDNN where it is there and faster: the slots, and how a chosen plan is run.
#include <algorithm>
#include <array>

#include "backend/cuda/install.hpp"
#include "backend/cuda/library/attention_tune.hpp"
#include "ops/attention_mma.cuh"

namespace tenon::cuda {
namespace {

constexpr std::int64_t kWide = 8;  // elements of 16 bits in the 16 bytes that cuDNN's loads take

/// Rows must lie on 16 bytes. An axis along which all elements are one (an expanded operand) is left to our own kernels.
bool lies_well(const AttentionStrides& s, std::int64_t samples, std::int64_t rows, std::int64_t heads) {
  auto well = [](std::int64_t size, std::int64_t stride) { return size == 1 || (stride > 0 && stride % kWide == 0); };
  return s.offset % kWide == 0 && well(samples, s.sample) && well(rows, s.row) && well(heads, s.head);
}

/// Masks stay with our own kernels: there a query that sees nothing gives 0.
bool may_ask(const Attention& p) {
  return size_of(p.dtype) == 2 && !p.masked && p.depth % kWide == 0 && p.features % kWide == 0 &&
         lies_well(p.q, p.samples, p.queries, p.heads) && lies_well(p.k, p.samples, p.keys, p.heads) &&
         lies_well(p.v, p.samples, p.keys, p.heads);
}

AttentionChoice choice_of(const Attention& p, AttentionPass pass) {
  if (!may_ask(p)) return {};
  const CudnnAttention part = attention_part(p, pass);
  if ((part.samples < p.samples || part.heads < p.heads) && p.queries % 4 != 0) return {};  // a part's log-sum-exp lies off the 16 bytes
  return attention_choice(p, pass);
}

std::size_t operands_of(AttentionPass pass) {
  return pass == AttentionPass::forward ? 5 : 9;
}

Kernel make(const Attention& p, AttentionPass pass) {
  Kernel own = pass == AttentionPass::forward ? make_own_attention(p) : make_own_attention_gradient(p);
  const AttentionChoice c = choice_of(p, pass);
  if (!c.graph) return own;
  return [=](void* const* o) {
    const std::size_t count = operands_of(pass);
    const bool even = std::all_of(o, o + count, [](const void* p) { return reinterpret_cast<std::uintptr_t>(p) % 16 == 0; });
    even ? run_attention_choice(c, p, pass, o, c.plan.workspace > 0 ? o[count] : nullptr) : own(o);
  };
}

std::size_t workspace(const Attention& p, AttentionPass pass) {
  return std::max(choice_of(p, pass).plan.workspace, own_attention_workspace(p, pass));
}

}  // namespace

void run_attention_choice(const AttentionChoice& c, const Attention& p, AttentionPass pass, void* const* o, void* workspace) {
  const bool gradient = pass == AttentionPass::gradient;
  const AttentionStrides out = p.out();
  std::array<const void*, 9> part{};
  for (std::int64_t sample = 0; sample < p.samples; sample += c.samples)
    for (std::int64_t head = 0; head < p.heads; head += c.heads) {
      auto at = [&](std::size_t i, const AttentionStrides& s) {
        part[i] = static_cast<const std::byte*>(o[i]) + std::size_t(head_offset(s, sample, head)) * size_of(p.dtype);
      };
      at(0, p.q), at(1, p.k), at(2, p.v), at(3, out);
      part[4] = static_cast<const float*>(o[4]) + (sample * p.heads + head) * p.queries;
      if (gradient) at(5, out), at(6, p.q), at(7, p.k), at(8, p.v);
      if (!c.graph->run(c.plan, {part.data(), operands_of(pass)}, workspace))
        throw Error(ErrorKind::device, "cuda.cudnn", "cuDNN refused an attention that it computed before: " + c.plan.engine,
                    "set TENON_CUDNN=none to compute without cuDNN");
    }
}

void install_attention_cudnn() {
  if (!cudnn_here()) return;
  attention_kernel.set(DeviceType::cuda, [](const Attention& p) { return make(p, AttentionPass::forward); });
  attention_gradient_kernel.set(DeviceType::cuda, [](const Attention& p) { return make(p, AttentionPass::gradient); });
  set_attention_workspace(DeviceType::cuda, workspace);
}

}  // namespace tenon::cuda
