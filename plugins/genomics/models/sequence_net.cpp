#include "genomics/models/sequence_net.hpp"

#include <cmath>

#include "tenon/conv_codes.hpp"
#include "tenon/error.hpp"
#include "tenon/ops.hpp"
#include "tenon/pooling.hpp"
#include "tenon/sampling.hpp"

namespace tenon::genomics {
namespace {

const std::vector<std::string> kStrands{"none", "augment", "average", "tied"};

/// [2 N, ...] with its halves exchanged.
Tensor swapped(const Tensor& x) {
  const std::int64_t n = x.size(0) / 2;
  return concat({x.narrow(0, n, n), x.narrow(0, 0, n)}, 0);
}

/// Mean of the two halves; the same bits when they are exchanged.
Tensor halves_mean(const Tensor& x) {
  const std::int64_t n = x.size(0) / 2;
  return (x.narrow(0, 0, n) + x.narrow(0, n, n)) * 0.5;
}

}  // namespace

Strand strand_of(const std::string& name) {
  for (std::size_t i = 0; i < kStrands.size(); ++i)
    if (kStrands[i] == name) return Strand(i);
  throw Error(ErrorKind::usage, "genomics.strand", "no strand mode '" + name + "'", suggestion(name, kStrands), "model.strand");
}

Param strand_param() {
  return text_param("strand", "none",
                    "the two strands: none (as given), augment (half of the training samples reverse-complemented), average (augment, and "
                    "predictions are the mean of both strands), tied (the same output for both strands, exactly)",
                    kStrands);
}

Tensor reverse_complement_codes(const Tensor& codes) {
  const Tensor c = flip(codes, {1}).to(DType::f32), four = Tensor::full(Shape{}, 4, DType::f32, codes.device());
  return where(less(c, four), 3.0 + c * -1.0, c).to(DType::u8);
}

LetterConv::LetterConv(std::int64_t out, std::int64_t kernel, bool with_bias, DType compute) : padding_(kernel / 2), compute_(compute) {
  if (out < 1 || kernel < 1 || kernel % 2 == 0)
    throw Error(ErrorKind::usage, "genomics.model", std::to_string(out) + " filters of " + std::to_string(kernel) + " bases",
                "give at least one filter, of an odd number of bases");
  // One letter of four is there at each tap: the variance of the sum is that of `kernel` weights.
  weight = add_parameter("weight", {out, kernel, 4}, {Init::Kind::kaiming_normal, 0.0, kernel, out});
  if (with_bias) bias = add_parameter("bias", {out}, {Init::Kind::constant, 0});
}

Tensor LetterConv::forward(const Tensor& codes) {
  return conv_codes(codes, weight, bias, padding_).to(compute_);
}

StrandConv::StrandConv(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t dilation, bool bias, bool tied) : tied_(tied) {
  ConvOptions options;
  options.dilation = {dilation};
  conv_ = add_module("conv", std::make_shared<nn::Conv>(tied ? 2 * in : in, out, std::vector<std::int64_t>{kernel}, options, bias,
                                                        nn::ConvEdges{{}, true}));
}

Tensor StrandConv::forward(const Tensor& x) {
  return conv_->forward(tied_ ? concat({x, flip(swapped(x), {1})}, 2) : x);
}

SequenceNet::SequenceNet(Strand strand, const ModelContext& context)
    : strand_(strand), length_(context.spatial.at(0)), classes_(context.out_channels) {}

void SequenceNet::make_head(std::int64_t positions, std::int64_t channels, const HeadOptions& options) {
  kind_ = options.kind;
  std::int64_t in = kind_ == "dense" ? positions * channels : kind_ == "mean_max" ? 2 * channels : channels;
  std::vector<std::int64_t> widths = options.hidden;
  widths.push_back(classes_);
  for (std::size_t i = 0; i < widths.size(); ++i) {
    dropout_.push_back(options.dropout > 0 ? add_module("head.dropout" + std::to_string(i), std::make_shared<nn::Dropout>(options.dropout)) : nullptr);
    linear_.push_back(add_module("head." + std::to_string(i), std::make_shared<nn::Linear>(in, widths[i])));
    in = widths[i];
  }
}

Tensor SequenceNet::gather(const Tensor& features) const {
  if (kind_ == "mean") return global_avg_pool(features);
  if (kind_ == "max") return global_max_pool(features);
  if (kind_ == "mean_max") return concat({global_avg_pool(features), global_max_pool(features)}, 1);
  return features.reshape({features.size(0), features.size(1) * features.size(2)});
}

Tensor SequenceNet::head(const Tensor& features) const {
  Tensor x = features.to(DType::f32);
  for (std::size_t i = 0; i < linear_.size(); ++i) {
    if (i > 0) x = relu(x);
    if (dropout_[i]) x = dropout_[i]->forward(x);
    x = linear_[i]->forward(x);
  }
  return x;
}

Tensor SequenceNet::forward(const Tensor& codes) {
  if (codes.rank() != 2 || codes.size(1) != length_)
    throw_usage("SequenceNet", "codes " + codes.str() + " for sequences of " + std::to_string(length_) + " bases");
  const bool both = tied() || (strand_ == Strand::average && !training());
  const Tensor features = gather(trunk(both ? concat({codes, reverse_complement_codes(codes)}, 0) : codes));
  if (tied()) return head(halves_mean(features));
  return both ? halves_mean(head(features)) : head(features);
}

void require_sequences(const std::string& model, const ModelContext& context) {
  if (context.in_channels != 4 || context.spatial.size() != 1 || context.spatial[0] < 1)
    throw Error(ErrorKind::usage, "genomics.model", model + " reads sequences of one length as codes of four letters",
                "use it with genomics.classification");
}

ModelExample sequence_example() {
  ModelExample e;
  e.context.in_channels = 4;
  e.context.out_channels = 2;
  e.context.spatial = {96};
  e.input = [](const ModelContext& c, std::int64_t batch, std::uint64_t seed) { return random_integers({batch, c.spatial[0]}, seed, 0, 0, 5).to(DType::u8); };
  e.output = [](const ModelContext& c, std::int64_t batch) { return Shape{batch, c.out_channels}; };
  return e;
}

}  // namespace tenon::genomics
