/// Operands on different devices: the op says so by name. No device is needed: a page that cannot be read stands for its memory.
#include <sys/mman.h>

#include <catch2/catch.hpp>
#include <functional>

#include "tenon/tenon.hpp"

using namespace tenon;

TEST_CASE("operands on different devices are refused by the op's name", "[devices]") {
  void* page = mmap(nullptr, 1 << 16, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(page != MAP_FAILED);
  const auto there = [&](const Shape& shape, DType dtype = DType::f32) { return Tensor::wrap(page, shape, dtype, {}, Device{DeviceType::cuda, 0}); };
  const auto here = [](const Shape& shape) { return Tensor::full(shape, 1, DType::f32); };
  const Tensor q = here({1, 2, 1, 2});
  AttentionOptions masked;
  masked.mask = there({2, 2});
  const std::vector<std::pair<const char*, std::function<void()>>> cases{
      {"where", [&] { where(there({2}, DType::boolean), here({2}), here({2})); }},
      {"linear", [&] { linear(here({2, 2}), here({2, 2}), there({2})); }},
      {"batch_norm", [&] { batch_norm(here({4, 2}), here({2}), here({2}), there({2}), there({2}), true); }},
      {"scaled_dot_product_attention", [&] { scaled_dot_product_attention(q, q, q, masked); }},
      {"lstm", [&] { lstm(here({1, 2, 1}), there({1, 1}), {}, here({4, 1}), here({4, 1}), {}, {}); }},
      {"lstm", [&] { lstm(here({1, 2, 1}), {}, there({1, 1}), here({4, 1}), here({4, 1}), {}, {}); }},
      {"gru", [&] { gru(here({1, 2, 1}), there({1, 1}), here({3, 1}), here({3, 1}), {}, {}); }},
      {"conv", [&] { conv(here({1, 3, 1}), here({1, 1, 1}), there({1})); }},
      {"matmul", [&] { matmul(here({2, 2}), there({2, 2})); }},
      {"concat", [&] { concat({here({2}), there({2})}, 0); }},
      {"index_select", [&] { index_select(here({2}), 0, there({2}, DType::i64)); }},
      {"l1_loss", [&] { l1_loss(here({2}), there({2})); }},
      {"kl_divergence", [&] { kl_divergence(here({2}), there({2})); }},
      {"quantile_loss", [&] { quantile_loss(here({2, 1}), there({2}), {0.5}); }},
      {"gaussian_nll", [&] { gaussian_nll(here({2}), there({2}), here({2})); }},
      {"cross_entropy", [&] { cross_entropy(here({2, 3}), there({2}, DType::i64), CrossEntropyOptions{}); }},
      {"focal_loss", [&] { focal_loss(here({2, 3}), Tensor::zeros({2}, DType::i64), 2, there({3})); }},
      {"bce_with_logits", [&] { bce_with_logits(here({2}), here({2}), there({2})); }},
      {"stack", [&] { stack({here({2}), there({2})}, 0); }},
      {"bincount", [&] { bincount(Tensor::zeros({2}, DType::i64), 3, there({2})); }},
      {"confusion", [&] { confusion(Tensor::zeros({2}, DType::u8), there({2}, DType::u8), 3); }},
      {"confusion_of_scores", [&] { confusion_of_scores(there({2, 3}), Tensor::zeros({2}, DType::u8)); }},
      {"rmse", [&] { rmse(here({2}), there({2})); }},
      {"mae", [&] { mae(here({2}), here({2}), there({2})); }},
      {"anomaly_correlation", [&] { anomaly_correlation(here({2}), here({2}), there({2})); }},
      {"auroc", [&] { auroc(here({2}), there({2}, DType::u8)); }},
      {"polar", [&] { polar(here({2}), there({2})); }},
      {"lstm_cell", [&] { lstm_cell(here({1, 1}), here({1, 1}), there({1, 1}), here({4, 1}), here({4, 1}), {}, {}); }},
      {"gru_cell", [&] { gru_cell(here({1, 1}), here({1, 1}), here({3, 1}), here({3, 1}), {}, there({3})); }},
      {"layer_norm", [&] { layer_norm(here({2, 2}), there({2}), here({2})); }},
  };
  for (const auto& [op, call] : cases) {
    INFO(op);
    std::string said;
    try {
      call();
    } catch (const Error& e) {
      said = e.message();
    }
    CHECK(said.starts_with(std::string(op) + ":"));
    CHECK(said.find("device") != std::string::npos);
  }
  munmap(page, 1 << 16);
}
