#include "tenon/nn/pooling.hpp"

#include "ops/named.hpp"
#include "tenon/ops.hpp"
#include "tenon/pooling.hpp"

namespace tenon::nn {
namespace {

bool is_max(const char* layer, const std::string& kind) {
  return find_named<bool>(layer, "kind of pooling", kind, {{"avg", false}, {"max", true}});
}

}  // namespace

MaxPool::MaxPool(std::vector<std::int64_t> kernel, std::vector<std::int64_t> stride, std::vector<std::int64_t> padding)
    : kernel_(std::move(kernel)), stride_(std::move(stride)), padding_(std::move(padding)) {}
Tensor MaxPool::forward(const Tensor& x) {
  return max_pool(x, kernel_, stride_, padding_);
}

AvgPool::AvgPool(std::vector<std::int64_t> kernel, std::vector<std::int64_t> stride, std::vector<std::int64_t> padding, bool count_padding)
    : kernel_(std::move(kernel)), stride_(std::move(stride)), padding_(std::move(padding)), count_padding_(count_padding) {}
Tensor AvgPool::forward(const Tensor& x) {
  return avg_pool(x, kernel_, stride_, padding_, count_padding_);
}

AdaptivePool::AdaptivePool(const std::string& kind, std::vector<std::int64_t> size)
    : max_(is_max("AdaptivePool", kind)), size_(std::move(size)) {}
Tensor AdaptivePool::forward(const Tensor& x) {
  return max_ ? adaptive_max_pool(x, size_) : adaptive_avg_pool(x, size_);
}

GlobalPool::GlobalPool(const std::string& kind) : max_(is_max("GlobalPool", kind)) {}
Tensor GlobalPool::forward(const Tensor& x) {
  return max_ ? global_max_pool(x) : global_avg_pool(x);
}

}  // namespace tenon::nn
