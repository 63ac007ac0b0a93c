#include <catch2/catch.hpp>
#include <limits>
#include <thread>

#include "tenon/error.hpp"
#include "tenon/storage.hpp"
#include "tenon/tensor.hpp"

using namespace tenon;
using Catch::Matchers::Contains;

TEST_CASE("tensors say what they are", "[tensor]") {
  Tensor x = Tensor::zeros({2, 3}, DType::bf16);
  CHECK(x.str() == "bf16[2, 3] cpu");
  CHECK(x.nbytes() == 12);
  CHECK(x.rank() == 2);
  CHECK(x.size(-1) == 3);
  CHECK(x.is_contiguous());
  CHECK_FALSE(Tensor().defined());
  CHECK(Tensor().str() == "undefined");
  CHECK(Tensor::arange(4).to_vector() == std::vector<double>{0, 1, 2, 3});
  CHECK(Tensor::arange(0).numel() == 0);
  CHECK(Tensor::full({2}, 1.5, DType::f64).to_vector() == std::vector<double>{1.5, 1.5});
}

TEST_CASE("copies of a tensor share the buffer, clones do not", "[tensor]") {
  Tensor x = Tensor::zeros({3}), same = x, other = x.clone();
  x.fill(2);
  CHECK(same.to_vector() == std::vector<double>{2, 2, 2});
  CHECK(other.to_vector() == std::vector<double>{0, 0, 0});
  CHECK(x.contiguous().storage() == x.storage());
  CHECK(x.to(DType::f32).storage() == x.storage());
  CHECK(x.to(kCpu).storage() == x.storage());
}

TEST_CASE("item and data refuse wrong use by name", "[tensor]") {
  Tensor x = Tensor::zeros({2, 3});
  CHECK_THROWS_WITH(x.item(), Contains("Tensor::item: expected one element, got f32[2, 3] cpu"));
  CHECK_THROWS_WITH(Tensor().item(), Contains("undefined"));
  CHECK_THROWS_WITH(x.data<double>(), Contains("Tensor::data: asked for f64 of f32[2, 3] cpu"));
  CHECK_THROWS_WITH(Tensor().raw(), Contains("the tensor is undefined"));
  const Tensor turned = x.transpose(0, 1);
  CHECK_THROWS_WITH(turned.span<float>(), Contains("strided view") && Contains("contiguous()"));
  CHECK_THROWS_WITH(Tensor().fill(1), Contains("undefined"));
  CHECK_THROWS_WITH(Tensor::empty({-1}), Contains("negative size in [-1]"));
  CHECK_THROWS_WITH(Tensor::arange(-1), Contains("negative length -1"));
  CHECK(Tensor::full({1, 1}, 7, DType::i32).item() == 7);
}

TEST_CASE("wrapped memory is released once, when the last tensor over it is gone", "[tensor]") {
  std::vector<float> host{1, 2, 3};
  int released = 0;
  {
    Tensor view;
    {
      Tensor x = Tensor::wrap(host.data(), {3}, DType::f32, [&] { ++released; });
      view = x.narrow(0, 1, 2);
    }
    CHECK(released == 0);
    view.fill(9);
  }
  CHECK(released == 1);
  CHECK(host == std::vector<float>{1, 9, 9});
  CHECK(Tensor::wrap(host.data(), {3}, DType::f32, {}).to_vector()[0] == 1);
}

TEST_CASE("empty tensors behave", "[tensor]") {
  Tensor x = Tensor::zeros({2, 0, 3});
  CHECK(x.is_contiguous());
  CHECK(x.to_vector().empty());
  CHECK(x.reshape({0, 5}).shape() == Shape{0, 5});
  CHECK(x.permute({1, 2, 0}).contiguous().shape() == Shape{0, 3, 2});
  CHECK(x.permute({1, 2, 0}).reshape({0}).numel() == 0);
  CHECK(x.to(DType::i64).numel() == 0);
  CHECK(x.span<float>().empty());
  x.assign(x.clone());
}

TEST_CASE("storages have unique ids", "[tensor]") {
  Tensor a = Tensor::zeros({1}), b = Tensor::zeros({1});
  CHECK(a.storage()->id() != b.storage()->id());
  CHECK(a.narrow(0, 0, 1).storage()->id() == a.storage()->id());
}

TEST_CASE("numbers in a row that no memory holds", "[tensor][misuse]") {
  CHECK_THROWS_WITH(Tensor::arange(std::numeric_limits<std::int64_t>::max()), Contains("Tensor::arange: ") && Contains("does not fit"));
#if !defined(__SANITIZE_ADDRESS__)  // which ends the process on such a request
  try {
    Tensor::arange(std::int64_t(1) << 58);
    FAIL("2^58 numbers were held");
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::device);
    CHECK(e.code() == "memory.exhausted");
  }
#endif
}
