#include "tenon/precision.hpp"

#include <catch2/catch.hpp>
#include <thread>

#include "tenon/ops.hpp"

using namespace tenon;

TEST_CASE("TF32 is allowed within a scope, on its thread", "[precision]") {
  CHECK_FALSE(tf32_allowed());
  {
    const Tf32Scope outer;
    CHECK(tf32_allowed());
    {
      const Tf32Scope inner(false);
      CHECK_FALSE(tf32_allowed());
    }
    CHECK(tf32_allowed());
    bool elsewhere = true;
    std::thread([&] { elsewhere = tf32_allowed(); }).join();
    CHECK_FALSE(elsewhere);
  }
  CHECK_FALSE(tf32_allowed());
}

TEST_CASE("a CPU's products are the same where TF32 is allowed", "[precision]") {
  const Tensor a = sin(Tensor::arange(64 * 48, DType::f32)).reshape({64, 48}), b = cos(Tensor::arange(48 * 32, DType::f32)).reshape({48, 32});
  const std::vector<double> exact = matmul(a, b).to_vector();
  const Tf32Scope allowed;
  CHECK(matmul(a, b).to_vector() == exact);
}
