#include "climate/tasks/model_runner.hpp"

#include <algorithm>
#include <cstring>

#include "tenon/autograd.hpp"
#include "tenon/error.hpp"
#include "tenon/io/sha256.hpp"
#include "tenon/ops.hpp"

namespace tenon::climate {

ModelRunner::ModelRunner(nn::Module& model) : model_(model), training_(model.training()) {
  const auto parameters = model.parameters();
  device_ = parameters.empty() ? kCpu : parameters.front().second.device();
  model_.eval();
}

ModelRunner::~ModelRunner() { model_.train(training_); }

Tensor ModelRunner::run(const Tensor& x, std::int64_t batch) {
  const Tensor all = x.contiguous();
  const std::int64_t samples = all.size(0);
  if (samples < 1 || batch < 1) throw_usage("ModelRunner::run", x.str() + " in batches of " + std::to_string(batch));
  Tensor result;
  for (std::int64_t begin = 0; begin < samples; begin += batch) {
    const std::int64_t n = std::min(batch, samples - begin);
    const Tensor part = all.narrow(0, begin, n);
    const PlanCache::Entry& r = plans_.get({{part.shape()}}, device_, [&](const std::vector<Tensor>& inputs) {
      NoGrad off;
      return std::vector{model_.forward(inputs[0]).to(DType::f32).contiguous()};
    });
    r.inputs[0].copy_from_host(part.data<float>(), part.nbytes());
    r.plan.run();
    const Tensor& output = r.outputs[0];
    if (!result.defined()) {
      Shape shape = output.shape();
      if (shape.rank() != 4 || shape[1] != x.size(1) || shape[2] != x.size(2))
        throw Error(ErrorKind::usage, "climate.model_output", "the model gives " + shape.str() + " for a field of " + x.shape().str(),
                    "use a model that keeps the grid");
      shape[0] = samples;
      result = Tensor::empty(shape, DType::f32, kCpu);
    }
    const std::int64_t row = result.numel() / samples;
    output.copy_to_host(result.data<float>() + begin * row, std::size_t(n * row) * sizeof(float));
  }
  return result;
}

std::string model_digest(const nn::Module& model) {
  Sha256 digest;
  for (const auto& list : {model.parameters(), model.buffers()})
    for (const auto& [name, tensor] : list) {
      const Tensor values = tensor.detach().to(kCpu).contiguous();
      digest.update(name.data(), name.size());
      digest.update(values.raw(), values.nbytes());
    }
  return digest.hex_digest();
}

}  // namespace tenon::climate
