// Attention and recurrences at lengths that cross the bounds of tiles, blocks and multiprocessors.
#include <limits>

#include "core/ops/gradient_check.hpp"
#include "cuda/cases.hpp"
#include "tenon/attention.hpp"
#include "tenon/ops.hpp"
#include "tenon/recurrent.hpp"

using namespace tenon;
using namespace under_test;
using check::made;
using check::spread;
using In = std::vector<Tensor>;

namespace {

const std::vector<DType> kExact{DType::f64, DType::f32};

void first(const check::Function& f, const In& inputs) {
  check::first_gradients(f, inputs);
}

void attentions() {
  note("one key", scaled_dot_product_attention(made(1, {2, 1, 2, 16}), made(2, {2, 1, 2, 16}),
                                               made(3, {2, 1, 2, 24})));  // its gradient is 0 but for rounding
  for (std::int64_t l : {2, 17, 33, 64, 65, 130})
    for (bool causal : {false, true})
      first([=](const In& x) { return scaled_dot_product_attention(x[0], x[1], x[2], {.causal = causal}); },
            {spread({2, l, 2, 16}), spread({2, l, 2, 16}, -0.9, 1.1), spread({2, l, 2, 24})});
  first(
      [](const In& x) {
        return scaled_dot_product_attention(x[0], x[1], x[2],
                                            {.mask = greater(spread({2, 1, 20, 70}), Tensor::zeros({}, check::number_type()))});
      },
      {made(1, {2, 20, 3, 40}), made(2, {2, 70, 3, 40}), made(3, {2, 70, 3, 40})});
}
/// As long as a recorded step's sequences are, in the types that libraries' kernels know.
void long_attentions() {
  first([](const In& x) { return self_attention(x[0], {.causal = true}); }, {spread({1, 512, 3, 1, 64}, -1, 1.1)});
  first([](const In& x) { return scaled_dot_product_attention(x[0], x[1], x[2], {.causal = true}); },
        {spread({1, 256, 2, 32}), spread({1, 520, 2, 32}, -0.9, 1.1), spread({1, 520, 2, 32}, -2, 1)});
  first([](const In& x) { return scaled_dot_product_attention(x[0], x[1], x[2], {.scale = 0.3}); },
        {spread({1, 512, 1, 24}), spread({1, 130, 1, 24}, -0.9, 1.1), spread({1, 130, 1, 40}, -2, 1)});
}
/// Heads that our kernels for tensor cores take: last tiles that are not full, masks, a query that sees nothing.
void tensor_core_attentions() {
  for (std::int64_t depth : {8, 24, 32, 64, 72, 96, 104, 128}) {
    if (depth % 32 != 0 && check::number_type() == DType::f16) continue;  // what fills a head up does not know its type

    const In x{spread({1, 70, 2, depth}), spread({1, 41, 2, depth}, -0.9, 1.1), spread({1, 41, 2, depth}, -2, 1)};
    for (bool causal : {false, true})
      first([=](const In& v) { return scaled_dot_product_attention(v[0], v[1], v[2], {.causal = causal}); }, x);
    std::vector<double> mask(70 * 41);
    for (std::size_t i = 0; i < mask.size(); ++i) mask[i] = i / 41 == 33 || i % 7 == 2 ? -std::numeric_limits<double>::infinity() : 0.1 * double(i % 5);
    first([=](const In& v) { return scaled_dot_product_attention(v[0], v[1], v[2], {.mask = Tensor::from(mask, {70, 41}).to(DType::f32)}); }, x);
  }
}
Tensor joined(const In& parts) {
  In flat;
  for (const Tensor& t : parts) flat.push_back(t.reshape({t.numel()}));
  return concat(flat, 0);
}
void recurrences() {
  for (std::int64_t h : {3, 32, 65}) {
    const Tensor x = spread({5, 9, 7}), length = Tensor::from(std::vector<std::int64_t>{9, 1, 0, 4, 8}, {5});
    for (const RecurrentOptions& o : {RecurrentOptions{}, RecurrentOptions{true, length}}) {
      first([=](const In& v) { return joined(lstm(v[0], {}, {}, v[1], v[2], v[3], v[4], o)); },
            {x, spread({4 * h, 7}), spread({4 * h, h}, -0.3, 0.3), spread({4 * h}), spread({4 * h}, -0.2, 0.2)});
      first([=](const In& v) { return joined(gru(v[0], {}, v[1], v[2], v[3], v[4], o)); },
            {x, spread({3 * h, 7}), spread({3 * h, h}, -0.3, 0.3), spread({3 * h}), spread({3 * h}, -0.2, 0.2)});
    }
  }
}
/// More hidden units than one block keeps, and more samples than there are multiprocessors to give each a block of its own: one in f64 and of 65 units, several
/// of few units in f32.
void large_recurrences() {
  const bool wide = check::number_type() == DType::f64;
  {
    const RecurrentOptions shorter{true, Tensor::from(std::vector<std::int64_t>{3, 0, 2}, {3})};
    const std::int64_t h = 131;
    first([=](const In& v) { return joined(lstm(v[0], {}, {}, v[1], v[2], v[3], v[4], shorter)); },
          {spread({3, 3, 2}), spread({4 * h, 2}), spread({4 * h, h}, -0.3, 0.3), spread({4 * h}), spread({4 * h}, -0.2, 0.2)});
    first([=](const In& v) { return joined(gru(v[0], {}, v[1], v[2], v[3], v[4], shorter)); },
          {spread({3, 3, 2}), spread({3 * h, 2}), spread({3 * h, h}, -0.3, 0.3), spread({3 * h}), spread({3 * h}, -0.2, 0.2)});
  }
  for (const auto& [batch, h] : {std::pair<std::int64_t, std::int64_t>{2, 131}, {270, wide ? 5 : 65}, {134, wide ? 33 : 65}}) {
    const Tensor x = spread({batch, 2, 3});
    first([](const In& v) { return joined(lstm(v[0], {}, {}, v[1], v[2], v[3], v[4])); },
          {x, spread({4 * h, 3}), spread({4 * h, h}, -0.3, 0.3), spread({4 * h}), spread({4 * h}, -0.2, 0.2)});
    first([](const In& v) { return joined(gru(v[0], {}, v[1], v[2], v[3], v[4])); },
          {x, spread({3 * h, 3}), spread({3 * h, h}, -0.3, 0.3), spread({3 * h}), spread({3 * h}, -0.2, 0.2)});
  }
}

const Register cases(std::vector<Extra>{
    {"attention", attentions, kExact},
    {"long attention", long_attentions, {DType::bf16, DType::f16}},
    {"attention on tensor cores", tensor_core_attentions, {DType::bf16, DType::f16}},
    {"recurrences", recurrences, kExact},
    {"large recurrences", large_recurrences, kExact},
});

}  // namespace
