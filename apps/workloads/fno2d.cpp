#include "tenon/nn/fno.hpp"
#include "tenon/ops.hpp"
#include "tenon/random.hpp"
#include "workloads/workload.hpp"

using namespace tenon;

namespace {

/// 4 Fourier layers, 64 channels, 16 x 16 modes, 3 input channels, batch 4 of 128 x 128, mean squared error.
bench::Workload fno2d(DType) {
  nn::FnoOptions options;
  options.in = 3;
  auto model = std::make_shared<nn::Fno>(options);
  Tensor x = random_normal({4, 128, 128, 3}, 0, 1), y = random_normal({4, 128, 128, 1}, 0, 2);
  return {model, [=] { return mse_loss(model->forward(x), y); }};
}

const bench::Register registered("fno2d", fno2d);

}  // namespace
