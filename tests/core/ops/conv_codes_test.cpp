/// conv_codes beyond the golden values: against conv of one-hot vectors at odd sizes, threads, errors.
#include "tenon/conv_codes.hpp"

#include <catch2/catch.hpp>

#include "core/ops/gradient_check.hpp"
#include "tenon/random.hpp"

using namespace tenon;
using List = std::vector<Tensor>;

namespace {

Tensor letters(std::int64_t samples, std::int64_t length, std::uint64_t below) {
  std::vector<std::uint8_t> codes;
  for (std::int64_t i = 0; i < samples * length; ++i) codes.push_back(std::uint8_t(Random(1, 2).below(std::uint64_t(i), below)));
  return Tensor::from(codes, {samples, length});
}

}  // namespace

TEST_CASE("conv_codes is conv of one-hot vectors, unknown letters zeros", "[conv]") {
  for (std::int64_t channels : {1, 7, 16, 67, 130})
    for (std::int64_t padding : {0, 3, 12}) {
      const Tensor codes = letters(5, 23, 5);
      const Tensor hot = one_hot(codes, 4, DType::f64);
      const List inputs{check::made(1, {channels, 7, 4}, DType::f64), check::made(2, {channels}, DType::f64)};
      const List ours = check::with_gradients([&](const List& x) { return conv_codes(codes, x[0], x[1], padding); }, inputs);
      const List conved = check::with_gradients([&](const List& x) { return conv(hot, x[0], x[1], {.padding = {padding}}); }, inputs);
      REQUIRE(ours.size() == conved.size());
      for (std::size_t i = 0; i < ours.size(); ++i) check::require_close(ours[i].to_vector(), conved[i].to_vector(), 1e-11);
    }
}

TEST_CASE("conv_codes gives the same bits for any number of threads", "[conv][threads]") {
  const Tensor codes = letters(37, 60, 5);
  check::same_bits([&] {
    return check::with_gradients([&](const List& x) { return conv_codes(codes, x[0], x[1], 5); },
                                 {check::made(1, {33, 11, 4}, DType::f32), check::made(2, {33}, DType::f32)});
  });
}

TEST_CASE("conv_codes of no samples", "[conv]") {
  const List out = check::with_gradients([&](const List& x) { return conv_codes(letters(0, 9, 4), x[0], x[1], 1); },
                                         {check::made(1, {3, 2, 4}), check::made(2, {3})});
  CHECK(out.back().shape() == Shape{0, 10, 3});
  for (double v : out[0].to_vector()) CHECK(v == 0);
}

TEST_CASE("conv_codes refuses what it cannot do", "[conv]") {
  const Tensor codes = letters(2, 9, 4), weight = check::made(1, {3, 5, 4});
  check::refuses([&] { conv_codes(codes.to(DType::i64), weight); }, "conv_codes", {"i64[2, 9]", "u8 [N, L]"});
  check::refuses([&] { conv_codes(codes, weight.select(0, 0)); }, "conv_codes", {"[O, K, V]"});
  check::refuses([&] { conv_codes(codes, check::made(1, {3, 12, 4})); }, "conv_codes", {"kernel of 12", "[2, 9]"});
  check::refuses([&] { conv_codes(codes, weight, check::made(1, {4})); }, "conv_codes", {"bias", "[4]"});
  check::refuses([&] { conv_codes(codes, check::made(1, {2, 3, 65})); }, "conv_codes", {"64 letters"});
}
