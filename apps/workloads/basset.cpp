#include "tenon/losses.hpp"
#include "tenon/nn/dropout.hpp"
#include "tenon/nn/layers.hpp"
#include "tenon/ops.hpp"
#include "tenon/random.hpp"
#include "workloads/workload.hpp"

using namespace tenon;

namespace {

/// Basset (Kelley, Snoek & Rinn 2016): three convolutions with batch norm, ReLU and max pooling over 600 one-hot bases, two dense layers
/// of 1000 with batch norm, ReLU and dropout 0.3, 164 logits.
class Basset : public nn::Module {
 public:
  Basset() {
    // slope 0: the norms are followed by a ReLU in their own pass
    struct Block {
      std::int64_t in, out, kernel, pool;
    };
    for (const Block& b : {Block{4, 300, 19, 3}, Block{300, 200, 11, 4}, Block{200, 200, 7, 4}}) {
      const std::string name = std::to_string(convolutions_.size());
      convolutions_.push_back(add_module("conv" + name, std::make_shared<nn::Conv>(b.in, b.out, std::vector<std::int64_t>{b.kernel},
                                                                                   ConvOptions{{}, {b.kernel / 2}, {}, 1})));
      norms_.push_back(add_module("norm" + name, std::make_shared<nn::BatchNorm>(b.out, 0.1, 1e-5, 0.0)));
      pools_.push_back(b.pool);
    }
    for (std::int64_t in : {2400, 1000}) {
      const std::string name = std::to_string(dense_.size());
      dense_.push_back(add_module("dense" + name, std::make_shared<nn::Linear>(in, 1000)));
      dense_norms_.push_back(add_module("dense_norm" + name, std::make_shared<nn::BatchNorm>(1000, 0.1, 1e-5, 0.0)));
      dropout_.push_back(add_module("dropout" + name, std::make_shared<nn::Dropout>(0.3)));
    }
    head_ = add_module("head", std::make_shared<nn::Linear>(1000, 164));
  }

  Tensor forward(const Tensor& x) override {
    Tensor y = x;
    for (std::size_t i = 0; i < convolutions_.size(); ++i) y = max_pool(norms_[i]->forward(convolutions_[i]->forward(y)), {pools_[i]});
    y = y.reshape({y.size(0), -1});
    for (std::size_t i = 0; i < dense_.size(); ++i) y = dropout_[i]->forward(dense_norms_[i]->forward(dense_[i]->forward(y)));
    return head_->forward(y);
  }

 private:
  std::vector<std::shared_ptr<nn::Conv>> convolutions_;
  std::vector<std::shared_ptr<nn::BatchNorm>> norms_, dense_norms_;
  std::vector<std::int64_t> pools_;
  std::vector<std::shared_ptr<nn::Linear>> dense_;
  std::vector<std::shared_ptr<nn::Dropout>> dropout_;
  std::shared_ptr<nn::Linear> head_;
};

bench::Workload basset(DType compute) {
  auto model = std::make_shared<Basset>();
  Tensor bases = Tensor::empty({64, 600}, DType::u8, kCpu);
  Random random(0, 1);
  auto values = bases.span<std::uint8_t>();
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::uint8_t(random.below(i, 4));
  Tensor x = one_hot(bases.to(default_device()), 4).to(compute), y = round(random_uniform({64, 164}, 0, 2));
  return {model, [=] { return bce_with_logits(model->forward(x).to(DType::f32), y); }};
}

const bench::Register registered("basset", basset);

}  // namespace
