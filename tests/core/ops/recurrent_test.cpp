/// The fused recurrences against their cells, one step after the other, and the same bits for any number of threads.
#include "tenon/recurrent.hpp"

#include <catch2/catch.hpp>

#include "core/ops/gradient_check.hpp"

using namespace tenon;
using check::made;
using List = std::vector<Tensor>;

namespace {

List lstm_inputs(std::int64_t N, std::int64_t T, std::int64_t F, std::int64_t H, DType type) {
  return {made(1, {N, T, F}, type),         made(2, {N, H}, type) * 0.2,  made(3, {N, H}, type) * 0.2, made(4, {4 * H, F}, type) * 0.1,
          made(5, {4 * H, H}, type) * 0.05, made(6, {4 * H}, type) * 0.1, made(7, {4 * H}, type) * 0.1};
}
List gru_inputs(std::int64_t N, std::int64_t T, std::int64_t F, std::int64_t H, DType type) {
  return {made(1, {N, T, F}, type),         made(2, {N, H}, type) * 0.2,  made(4, {3 * H, F}, type) * 0.1,
          made(5, {3 * H, H}, type) * 0.05, made(6, {3 * H}, type) * 0.1, made(7, {3 * H}, type) * 0.1};
}

Tensor all_of(const List& outputs) {
  List flat;
  for (const Tensor& t : outputs) flat.push_back(t.reshape({t.numel()}));
  return concat(flat, 0);
}

}  // namespace

TEST_CASE("lstm and gru equal their cells in a loop, with gradients", "[recurrent]") {
  // sizes that fill no register block, and samples that fill one task and begin another
  const auto [N, T, F, H] = GENERATE(std::array<std::int64_t, 4>{19, 3, 2, 5}, std::array<std::int64_t, 4>{2, 4, 3, 17});
  const bool reverse = GENERATE(false, true);
  const DType type = GENERATE(DType::f32, DType::f64);
  const double tolerance = type == DType::f64 ? 1e-11 : 3e-5;
  auto steps = [&, T = T](const std::function<Tensor(std::int64_t)>& step) {
    List ys(static_cast<std::size_t>(T));
    for (std::int64_t s = 0; s < T; ++s) {
      const std::int64_t t = reverse ? T - 1 - s : s;
      ys[std::size_t(t)] = step(t).unsqueeze(1);
    }
    return concat(ys, 1);
  };
  auto fused = [&](const List& x) { return all_of(lstm(x[0], x[1], x[2], x[3], x[4], x[5], x[6], {.reverse = reverse})); };
  auto looped = [&](const List& x) {
    Tensor h = x[1], c = x[2];
    Tensor y = steps([&](std::int64_t t) {
      List hc = lstm_cell(x[0].select(1, t), h, c, x[3], x[4], x[5], x[6]);
      h = hc[0], c = hc[1];
      return h;
    });
    return all_of({y, h, c});
  };
  auto compare = [&](const check::Function& a, const check::Function& b, const List& inputs) {
    List one = check::with_gradients(a, inputs), two = check::with_gradients(b, inputs);
    for (std::size_t i = 0; i < one.size(); ++i) {
      INFO("tensor " << i);
      check::require_close(one[i].to_vector(), two[i].to_vector(), tolerance);
    }
  };
  compare(fused, looped, lstm_inputs(N, T, F, H, type));
  compare([&](const List& x) { return all_of(gru(x[0], x[1], x[2], x[3], x[4], x[5], {.reverse = reverse})); },
          [&](const List& x) {
            Tensor h = x[1];
            Tensor y = steps([&](std::int64_t t) { return h = gru_cell(x[0].select(1, t), h, x[2], x[3], x[4], x[5]); });
            return all_of({y, h});
          },
          gru_inputs(N, T, F, H, type));
}

TEST_CASE("recurrences give the same bits for any number of threads", "[recurrent][threads]") {
  check::same_bits([] {
    List out;
    for (Tensor& t : check::with_gradients([](const List& x) { return all_of(lstm(x[0], x[1], x[2], x[3], x[4], x[5], x[6])); },
                                           lstm_inputs(70, 5, 3, 20, DType::f32)))
      out.push_back(t);
    for (Tensor& t : check::with_gradients([](const List& x) { return all_of(gru(x[0], x[1], x[2], x[3], x[4], x[5])); },
                                           gru_inputs(70, 5, 3, 20, DType::f32)))
      out.push_back(t);
    return out;
  });
}

TEST_CASE("wide recurrences of few samples, whose units are cut among threads, give the same bits for any number of them",
          "[recurrent][threads]") {
  const bool reverse = GENERATE(false, true);
  const Tensor lengths = GENERATE(false, true) ? Tensor::from(std::vector<std::int64_t>{4, 0, 2}, {3}) : Tensor();
  const RecurrentOptions options{.reverse = reverse, .lengths = lengths};
  check::same_bits([&] {
    List out;
    for (Tensor& t : check::with_gradients([&](const List& x) { return all_of(lstm(x[0], x[1], x[2], x[3], x[4], x[5], x[6], options)); },
                                           lstm_inputs(3, 4, 2, 288, DType::f32)))
      out.push_back(t);
    for (Tensor& t : check::with_gradients([&](const List& x) { return all_of(gru(x[0], x[1], x[2], x[3], x[4], x[5], options)); },
                                           gru_inputs(3, 4, 2, 288, DType::f32)))
      out.push_back(t);
    return out;
  });
}

TEST_CASE("first states and biases may be left out, bf16 goes through f32", "[recurrent]") {
  List x = lstm_inputs(3, 4, 2, 5, DType::f32), g = gru_inputs(3, 4, 2, 5, DType::f32);
  Tensor none = Tensor::zeros({3, 5}), bias = Tensor::zeros({20});
  CHECK(lstm(x[0], {}, {}, x[3], x[4], {}, {})[0].to_vector() == lstm(x[0], none, none, x[3], x[4], bias, bias)[0].to_vector());
  CHECK(gru(g[0], {}, g[2], g[3], {}, {})[0].to_vector() ==
        gru(g[0], none, g[2], g[3], Tensor::zeros({15}), Tensor::zeros({15}))[0].to_vector());
  Tensor half = x[0].to(DType::bf16), y = lstm(half, {}, {}, x[3], x[4], {}, {})[0];
  CHECK(y.dtype() == DType::bf16);
  CHECK(y.to_vector() == lstm(half.to(DType::f32), {}, {}, x[3], x[4], {}, {})[0].to(DType::bf16).to_vector());
}

TEST_CASE("a length of 0 keeps the first state", "[recurrent]") {
  List x = lstm_inputs(2, 3, 2, 4, DType::f64);
  List out = lstm(x[0], x[1], x[2], x[3], x[4], x[5], x[6], {.lengths = Tensor::from(std::vector<std::int64_t>{0, 3}, {2})});
  CHECK(out[1].select(0, 0).to_vector() == x[1].select(0, 0).to_vector());
  CHECK(out[0].select(0, 0).to_vector() == std::vector<double>(12, 0.0));
  check::require_close(out[0].select(0, 1).to_vector(), lstm(x[0], x[1], x[2], x[3], x[4], x[5], x[6])[0].select(0, 1).to_vector(), 1e-15);
}

TEST_CASE("recurrences refuse what does not fit", "[recurrent]") {
  List x = lstm_inputs(2, 3, 2, 4, DType::f32);
  check::refuses([&] { lstm(x[0].select(0, 0), {}, {}, x[3], x[4], {}, {}); }, "lstm", {"[3, 2]", "[N, T, F]"});
  check::refuses([&] { lstm(x[0], {}, {}, x[3].narrow(1, 0, 1), x[4], {}, {}); }, "lstm", {"[2, 3, 2]", "[16, 1]"});
  check::refuses([&] { lstm(x[0], x[1].narrow(0, 0, 1), {}, x[3], x[4], {}, {}); }, "lstm", {"[1, 4]"});
  check::refuses([&] { lstm(x[0], {}, {}, x[3], x[4], x[5].narrow(0, 0, 4), {}); }, "lstm", {"bias", "[4]"});
  check::refuses([&] { lstm(x[0], {}, {}, x[3], x[4], {}, {}, {.lengths = Tensor::zeros({3}, DType::i64)}); }, "lstm", {"lengths", "[3]"});
  check::refuses([&] { gru(x[0].to(DType::i32), {}, x[3], x[4], {}, {}); }, "gru", {"i32"});
  check::refuses([&] { gru(x[0], {}, x[3], x[4], {}, {}); }, "gru", {"[16, 2]"});
}

TEST_CASE("single steps say what does not fit", "[recurrent][misuse]") {
  const auto x = [](const Shape& s, DType t = DType::f32) { return Tensor::zeros(s, t); };
  check::refuses([&] { lstm_cell({}, {}, {}, {}, {}, {}, {}); }, "lstm_cell", {"undefined"});
  check::refuses([&] { gru_cell({}, {}, {}, {}, {}, {}); }, "gru_cell", {"undefined"});
  check::refuses([&] { lstm_cell(x({2, 3}), x({2, 4}), x({2, 5}), x({16, 3}), x({16, 4}), {}, {}); }, "lstm_cell", {"[2, 4]", "[4 H, F]"});
  check::refuses([&] { lstm_cell(x({2, 3}), x({2, 4}), x({2, 4}), x({16, 3}), x({16, 4}), x({12}), {}); }, "lstm_cell", {"biases [4 H]"});
  check::refuses([&] { gru_cell(x({2, 3}), x({2, 4}), x({16, 3}), x({12, 4}), {}, {}); }, "gru_cell", {"w_ih f32[16, 3]"});
  check::refuses([&] { gru_cell(x({2, 3}), x({2, 4}, DType::f64), x({12, 3}), x({12, 4}), {}, {}); }, "gru_cell", {"type"});
  check::refuses([&] { gru_cell(x({2, 3}, DType::i32), x({2, 4}), x({12, 3}), x({12, 4}), {}, {}); }, "gru_cell", {"i32[2, 3]"});
}
