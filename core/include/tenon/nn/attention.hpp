/// Multi-head attention and transformer layers, [N, L, C]. Weights have PyTorch's meaning and its names, but for norms (scale, shift) and the
/// two linear layers, which stand under feedforward.
#pragma once

#include "tenon/attention.hpp"
#include "tenon/feed_forward.hpp"
#include "tenon/nn/dropout.hpp"
#include "tenon/nn/layers.hpp"

namespace tenon::nn {

struct AttentionMasks {
  Tensor mask = {};      ///< of attention.hpp: [N, heads, L, S] or what broadcasts to it
  Tensor key_mask = {};  ///< bool [N, S], true: a real key, false: padding that nobody sees
  bool causal = false;
};

/// Vaswani et al. 2017. in_proj_weight [3C, C] (queries, keys, values), in_proj_bias [3C], out_proj.
class TENON_API MultiHeadAttention : public Module {
 public:
  MultiHeadAttention(std::int64_t channels, std::int64_t heads, bool bias = true);
  Tensor forward(const Tensor& x) override;  ///< self-attention without masks
  Tensor self(const Tensor& x, const AttentionMasks& masks);
  /// x [N, L, C] asks, memory [N, S, C] answers.
  Tensor cross(const Tensor& x, const Tensor& memory, const AttentionMasks& masks = {});

 private:
  std::int64_t channels_, heads_;
  Tensor weight_, bias_;
  std::shared_ptr<Linear> out_;
};

using tenon::FeedForwardActivation;

struct TransformerOptions {
  std::int64_t channels = 512, heads = 8, feedforward = 2048;
  double dropout = 0.1;  ///< of both branches and behind the activation; attention's own weights are not dropped
  FeedForwardActivation activation = FeedForwardActivation::relu;
  bool norm_first = false;
  double eps = 1e-5;
};

/// Self-attention, then linear1, activation, linear2; each added to its input, normalised before (norm_first) or after.
class TENON_API TransformerEncoderLayer : public Module {
 public:
  explicit TransformerEncoderLayer(const TransformerOptions& options);
  Tensor forward(const Tensor& x) override;
  Tensor run(const Tensor& x, const AttentionMasks& masks);

 private:
  class Feedforward;
  friend class TransformerDecoderLayer;
  bool norm_first_;
  std::shared_ptr<MultiHeadAttention> attention_;
  std::shared_ptr<Feedforward> feedforward_;
  std::shared_ptr<LayerNorm> norm1_, norm2_;
  std::shared_ptr<Dropout> dropout_;
};

/// Self-attention (causal unless told otherwise), attention to a memory, feedforward.
class TENON_API TransformerDecoderLayer : public Module {
 public:
  explicit TransformerDecoderLayer(const TransformerOptions& options);
  std::vector<Tensor> forward_all(const std::vector<Tensor>& inputs) override;  ///< {x, memory}, causal
  Tensor run(const Tensor& x, const Tensor& memory, const AttentionMasks& own, const AttentionMasks& of_memory = {});

 private:
  bool norm_first_;
  std::shared_ptr<MultiHeadAttention> attention_, memory_attention_;
  std::shared_ptr<TransformerEncoderLayer::Feedforward> feedforward_;
  std::shared_ptr<LayerNorm> norm1_, norm2_, norm3_;
  std::shared_ptr<Dropout> dropout1_, dropout2_;
};

/// `layers` encoder layers, "layers.0" on, and a LayerNorm "norm" behind them where `final_norm`.
class TENON_API TransformerEncoder : public Module {
 public:
  TransformerEncoder(std::int64_t layers, const TransformerOptions& options, bool final_norm = false);
  Tensor forward(const Tensor& x) override;
  Tensor run(const Tensor& x, const AttentionMasks& masks);

 private:
  std::vector<std::shared_ptr<TransformerEncoderLayer>> layers_;
  std::shared_ptr<LayerNorm> norm_;
};

/// The same of decoder layers.
class TENON_API TransformerDecoder : public Module {
 public:
  TransformerDecoder(std::int64_t layers, const TransformerOptions& options, bool final_norm = false);
  std::vector<Tensor> forward_all(const std::vector<Tensor>& inputs) override;  ///< {x, memory}, causal
  Tensor run(const Tensor& x, const Tensor& memory, const AttentionMasks& own, const AttentionMasks& of_memory = {});

 private:
  std::vector<std::shared_ptr<TransformerDecoderLayer>> layers_;
  std::shared_ptr<LayerNorm> norm_;
};

}  // namespace tenon::nn
