/// Random fills: element i is Random(seed, stream)'s number i (normal ones by other functions of the same words), whatever the shape and the thread count; moments; wrong use.
#include "core/ops/gradient_check.hpp"
#include "core/ops/ulps.hpp"
#include "tenon/random.hpp"

using namespace tenon;

TEST_CASE("random elements depend on seed, stream and index alone", "[random_ops]") {
  const std::uint64_t seed = 0x123456789abcdefu, stream = 0xfedcba987654321u;
  Random random(seed, stream);
  Tensor u = random_uniform({3, 1001}, seed, stream), n = random_normal({3003}, seed, stream);
  for (std::uint64_t i = 0; i < 3003; ++i) {
    REQUIRE(u.span<float>()[i] == random.uniform(i));
    REQUIRE(check::ulps(n.span<float>()[i], double(random.normal(i))) <= 5);
  }
  REQUIRE(random_uniform({17}, seed, stream).to_vector() == u.reshape({3003}).narrow(0, 0, 17).to_vector());
  REQUIRE(random_normal({1537}, seed, stream).to_vector() == n.narrow(0, 0, 1537).to_vector());
  REQUIRE(random_uniform({17}, seed, stream + 1).to_vector() != random_uniform({17}, seed, stream).to_vector());
  REQUIRE(random_uniform({17}, seed + 1, stream).to_vector() != random_uniform({17}, seed, stream).to_vector());
}

TEST_CASE("Philox gives its published answers", "[random_ops]") {
  // Known-answer vectors of Random123, philox4x32 with 10 rounds.
  auto zero = philox4x32({0, 0, 0, 0}, 0, 0);
  REQUIRE(zero == std::array<std::uint32_t, 4>{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u});
  auto ones = philox4x32({0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu}, 0xffffffffu, 0xffffffffu);
  REQUIRE(ones == std::array<std::uint32_t, 4>{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu});
}

TEST_CASE("random fills have the moments of their distribution", "[random_ops]") {
  // Bounds of five standard errors for 200,000 samples.
  Tensor u = random_uniform({200000}, 1, 2, -1, 3), n = random_normal({200000}, 1, 3, 2, 0.5);
  REQUIRE(mean(u).item() == Approx(1).margin(5 * std::sqrt(16.0 / 12 / 200000)));
  REQUIRE(var(u).item() == Approx(16.0 / 12).epsilon(0.02));
  REQUIRE(tenon::max(u, 0).item() < 3);
  REQUIRE(tenon::min(u, 0).item() >= -1);
  REQUIRE(mean(n).item() == Approx(2).margin(5 * 0.5 / std::sqrt(200000.0)));
  REQUIRE(var(n).item() == Approx(0.25).epsilon(0.02));
}

TEST_CASE("random fills give the same bits for every thread count", "[random_ops][determinism]") {
  check::same_bits([] { return std::vector<Tensor>{random_uniform({100003}, 5, 6, -2, 7), random_normal({100003}, 5, 6, 1, 3)}; });
}

TEST_CASE("random fills say what is wrong", "[random_ops][misuse]") {
  check::refuses([] { random_uniform({3}, 1, 1, 2, 1); }, "random_uniform", {"2.0", "1.0", "[3]"});
  check::refuses([] { random_normal({3}, 1, 1, 0, -1); }, "random_normal", {"-1.0", "[3]"});
}

TEST_CASE("random fills keep to what f32 holds", "[random_ops][misuse]") {
  check::refuses([] { random_uniform({3}, 1, 1, -1e39, 1e39); }, "random_uniform", {"fit f32"});
  check::refuses([] { random_uniform({3}, 1, 1, -3e38, 3e38); }, "random_uniform", {"their difference must fit f32"});
  check::refuses([] { random_normal({3}, 1, 1, 0, 1e39); }, "random_normal", {"fit f32"});
  check::refuses([] { random_uniform({-3}, 1, 1); }, "random_uniform", {"[-3]"});
  check::refuses([] { random_uniform({std::int64_t(1) << 62, 4}, 1, 1); }, "random_uniform", {"does not fit"});
}

TEST_CASE("uniform numbers stay below their upper end", "[random]") {
  const Tensor x = random_uniform({40000000}, 3, 4, 1, 2);
  const float* v = x.data<float>();
  CHECK(*std::max_element(v, v + x.numel()) < 2);
  CHECK(random_uniform({10}, 3, 4, 1, 1).to_vector() == std::vector<double>(10, 1.0));
}
