#include "genomics/models/models.hpp"
#include "genomics/models/sequence_net.hpp"
#include "tenon/error.hpp"
#include "tenon/nn/ensemble.hpp"
#include "tenon/ops.hpp"

namespace tenon::genomics {
namespace {

struct BassetOptions {
  std::vector<std::int64_t> filters, kernels, pools;
  HeadOptions head;
  Strand strand = Strand::none;
};

class Basset final : public SequenceNet {
 public:
  Basset(const BassetOptions& o, const ModelContext& context) : SequenceNet(o.strand, context), pools_(o.pools) {
    std::int64_t positions = context.spatial[0];
    for (std::size_t i = 0; i < o.filters.size(); ++i) {
      const std::string name = "conv" + std::to_string(i);
      // a normalisation follows, which takes a bias out again
      if (i == 0)
        letters_ = add_module(name, std::make_shared<LetterConv>(o.filters[0], o.kernels[0], false, context.compute));
      else
        convs_.push_back(add_module(name, std::make_shared<StrandConv>(o.filters[i - 1], o.filters[i], o.kernels[i], 1, false, tied())));
      norms_.push_back(add_module("norm" + std::to_string(i), std::make_shared<nn::BatchNorm>(o.filters[i], 0.1, 1e-5, 0.0)));
      positions /= o.pools[i];
      if (positions < 1)
        throw Error(ErrorKind::usage, "genomics.model",
                    "model.pools leave nothing of " + std::to_string(context.spatial[0]) + " bases after layer " + std::to_string(i + 1),
                    "pool less, or use fewer layers", "model.pools");
    }
    make_head(positions, o.filters.back(), o.head);
  }
  const LetterConv& letters() const override { return *letters_; }

 private:
  Tensor trunk(const Tensor& codes) override {
    Tensor x;
    for (std::size_t i = 0; i < norms_.size(); ++i) {
      x = norms_[i]->forward(i == 0 ? letters_->forward(codes) : convs_[i - 1]->forward(x));
      if (pools_[i] > 1) x = max_pool(x, {pools_[i]});
    }
    return x;
  }

  std::vector<std::int64_t> pools_;
  std::shared_ptr<LetterConv> letters_;
  std::vector<std::shared_ptr<StrandConv>> convs_;
  std::vector<std::shared_ptr<nn::BatchNorm>> norms_;
};

}  // namespace

ModelEntry basset_model() {
  ModelEntry entry;
  entry.name = "basset";
  entry.help = "Basset-style CNN: convolutions over letters, batch norm, max pooling, dense layers (Kelley et al. 2016)";
  entry.params = ParamSpec{
      integers_param("filters", {300, 200, 200}, "filters of each convolution", 1, 4096),
      integers_param("kernels", {19, 11, 7}, "width of each convolution's filters, odd", 1, 255),
      integers_param("pools", {3, 4, 4}, "positions that each convolution's maximum is taken over", 1, 255),
      integers_param("hidden", {1000, 1000}, "widths of the dense layers", 1, 65536),
      real_param("dropout", 0.3, "share of the dense layers' inputs left out in training", 0, 0.99),
      strand_param(),
      integer_param("members", 1, "networks trained side by side; the mean of their logits is the answer", 1, 64),
  };
  entry.make = [](const ParamValues& v, const ModelContext& context) -> nn::ModulePtr {
    require_sequences("genomics.basset", context);
    BassetOptions o{v.integers("filters"), v.integers("kernels"), v.integers("pools"), {"dense", v.integers("hidden"), v.real("dropout")},
                    strand_of(v.text("strand"))};
    if (o.filters.empty() || o.kernels.size() != o.filters.size() || o.pools.size() != o.filters.size())
      throw Error(ErrorKind::usage, "genomics.model",
                  std::to_string(o.filters.size()) + " filters, " + std::to_string(o.kernels.size()) + " kernels, " +
                      std::to_string(o.pools.size()) + " pools",
                  "give one of each a convolution", "model.filters");
    return nn::ensemble(v.integer("members"), [&] { return std::make_shared<Basset>(o, context); });
  };
  entry.example = sequence_example();
  return entry;
}

}  // namespace tenon::genomics
