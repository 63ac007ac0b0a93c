#include <algorithm>

#include "backend/cuda/library/attention_tune.hpp"

namespace tenon::cuda {
namespace {

std::int64_t largest_divisor(std::int64_t n, std::int64_t most) {
  std::int64_t d = std::min(n, most);
  while (n % d != 0) --d;
  return d;
}

std::int64_t rounded_up(std::int64_t n, std::int64_t to) {
  return (n + to - 1) / to * to;
}

}  // namespace

CudnnAttention attention_part(const Attention& p, AttentionPass pass) {
  CudnnAttention part{p, pass == AttentionPass::gradient, p.samples, p.heads};
  if (!part.backward) return part;
  const std::int64_t head_bytes = 2 * rounded_up(p.queries, 64) * rounded_up(p.keys, 128);
  const std::int64_t heads = std::max<std::int64_t>(1, kMostScoreBytes / head_bytes);
  part.samples = heads < p.heads ? 1 : largest_divisor(p.samples, heads / p.heads);
  part.heads = largest_divisor(p.heads, heads);
  return part;
}

}  // namespace tenon::cuda
