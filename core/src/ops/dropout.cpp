#include "tenon/dropout.hpp"

#include <array>

#include "ops/check.hpp"
#include "ops/dropout_kernels.hpp"
#include "tenon/autograd.hpp"

namespace tenon {

Tensor random_key(std::uint64_t seed, Device device) {
  Tensor key = Tensor::empty({2}, DType::i64, device);
  const std::array<std::int64_t, 2> values{std::int64_t(seed), 0};
  key.copy_from_host(values.data(), sizeof values);
  return key;
}

void set_random_step(const Tensor& key, std::int64_t step) {
  key.narrow(0, 1, 1).copy_from_host(&step, sizeof step);
}

Tensor dropout(const Tensor& x_given, double p, const Tensor& key, std::uint64_t stream) {
  check_floating("dropout", x_given);
  if (!(p >= 0 && p <= 1)) throw_usage("dropout", "a share of " + std::to_string(p) + " of x " + x_given.str(), "p lies in [0, 1]");
  check_defined("dropout", key, "the random key");
  if (key.dtype() != DType::i64 || key.shape() != Shape{2})
    throw_usage("dropout", "the random key is " + key.str(), "it is i64 [2]: {seed, step}, as random_key() makes it");
  check_same_device("dropout", x_given, key);
  if (p == 0 || x_given.numel() == 0) return x_given;
  Tensor x = x_given.contiguous(), y = Tensor::empty(x.shape(), x.dtype(), x.device()), used = Tensor::empty({2}, DType::i64, x.device());
  launch("dropout", {x, key.contiguous()}, {y, used}, dropout_kernel(x.device(), DropoutFill{x.dtype(), x.numel(), p, stream}));
  return differentiable("dropout", y, {x}, [=](const std::vector<Tensor>& d) { return std::vector{dropout(d[0], p, used, stream)}; });
}

}  // namespace tenon
