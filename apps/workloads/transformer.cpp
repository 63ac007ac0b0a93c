#include "tenon/nn/attention.hpp"
#include "tenon/ops.hpp"
#include "workloads/workload.hpp"

using namespace tenon;

namespace {

class Transformer : public nn::Module {
 public:
  Transformer() : positions_(add_parameter("p", {1, 256, 256}, {Init::Kind::normal, 0.02})) {}
  Tensor forward(const Tensor& x) override { return head_->forward(encoder_->forward(embed_->forward(x) + positions_.to(x.dtype()))); }

 private:
  static nn::TransformerOptions options() {
    nn::TransformerOptions o;
    o.channels = 256, o.heads = 8, o.feedforward = 1024, o.dropout = 0, o.activation = nn::FeedForwardActivation::gelu, o.norm_first = true;
    return o;
  }
  Tensor positions_;
  std::shared_ptr<nn::Linear> embed_ = add_module("e", std::make_shared<nn::Linear>(16, 256));
  std::shared_ptr<nn::TransformerEncoder> encoder_ = add_module("t", std::make_shared<nn::TransformerEncoder>(4, options()));
  std::shared_ptr<nn::Linear> head_ = add_module("h", std::make_shared<nn::Linear>(256, 16));
};

/// Four layers of 256, eight heads, feedforward 1024, learned positions, norm first; batch 8 of 256 tokens.
bench::Workload transformer(DType compute) {
  auto model = std::make_shared<Transformer>();
  Tensor x = random_normal({8, 256, 16}, 0, 1).to(compute), y = random_normal({8, 256, 16}, 0, 2);
  return {model, [=] { return mse_loss(model->forward(x).to(DType::f32), y); }};
}

const bench::Register registered("transformer", transformer);

}  // namespace
