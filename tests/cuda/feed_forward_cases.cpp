// Feed-forward blocks whose products do the activation on the way, at sizes that suit the library and at others.
#include <cmath>

#include "core/ops/gradient_check.hpp"
#include "cuda/cases.hpp"
#include "tenon/feed_forward.hpp"

using namespace tenon;
using namespace under_test;
using check::made;
using check::spread;
using In = std::vector<Tensor>;

namespace {

struct Sizes {
  Shape rows;
  std::int64_t in, hidden, out;
};

/// Values before the activation are some units large.
In inputs(const Sizes& s) {
  Shape x = s.rows;
  x.push_back(s.in);
  const double narrow = 1.5 / std::sqrt(double(s.in)), wide = 1.5 / std::sqrt(double(s.hidden));
  return {spread(x, -1.5, 1.6), spread({s.hidden, s.in}, -narrow, narrow), spread({s.hidden}, -0.5, 0.7), spread({s.out, s.hidden}, -wide, wide), spread({s.out}, -0.5, 0.4)};
}

Case blocks(FeedForwardActivation activation) {
  return [=] {
    auto whole = [=](const In& x) { return feed_forward(x[0], x[1], x[2], x[3], x[4], activation); };
    for (const Sizes& s : {Sizes{{64}, 32, 128, 32}, Sizes{{2, 24}, 64, 256, 64}, Sizes{{33}, 40, 136, 24}, Sizes{{37}, 13, 51, 7}, Sizes{{1}, 16, 64, 16},
                           Sizes{{5}, 1, 9, 1}, Sizes{{4}, 8, 1, 8}, Sizes{{1}, 3, 5, 2}}) {
      In x = inputs(s);
      note("without history", whole(x));
      if (s.hidden == 1 && size_of(check::number_type()) == 2) continue;  // one bias' gradient is one sum, which cancels to few of the type's digits
      check::first_gradients(whole, x);
      check::first_gradients([=](const In& v) { return feed_forward(v[0], v[1], {}, v[2], {}, activation); }, {x[0], x[1], x[3]});
    }
    note("no rows", whole(inputs({{0}, 8, 16, 8})));
    note("no rows of three axes", whole(inputs({{3, 0}, 8, 16, 8})));
    // an input that no vector load may take, and one that is not dense
    In x = inputs({{33}, 40, 72, 24});
    note("a part", whole({x[0].reshape({33 * 40}).narrow(0, 1, 32 * 40).reshape({32, 40}), x[1], x[2], x[3], x[4]}));
    note("columns", whole({x[0].narrow(1, 0, 40).transpose(0, 1).contiguous().transpose(0, 1), x[1], x[2], x[3], x[4]}));
    // gradients of some alone
    for (std::size_t k = 0; k < 5; ++k)
      check::first_gradients([=](const In& v) { In all = x; all[k] = v[0]; return whole(all); }, {x[k]});
    check::second_gradients(whole, inputs({{6}, 8, 16, 8}));
  };
}
/// f32 parameters beside 16-bit values, as layers have them.
Case layers(DType type) {
  return [=] {
    for (const auto activation : {FeedForwardActivation::relu, FeedForwardActivation::gelu_tanh})
      for (const Sizes& s : {Sizes{{2, 24}, 64, 256, 64}, Sizes{{37}, 13, 51, 7}})
        check::first_gradients([=](const In& x) { return feed_forward(x[0].to(type), x[1], x[2], x[3], x[4], activation); }, inputs(s));
  };
}

const std::vector<DType> kTypes{DType::f64, DType::f32, DType::bf16, DType::f16};
const Register cases(std::vector<Extra>{
    {"feed-forward blocks with ReLU", blocks(FeedForwardActivation::relu), kTypes},
    {"feed-forward blocks with the GELU of tanh", blocks(FeedForwardActivation::gelu_tanh), kTypes},
    {"feed-forward blocks with the exact GELU", blocks(FeedForwardActivation::gelu), kTypes},
    {"feed-forward blocks of bf16 with f32 weights", layers(DType::bf16), {DType::f32}, 1e-4},
    {"feed-forward blocks of f16 with f32 weights", layers(DType::f16), {DType::f32}, 1e-4},
});

}  // namespace
