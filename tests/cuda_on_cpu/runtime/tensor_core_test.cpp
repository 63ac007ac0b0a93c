// The stand-in for tensor cores: fragments lie as PTX says (m16n8k16, m16n8k8, ldmatrix), and fetches come no sooner than they are waited for.
#include "backend/cuda/tensor_core.cuh"

#include <catch2/catch.hpp>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "cuda_on_cpu/on_device.hpp"
#include "tenon/error.hpp"

using namespace tenon;
using namespace tenon::cuda;

namespace {

template <class F>
std::string told(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return {};
}

/// c [16, 8] = a [16, 16] b [16, 8], both made of f32 in memory; b through shared memory, where its transpose is read.
void product_16(const float* a, const float* b, float* c) {
  bf16* tile = dynamic_shared<bf16>();
  const int lane = int(threadIdx.x), g = lane / 4, t = lane % 4;
  for (int e = lane; e < 16 * 8; e += 32) tile[e] = bf16(b[e]);
  __syncwarp();
  std::uint32_t right[4];
  mma::load_four_turned(right, tile + lane % 16 * 8);
  const auto two = [&](int row, int column) { return mma::pair(a[row * 16 + column], a[row * 16 + column + 1]); };
  const std::uint32_t left[4] = {two(g, 2 * t), two(g + 8, 2 * t), two(g, 2 * t + 8), two(g + 8, 2 * t + 8)};
  float sums[4] = {};
  mma::multiply(sums, left, right[0], right[1]);
  for (int e = 0; e < 4; ++e) c[(g + e / 2 * 8) * 8 + 2 * t + e % 2] = sums[e];
}

void product_8(const float* a, const float* b, float* c) {
  const int lane = int(threadIdx.x), g = lane / 4, t = lane % 4;
  float sums[4] = {};
  mma::multiply_tf32(sums, make_float4(a[g * 8 + t], a[(g + 8) * 8 + t], a[g * 8 + t + 4], a[(g + 8) * 8 + t + 4]), b[t * 8 + g], b[(t + 4) * 8 + g]);
  for (int e = 0; e < 4; ++e) c[(g + e / 2 * 8) * 8 + 2 * t + e % 2] = sums[e];
}

void rows_and_turned(const float* from, float* rows, float* turned) {
  bf16* tile = dynamic_shared<bf16>();
  const int lane = int(threadIdx.x);
  for (int e = lane; e < 32 * 8; e += 32) tile[e] = bf16(from[e]);
  __syncwarp();
  std::uint32_t r[4];
  mma::load_four(r, tile + lane * 8);
  for (int m = 0; m < 4; ++m)
    for (int i = 0; i < 2; ++i) rows[m * 64 + lane / 4 * 8 + 2 * (lane % 4) + i] = std::bit_cast<float>(i ? r[m] & 0xffff0000u : r[m] << 16);
  mma::load_four_turned(r, tile + lane * 8);
  for (int m = 0; m < 4; ++m)
    for (int i = 0; i < 2; ++i) turned[m * 64 + (2 * (lane % 4) + i) * 8 + lane / 4] = std::bit_cast<float>(i ? r[m] & 0xffff0000u : r[m] << 16);
}

template <bool Waits, bool Ends>
void fetched(const float* from, float* to) {
  float* tile = dynamic_shared<float>();
  const int lane = int(threadIdx.x);
  mma::fetch_16(tile + 4 * lane, from + 4 * lane, lane < 31);
  mma::close_fetch();
  mma::close_fetch();  // a group of nothing
  if constexpr (Waits) mma::await_fetches<1>();
  for (int i = 0; i < 4; ++i) to[4 * lane + i] = tile[4 * lane + i];
  if constexpr (Ends) mma::await_fetches<0>();
}

void half_a_warp(float* c) {
  if (threadIdx.x >= 16) return;
  float sums[4] = {};
  mma::multiply_tf32(sums, make_float4(1, 1, 1, 1), 1, 1);
  c[threadIdx.x] = sums[0];
}
void not_rounded(float* c) {
  float sums[4] = {};
  mma::multiply_tf32(sums, make_float4(1, 1, 1, 1), 1.0001f, 1);
  c[threadIdx.x] = sums[0];
}
void off_its_place(float* c) {
  std::uint32_t r[4];
  mma::load_four(r, dynamic_shared<bf16>() + 8 * threadIdx.x + 1);
  c[threadIdx.x] = float(r[0]);
}

}  // namespace

TEST_CASE("a warp's products have rows and columns where a tensor core has them", "[tensor_core]") {
  for (const auto& [depth, kernel] : {std::pair{16, &product_16}, std::pair{8, &product_8}}) {
    under_test::OnDevice<float> a(std::size_t(16 * depth)), b(std::size_t(depth * 8)), c(128);
    for (int i = 0; i < 16 * depth; ++i) a.at[i] = float(i * 37 % 101 - 50);
    for (int i = 0; i < depth * 8; ++i) b.at[i] = float(i * 53 % 97 - 48);
    start("product", dim3(1), dim3(32), 1024, kernel, static_cast<const float*>(a.at), static_cast<const float*>(b.at), c.at);
    for (int row = 0; row < 16; ++row)
      for (int column = 0; column < 8; ++column) {
        double sum = 0;
        for (int k = 0; k < depth; ++k) sum += double(a.at[row * depth + k]) * double(b.at[k * 8 + column]);
        CHECK(double(c.at[row * 8 + column]) == sum);
      }
  }
}

TEST_CASE("matrices come from shared memory as they lie, or turned", "[tensor_core]") {
  under_test::OnDevice<float> from(256), rows(256), turned(256);
  for (int i = 0; i < 256; ++i) from.at[i] = float(i);
  start("matrices", dim3(1), dim3(32), 1024, rows_and_turned, static_cast<const float*>(from.at), rows.at, turned.at);
  for (int i = 0; i < 256; ++i) {
    CHECK(rows.at[i] == float(i));
    CHECK(turned.at[i] == float(i));
  }
}

TEST_CASE("what is fetched is there once it is waited for, and no sooner", "[tensor_core]") {
  under_test::OnDevice<float> from(128), to(128);
  for (int i = 0; i < 128; ++i) from.at[i] = float(i + 1);
  auto run = [&](void (*kernel)(const float*, float*)) { start("fetch", dim3(1), dim3(32), 512, kernel, static_cast<const float*>(from.at), to.at); };
  run(fetched<true, true>);
  for (int i = 0; i < 128; ++i) CHECK(to.at[i] == (i < 124 ? float(i + 1) : 0.0f));
  run(fetched<false, true>);
  for (int i = 0; i < 128; ++i) CHECK(std::isnan(to.at[i]));
  CHECK_THAT(told([&] { run(fetched<false, false>); }), Catch::Contains("ends with copies under way"));
}

TEST_CASE("what a tensor core would not take is told", "[tensor_core]") {
  under_test::OnDevice<float> c(32);
  auto run = [&](void (*kernel)(float*)) { return told([&] { start("wrong", dim3(1), dim3(32), 1024, kernel, c.at); }); };
  CHECK_THAT(run(half_a_warp), Catch::Contains("of which lanes have ended"));
  CHECK_THAT(run(not_rounded), Catch::Contains("not rounded to TF32"));
  CHECK_THAT(run(off_its_place), Catch::Contains("does not lie on 16 bytes"));
}

TEST_CASE("numbers are rounded to TF32 as the device does", "[tensor_core]") {
  CHECK(mma::to_tf32(1.0f) == 1.0f);
  CHECK(mma::to_tf32(1.0f + std::ldexp(1.0f, -11)) == 1.0f + std::ldexp(1.0f, -10));  // half way: away from zero
  CHECK(mma::to_tf32(-1.0f - std::ldexp(1.0f, -12)) == -1.0f);
  CHECK(std::isinf(mma::to_tf32(std::numeric_limits<float>::infinity())));
  CHECK(std::isnan(mma::to_tf32(std::numeric_limits<float>::quiet_NaN())));
}
