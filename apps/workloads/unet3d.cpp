#include <cmath>

#include "tenon/nn/unet.hpp"
#include "tenon/ops.hpp"
#include "tenon/random.hpp"
#include "workloads/workload.hpp"

using namespace tenon;

namespace {

/// 3D U-Net 32/64/128/256, batch 2, patch 40x56x40, deep supervision with weights 1, 1/2, 1/4 normalised.
bench::Workload unet3d(DType compute) {
  nn::UNetOptions options;
  options.classes = 3;
  options.compute = compute;
  auto model = std::make_shared<nn::UNet>(options);
  Tensor x = random_normal({2, 40, 56, 40, 1}, 0, 1);
  std::vector<Tensor> labels;
  for (std::int64_t level = 0; level < 3; ++level) {
    Tensor y = Tensor::empty({2, 40 >> level, 56 >> level, 40 >> level}, DType::u8, kCpu);
    Random random(0, std::uint64_t(2 + level));
    auto values = y.span<std::uint8_t>();
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::uint8_t(random.below(i, 3));
    labels.push_back(y.to(default_device()));
  }
  return {model, [=] {
            std::vector<Tensor> outputs = model->forward_all({x});
            Tensor total;
            for (std::size_t i = 0; i < outputs.size(); ++i) {
              Tensor part = dice_cross_entropy(outputs[i], labels[i]) * (std::pow(0.5, double(i)) / 1.75);
              total = total.defined() ? total + part : part;
            }
            return total;
          }};
}

const bench::Register registered("unet3d", unet3d);

}  // namespace
