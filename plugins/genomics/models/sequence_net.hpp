/// What the networks on sequences share: letters read as codes, the four ways to treat the two strands, and the head.
///
/// Input: codes [N, L] u8, 0..3 for A, C, G, T, 4 for an unknown base, which adds nothing. Output: logits [N, classes] f32. The one-hot
/// vectors are never made (conv_codes.hpp).
///
/// Strands. A sequence and its reverse complement are the same molecule, but not the same signal where the label has a direction (a
/// promoter, a splice site).
///   none     the sequence as it is given.
///   augment  half of the training samples are given as their reverse complement (the task does that); prediction as for none.
///   average  as augment, and prediction is the mean of the logits of both strands.
///   tied     f(x) = f(rc(x)) bit for bit. Every layer sees both strands: with a and b the features of the sequence and of its reverse
///            complement, each along its own strand, a layer gives conv(W, [a, flip(b)]) and conv(W, [b, flip(a)]), so that taking the
///            complement swaps a and b exactly; the head reads a + b, which does not depend on their order. (With mirrored weights in one
///            tensor of 2 C channels this is the reverse-complement parameter sharing of Shrikumar et al. 2017.)
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tenon/nn/blocks.hpp"
#include "tenon/nn/dropout.hpp"
#include "tenon/nn/layers.hpp"
#include "tenon/plugin.hpp"

namespace tenon::genomics {

enum class Strand { none, augment, average, tied };

/// Throws a usage error with the nearest names.
Strand strand_of(const std::string& name);
/// The declared parameter, for the models.
Param strand_param();

/// codes [N, L] read from the other strand: reversed, 3 - code; unknown bases stay. As tensor ops: for any device, in a recorded step.
Tensor reverse_complement_codes(const Tensor& codes);

/// The first layer: convolution over codes, "same" padding (odd kernels), in the type of `compute`. Weight [out, kernel, 4].
class LetterConv : public nn::Module {
 public:
  LetterConv(std::int64_t out, std::int64_t kernel, bool bias, DType compute);
  Tensor forward(const Tensor& codes) override;
  Tensor weight, bias;

 private:
  std::int64_t padding_;
  DType compute_;
};

/// A convolution that sees both strands where `tied` (x is [2 N, L, C], sequences before their reverse complements), else a plain one.
/// "Same" padding.
class StrandConv : public nn::Module {
 public:
  StrandConv(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t dilation, bool bias, bool tied);
  Tensor forward(const Tensor& x) override;

 private:
  bool tied_;
  std::shared_ptr<nn::Conv> conv_;
};

struct HeadOptions {
  std::string kind = "dense";        ///< "dense": all positions; "mean", "max": over positions; "mean_max": both
  std::vector<std::int64_t> hidden;  ///< widths of hidden layers
  double dropout = 0;                ///< before each linear layer
};

/// A trunk of convolutions and a head. Derive, register the trunk's layers, then call make_head in the constructor.
class SequenceNet : public nn::Module {
 public:
  Tensor forward(const Tensor& codes) final;
  /// The first layer's filters [out, kernel, 4] and what it makes of codes [N, L] before normalisation: [N, L, out]. For motifs.
  virtual const LetterConv& letters() const = 0;

 protected:
  SequenceNet(Strand strand, const ModelContext& context);
  void make_head(std::int64_t positions, std::int64_t channels, const HeadOptions& options);
  /// [N, L] codes -> [N, positions, channels].
  virtual Tensor trunk(const Tensor& codes) = 0;
  bool tied() const noexcept { return strand_ == Strand::tied; }

 private:
  Tensor gather(const Tensor& features) const;  ///< over positions, by the head's kind: [N, F]
  Tensor head(const Tensor& features) const;

  Strand strand_;
  std::int64_t length_, classes_;
  std::string kind_;
  std::vector<std::shared_ptr<nn::Linear>> linear_;
  std::vector<std::shared_ptr<nn::Dropout>> dropout_;
};

/// Throws a usage error for a context whose input is not letters, or whose length is not known.
void require_sequences(const std::string& model, const ModelContext& context);

/// Batches of 96 random letters, unknown ones among them, in two classes.
ModelExample sequence_example();

}  // namespace tenon::genomics
