/// What the tests of attention's choices share: questions and plans.
#pragma once

#include <cstdint>
#include <vector>

#include "backend/cuda/library/attention_tune.hpp"
#include "cuda_on_cpu/libraries/cudnn_scope.hpp"

namespace under_test::attentions {

using tenon::Attention;
using tenon::AttentionPass;
using tenon::AttentionStrides;
using tenon::DType;
using tenon::cuda::CudnnAttention;
using AttentionPlans = tenon::cuda::on_cpu::Plans<CudnnAttention>;
using List = std::vector<StandInPlan>;

inline constexpr AttentionPass kPasses[] = {AttentionPass::forward, AttentionPass::gradient};

inline AttentionStrides dense(std::int64_t rows, std::int64_t heads, std::int64_t width) { return {rows * heads * width, heads * width, width, 0}; }

inline Attention made(DType type, std::int64_t samples, std::int64_t heads, std::int64_t queries, std::int64_t keys, std::int64_t depth, std::int64_t features, bool causal) {
  return {type, samples, heads, queries, keys, depth, features, 0.3, causal, false, dense(queries, heads, depth), dense(keys, heads, depth), dense(keys, heads, features), {}};
}
/// Just above the least for which cuDNN is asked: few of the keys are seen, so that it is soon done. `more` makes another question.
inline Attention small(DType type, int more = 0) { return made(type, 1, 2, 256, 3056 + more, 32, 32, true); }

inline AttentionPlans always(const List& plans) {
  return [=](const CudnnAttention&) { return plans; };
}

}  // namespace under_test::attentions
