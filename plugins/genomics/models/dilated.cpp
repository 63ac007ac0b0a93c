#include "genomics/models/models.hpp"
#include "genomics/models/sequence_net.hpp"
#include "tenon/error.hpp"
#include "tenon/nn/ensemble.hpp"
#include "tenon/ops.hpp"

namespace tenon::genomics {
namespace {

/// x + conv1(relu(norm(conv(relu(norm(x)))))): the first convolution is dilated, the second mixes channels.
class DilatedBlock final : public nn::Module {
 public:
  DilatedBlock(std::int64_t channels, std::int64_t kernel, std::int64_t dilation, double dropout, bool tied) {
    norm1_ = add_module("norm1", std::make_shared<nn::BatchNorm>(channels, 0.1, 1e-5, 0.0));
    conv1_ = add_module("conv1", std::make_shared<StrandConv>(channels, channels, kernel, dilation, false, tied));
    norm2_ = add_module("norm2", std::make_shared<nn::BatchNorm>(channels, 0.1, 1e-5, 0.0));
    conv2_ = add_module("conv2", std::make_shared<StrandConv>(channels, channels, 1, 1, true, false));
    if (dropout > 0) dropout_ = add_module("dropout", std::make_shared<nn::Dropout>(dropout));
  }
  Tensor forward(const Tensor& x) override {
    Tensor y = conv2_->forward(norm2_->forward(conv1_->forward(norm1_->forward(x))));
    return x + (dropout_ ? dropout_->forward(y) : y);
  }

 private:
  std::shared_ptr<nn::BatchNorm> norm1_, norm2_;
  std::shared_ptr<StrandConv> conv1_, conv2_;
  std::shared_ptr<nn::Dropout> dropout_;
};

struct DilatedOptions {
  std::int64_t filters = 64, kernel = 11, pool = 1, block_kernel = 3, final_pool = 1;
  std::vector<std::int64_t> dilations;
  double block_dropout = 0;
  HeadOptions head;
  Strand strand = Strand::none;
};

class Dilated final : public SequenceNet {
 public:
  Dilated(const DilatedOptions& o, const ModelContext& context) : SequenceNet(o.strand, context), pool_(o.pool), final_pool_(o.final_pool) {
    letters_ = add_module("letters", std::make_shared<LetterConv>(o.filters, o.kernel, true, context.compute));
    for (std::size_t i = 0; i < o.dilations.size(); ++i)
      blocks_.push_back(add_module("block" + std::to_string(i), std::make_shared<DilatedBlock>(o.filters, o.block_kernel, o.dilations[i],
                                                                                               o.block_dropout, tied())));
    norm_ = add_module("norm", std::make_shared<nn::BatchNorm>(o.filters, 0.1, 1e-5, 0.0));
    const std::int64_t positions = context.spatial[0] / o.pool / o.final_pool;
    if (positions < 1)
      throw Error(ErrorKind::usage, "genomics.model", "model.pool and model.final_pool leave nothing of " + std::to_string(context.spatial[0]) + " bases",
                  "pool less", "model.pool");
    make_head(positions, o.filters, o.head);
  }
  const LetterConv& letters() const override { return *letters_; }

 private:
  Tensor trunk(const Tensor& codes) override {
    Tensor x = letters_->forward(codes);
    if (pool_ > 1) x = max_pool(x, {pool_});
    for (const auto& block : blocks_) x = block->forward(x);
    x = norm_->forward(x);
    return final_pool_ > 1 ? max_pool(x, {final_pool_}) : x;
  }

  std::int64_t pool_, final_pool_;
  std::shared_ptr<LetterConv> letters_;
  std::vector<std::shared_ptr<DilatedBlock>> blocks_;
  std::shared_ptr<nn::BatchNorm> norm_;
};

}  // namespace

ModelEntry dilated_model() {
  ModelEntry entry;
  entry.name = "dilated";
  entry.help = "dilated residual CNN: a convolution over letters, residual blocks of growing dilation, a head over positions";
  entry.params = ParamSpec{
      integer_param("filters", 64, "channels, of the first layer and of every block", 1, 4096),
      integer_param("kernel", 11, "width of the first layer's filters, odd", 1, 255),
      integer_param("pool", 1, "positions that the first layer's maximum is taken over", 1, 255),
      integers_param("dilations", {1, 2, 4, 8}, "dilation of each block's convolution", 1, 65536),
      integer_param("block_kernel", 3, "width of the blocks' filters", 1, 255),
      real_param("block_dropout", 0, "share of a block's output left out in training", 0, 0.99),
      integer_param("final_pool", 1, "positions that the maximum is taken over before the head", 1, 65536),
      text_param("head", "dense", "dense (weights for every position), mean, max or mean_max over positions", {"dense", "mean", "max", "mean_max"}),
      integers_param("hidden", {}, "widths of dense layers before the last", 1, 65536),
      real_param("dropout", 0.3, "share of the dense layers' inputs left out in training", 0, 0.99),
      strand_param(),
      integer_param("members", 1, "networks trained side by side; the mean of their logits is the answer", 1, 64),
  };
  entry.make = [](const ParamValues& v, const ModelContext& context) -> nn::ModulePtr {
    require_sequences("genomics.dilated", context);
    DilatedOptions o;
    o.filters = v.integer("filters"), o.kernel = v.integer("kernel"), o.pool = v.integer("pool");
    o.block_kernel = v.integer("block_kernel"), o.final_pool = v.integer("final_pool");
    o.dilations = v.integers("dilations");
    o.block_dropout = v.real("block_dropout");
    o.head = {v.text("head"), v.integers("hidden"), v.real("dropout")};
    o.strand = strand_of(v.text("strand"));
    return nn::ensemble(v.integer("members"), [&] { return std::make_shared<Dilated>(o, context); });
  };
  entry.example = sequence_example();
  return entry;
}

}  // namespace tenon::genomics
