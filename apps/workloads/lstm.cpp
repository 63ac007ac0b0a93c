#include "tenon/nn/layers.hpp"
#include "tenon/nn/recurrent.hpp"
#include "tenon/ops.hpp"
#include "workloads/workload.hpp"

using namespace tenon;

namespace {

class LstmModel : public nn::Module {
 public:
  Tensor forward(const Tensor& x) override { return head_->forward(lstm_->forward(x).select(1, x.size(1) - 1)); }

 private:
  std::shared_ptr<nn::Lstm> lstm_ = add_module("l", std::make_shared<nn::Lstm>(8, 128, nn::RecurrentStackOptions{.layers = 2}));
  std::shared_ptr<nn::Linear> head_ = add_module("h", std::make_shared<nn::Linear>(128, 24));
};

/// Two layers of 128, 8 features, 64 steps, batch 64; the head reads the last step.
bench::Workload lstm(DType compute) {
  auto model = std::make_shared<LstmModel>();
  Tensor x = random_normal({64, 64, 8}, 0, 1).to(compute), y = random_normal({64, 24}, 0, 2);
  return {model, [=] { return mse_loss(model->forward(x).to(DType::f32), y); }};
}

const bench::Register registered("lstm", lstm);

}  // namespace
