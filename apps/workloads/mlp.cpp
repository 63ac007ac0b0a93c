#include "tenon/nn/layers.hpp"
#include "tenon/ops.hpp"
#include "workloads/workload.hpp"

using namespace tenon;

namespace {

class Mlp : public nn::Module {
 public:
  Tensor forward(const Tensor& x) override { return last_->forward(relu(second_->forward(relu(first_->forward(x))))); }

 private:
  std::shared_ptr<nn::Linear> first_ = add_module("0", std::make_shared<nn::Linear>(32, 64));
  std::shared_ptr<nn::Linear> second_ = add_module("2", std::make_shared<nn::Linear>(64, 64));
  std::shared_ptr<nn::Linear> last_ = add_module("4", std::make_shared<nn::Linear>(64, 1));
};

/// 32-64-64-1 with ReLU, batch 32: what a step costs beside its arithmetic.
bench::Workload mlp(DType compute) {
  auto model = std::make_shared<Mlp>();
  Tensor x = random_normal({32, 32}, 0, 1).to(compute), y = random_normal({32, 1}, 0, 2);
  return {model, [=] { return mse_loss(model->forward(x).to(DType::f32), y); }};
}

const bench::Register registered("mlp", mlp);

}  // namespace
