#include "tenon/nn/attention.hpp"

#include <limits>

#include "tenon/error.hpp"

namespace tenon::nn {
namespace {

/// Both masks as one, additive where there are two.
AttentionOptions options_of(const char* op, const AttentionMasks& m, std::int64_t samples, std::int64_t keys) {
  AttentionOptions o;
  o.causal = m.causal;
  o.mask = m.mask;
  if (!m.key_mask.defined()) return o;
  if (m.key_mask.dtype() != DType::boolean || m.key_mask.shape() != Shape{samples, keys})
    throw_usage(op,
                "the key mask " + m.key_mask.str() + " for " + std::to_string(samples) + " samples of " + std::to_string(keys) + " keys",
                "it is bool [N, S], true for real keys");
  Tensor key = m.key_mask.reshape({samples, 1, 1, keys});
  if (!m.mask.defined()) {
    o.mask = key;
    return o;
  }
  auto additive = [](const Tensor& t) {
    if (t.dtype() != DType::boolean) return t.to(DType::f32);
    return where(t, Tensor::zeros(Shape{}, DType::f32, t.device()),
                 Tensor::full(Shape{}, -std::numeric_limits<double>::infinity(), DType::f32, t.device()));
  };
  o.mask = additive(m.mask) + additive(key);
  return o;
}

}  // namespace

MultiHeadAttention::MultiHeadAttention(std::int64_t channels, std::int64_t heads, bool bias) : channels_(channels), heads_(heads) {
  if (heads < 1 || channels < heads || channels % heads)
    throw_usage("MultiHeadAttention", std::to_string(channels) + " channels in " + std::to_string(heads) + " heads",
                "channels are a multiple of heads");
  weight_ = add_parameter("in_proj_weight", {3 * channels, channels}, {Init::Kind::xavier_uniform, 0, channels, 3 * channels});
  if (bias) bias_ = add_parameter("in_proj_bias", {3 * channels}, {});
  out_ = add_module("out_proj", std::make_shared<Linear>(channels, channels, bias));
}

Tensor MultiHeadAttention::forward(const Tensor& x) {
  return self(x, {});
}

Tensor MultiHeadAttention::self(const Tensor& x, const AttentionMasks& masks) {
  if (x.rank() != 3 || x.size(2) != channels_)
    throw_usage("MultiHeadAttention", "x " + x.str(), "it is [N, L, " + std::to_string(channels_) + "]");
  const std::int64_t N = x.size(0), L = x.size(1);
  Tensor qkv = linear(x, weight_, bias_).reshape({N, L, 3, heads_, channels_ / heads_});
  return out_->forward(self_attention(qkv, options_of("MultiHeadAttention", masks, N, L)).reshape({N, L, channels_}));
}

Tensor MultiHeadAttention::cross(const Tensor& x, const Tensor& memory, const AttentionMasks& masks) {
  if (x.rank() != 3 || memory.rank() != 3 || x.size(2) != channels_ || memory.size(2) != channels_ || x.size(0) != memory.size(0))
    throw_usage("MultiHeadAttention", "x " + x.str() + ", memory " + memory.str(),
                "they are [N, L, C] and [N, S, C] with C = " + std::to_string(channels_));
  const std::int64_t N = x.size(0), L = x.size(1), S = memory.size(1), d = channels_ / heads_;
  auto bias = [&](std::int64_t start, std::int64_t n) { return bias_.defined() ? bias_.narrow(0, start, n) : bias_; };
  Tensor q = linear(x, weight_.narrow(0, 0, channels_), bias(0, channels_)).reshape({N, L, heads_, d});
  Tensor kv = linear(memory, weight_.narrow(0, channels_, 2 * channels_), bias(channels_, 2 * channels_)).reshape({N, S, 2, heads_, d});
  Tensor y = scaled_dot_product_attention(q, kv.select(2, 0), kv.select(2, 1), options_of("MultiHeadAttention", masks, N, S));
  return out_->forward(y.reshape({N, L, channels_}));
}

class TransformerEncoderLayer::Feedforward : public Module {
 public:
  explicit Feedforward(const TransformerOptions& o)
      : activation_(o.activation),
        dropout_(o.dropout),
        linear1_(add_module("linear1", std::make_shared<Linear>(o.channels, o.feedforward))),
        linear2_(add_module("linear2", std::make_shared<Linear>(o.feedforward, o.channels))),
        inner_(add_module("dropout", std::make_shared<Dropout>(o.dropout))),
        outer_(add_module("dropout_out", std::make_shared<Dropout>(o.dropout))) {}
  Tensor forward(const Tensor& x) override {
    if (!inner_->training() || dropout_ == 0)  // nothing between the activation and the second layer
      return outer_->forward(feed_forward(x, linear1_->weight, linear1_->bias, linear2_->weight, linear2_->bias, activation_));
    Tensor h = linear1_->forward(x);
    h = activation_ == FeedForwardActivation::relu ? relu(h) : activation_ == FeedForwardActivation::gelu ? gelu(h) : gelu_tanh(h);
    return outer_->forward(linear2_->forward(inner_->forward(h)));
  }

 private:
  FeedForwardActivation activation_;
  double dropout_;
  std::shared_ptr<Linear> linear1_, linear2_;
  std::shared_ptr<Dropout> inner_, outer_;
};

namespace {

/// x + branch(x), normalised before or after.
template <class Branch>
Tensor residual(const Tensor& x, LayerNorm& norm, bool norm_first, const Branch& branch) {
  return norm_first ? x + branch(norm.forward(x)) : norm.forward(x + branch(x));
}

std::shared_ptr<LayerNorm> make_norm(const TransformerOptions& o) {
  return std::make_shared<LayerNorm>(o.channels, o.eps);
}

}  // namespace

TransformerEncoderLayer::TransformerEncoderLayer(const TransformerOptions& o)
    : norm_first_(o.norm_first),
      attention_(add_module("self_attn", std::make_shared<MultiHeadAttention>(o.channels, o.heads))),
      feedforward_(add_module("feedforward", std::make_shared<Feedforward>(o))),
      norm1_(add_module("norm1", make_norm(o))),
      norm2_(add_module("norm2", make_norm(o))),
      dropout_(add_module("dropout1", std::make_shared<Dropout>(o.dropout))) {}

Tensor TransformerEncoderLayer::forward(const Tensor& x) {
  return run(x, {});
}

Tensor TransformerEncoderLayer::run(const Tensor& x, const AttentionMasks& masks) {
  Tensor y = residual(x, *norm1_, norm_first_, [&](const Tensor& t) { return dropout_->forward(attention_->self(t, masks)); });
  return residual(y, *norm2_, norm_first_, [&](const Tensor& t) { return feedforward_->forward(t); });
}

TransformerDecoderLayer::TransformerDecoderLayer(const TransformerOptions& o)
    : norm_first_(o.norm_first),
      attention_(add_module("self_attn", std::make_shared<MultiHeadAttention>(o.channels, o.heads))),
      memory_attention_(add_module("multihead_attn", std::make_shared<MultiHeadAttention>(o.channels, o.heads))),
      feedforward_(add_module("feedforward", std::make_shared<TransformerEncoderLayer::Feedforward>(o))),
      norm1_(add_module("norm1", make_norm(o))),
      norm2_(add_module("norm2", make_norm(o))),
      norm3_(add_module("norm3", make_norm(o))),
      dropout1_(add_module("dropout1", std::make_shared<Dropout>(o.dropout))),
      dropout2_(add_module("dropout2", std::make_shared<Dropout>(o.dropout))) {}

std::vector<Tensor> TransformerDecoderLayer::forward_all(const std::vector<Tensor>& inputs) {
  if (inputs.size() != 2) throw_usage("TransformerDecoderLayer", std::to_string(inputs.size()) + " inputs", "give x and the memory");
  return {run(inputs[0], inputs[1], {.causal = true})};
}

Tensor TransformerDecoderLayer::run(const Tensor& x, const Tensor& memory, const AttentionMasks& own, const AttentionMasks& of_memory) {
  Tensor y = residual(x, *norm1_, norm_first_, [&](const Tensor& t) { return dropout1_->forward(attention_->self(t, own)); });
  y = residual(y, *norm2_, norm_first_,
               [&](const Tensor& t) { return dropout2_->forward(memory_attention_->cross(t, memory, of_memory)); });
  return residual(y, *norm3_, norm_first_, [&](const Tensor& t) { return feedforward_->forward(t); });
}

TransformerEncoder::TransformerEncoder(std::int64_t layers, const TransformerOptions& o, bool final_norm) {
  if (layers < 0) throw_usage("TransformerEncoder", std::to_string(layers) + " layers", "0 or more");
  for (std::int64_t i = 0; i < layers; ++i)
    layers_.push_back(add_module("layers." + std::to_string(i), std::make_shared<TransformerEncoderLayer>(o)));
  if (final_norm) norm_ = add_module("norm", make_norm(o));
}

Tensor TransformerEncoder::forward(const Tensor& x) {
  return run(x, {});
}

Tensor TransformerEncoder::run(const Tensor& x, const AttentionMasks& masks) {
  Tensor y = x;
  for (const auto& layer : layers_) y = layer->run(y, masks);
  return norm_ ? norm_->forward(y) : y;
}

TransformerDecoder::TransformerDecoder(std::int64_t layers, const TransformerOptions& o, bool final_norm) {
  if (layers < 0) throw_usage("TransformerDecoder", std::to_string(layers) + " layers", "0 or more");
  for (std::int64_t i = 0; i < layers; ++i)
    layers_.push_back(add_module("layers." + std::to_string(i), std::make_shared<TransformerDecoderLayer>(o)));
  if (final_norm) norm_ = add_module("norm", make_norm(o));
}

std::vector<Tensor> TransformerDecoder::forward_all(const std::vector<Tensor>& inputs) {
  if (inputs.size() != 2) throw_usage("TransformerDecoder", std::to_string(inputs.size()) + " inputs", "give x and the memory");
  return {run(inputs[0], inputs[1], {.causal = true})};
}

Tensor TransformerDecoder::run(const Tensor& x, const Tensor& memory, const AttentionMasks& own, const AttentionMasks& of_memory) {
  Tensor y = x;
  for (const auto& layer : layers_) y = layer->run(y, memory, own, of_memory);
  return norm_ ? norm_->forward(y) : y;
}

}  // namespace tenon::nn
