// Values of the ops that have no gradient.
#include <limits>

#include "core/ops/gradient_check.hpp"
#include "cuda/cases.hpp"
#include "tenon/dropout.hpp"
#include "tenon/embedding.hpp"
#include "tenon/fft.hpp"
#include "tenon/indexing.hpp"
#include "tenon/ops.hpp"
#include "tenon/ordering.hpp"
#include "tenon/sampling.hpp"

using namespace tenon;
using namespace under_test;

namespace {

/// With ties, zeros, infinities and a NaN.
Tensor awkward(const Shape& shape) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  const std::vector<double> values{0,    -0.0, 1, -1, 0.5, 1.5, 2.5, -0.5, -1.5, kInf, -kInf, std::numeric_limits<double>::quiet_NaN(),
                                   3.25, -7};
  std::vector<double> v;
  for (std::int64_t i = 0; i < shape.numel(); ++i) v.push_back(values[std::size_t(i * 5 % 14)]);
  return Tensor::from(v, shape).to(check::number_type());
}

Tensor whole(const Shape& shape, std::int64_t n, DType type = DType::i64) {
  std::vector<std::int64_t> v;
  for (std::int64_t i = 0; i < shape.numel(); ++i) v.push_back((i * 5 + i / 3) % n);
  return Tensor::from(v, shape).to(type);
}

Case comparison(Tensor (*f)(const Tensor&, const Tensor&)) {
  return [f] {
    note("equal shapes", f(awkward({7, 9}), awkward({7, 9}).contiguous()));
    note("broadcast", f(awkward({4, 1, 5}), check::spread({3, 1})));
    note("infinite", f(awkward({14}), awkward({14, 1})));
    note("integers", f(whole({5, 7}, 4), whole({7}, 3)));
  };
}
Case stepwise(Tensor (*f)(const Tensor&)) {
  return [f] {
    note("awkward", f(awkward({6, 7})));
    note("spread", f(check::spread({300}, -4, 4)));
    note("a view", f(check::spread({9, 8}, -3, 3).transpose(0, 1)));
  };
}

const Register ops(std::map<std::string, Case>{
    {"ops.hpp: equal(Tensor,Tensor)", comparison(equal)},
    {"ops.hpp: less(Tensor,Tensor)", comparison(less)},
    {"ops.hpp: greater(Tensor,Tensor)", comparison(greater)},
    {"ops.hpp: not_equal(Tensor,Tensor)", comparison(not_equal)},
    {"ops.hpp: less_equal(Tensor,Tensor)", comparison(less_equal)},
    {"ops.hpp: greater_equal(Tensor,Tensor)", comparison(greater_equal)},
    {"ops.hpp: is_finite(Tensor)", stepwise(is_finite)},
    {"ops.hpp: is_nan(Tensor)", stepwise(is_nan)},
    {"ops.hpp: sign(Tensor)", stepwise(sign)},
    {"ops.hpp: floor(Tensor)", stepwise(floor)},
    {"ops.hpp: ceil(Tensor)", stepwise(ceil)},
    {"ops.hpp: round(Tensor)", stepwise(round)},
    {"ops.hpp: argmax(Tensor,int)",
     [] {
       note("first of ties", argmax(whole({4, 9, 3}, 4).to(check::number_type()), 1));
       note("last axis", argmax(check::spread({5, 300}), -1));
       note("with NaN", argmax(awkward({3, 20}), -1));
       for (std::int64_t n : {1, 2, 3, 19, 32, 33, 140, 300}) {  // a thread or a team of threads a row, several blocks of them
         note("rows", argmax(awkward({300, n}), -1));
         note("the least of rows", min(awkward({300, n}), -1));
         note("rows from the second on", argmax(whole({301, n}, 7).to(check::number_type()).narrow(0, 1, 300), -1));
       }
     }},
    {"ops.hpp: one_hot(Tensor,int64_t,DType)",
     [] {
       note("f32", one_hot(whole({3, 5}, 4), 4));
       note("u8 labels", one_hot(whole({70}, 5, DType::u8), 5, check::number_type()));
     }},
    {"ops.hpp: random_uniform(Shape,uint64_t,uint64_t,double,double)",
     [] {
       note("odd", random_uniform({7, 11}, 3, 5));
       note("a range", random_uniform({1025}, 3, 6, -2, 5));
       note("none", random_uniform({0, 3}, 3, 5));
     }},
    {"ops.hpp: random_normal(Shape,uint64_t,uint64_t,double,double)",
     [] {
       note("odd", random_normal({7, 11}, 3, 5));
       note("scaled", random_normal({1025}, 9, 6, -2, 5));
     }},
});

const Register others(std::map<std::string, Case>{
    {"sampling.hpp: random_bernoulli(Shape,uint64_t,uint64_t,double)",
     [] {
       note("values", random_bernoulli({7, 111}, 3, 5, 0.3));
     }},
    {"sampling.hpp: random_integers(Shape,uint64_t,uint64_t,int64_t,int64_t)",
     [] {
       note("values", random_integers({7, 111}, 3, 5, -4, 12));
       note("a wide range",
            random_integers({33}, 3, 5, std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()));
     }},
    {"sampling.hpp: random_permutation(int64_t,uint64_t,uint64_t)",
     [] {
       for (std::int64_t n : {0, 1, 5, 1000}) note("values", random_permutation(n, 3, 5));
     }},
    {"sampling.hpp: random_exponential(Shape,uint64_t,uint64_t,double)", [] { note("values", random_exponential({777}, 3, 5, 1.7)); }},
    {"sampling.hpp: random_gamma(Shape,uint64_t,uint64_t,double,double)",
     [] {
       note("above 1", random_gamma({777}, 3, 5, 2.5, 0.7));
       note("below 1", random_gamma({777}, 3, 5, 0.4));
     }},
    {"sampling.hpp: sobol(int64_t,int64_t,uint64_t,uint64_t,Scrambling,int64_t,DType)",
     [] {
       note("plain", sobol(65, 7, 0, 0, Scrambling::none));
       note("scrambled", sobol(130, 5, 3, 4, Scrambling::owen, 17));
       note("double", sobol(33, 40, 3, 4, Scrambling::owen, 0, DType::f64));
     }},
    {"dropout.hpp: random_key(uint64_t,Device)", [] { note("key", random_key(77, default_device())); }},
    {"embedding.hpp: sinusoidal_positions(int64_t,int64_t,double)", [] { note("values", sinusoidal_positions(9, 6)); }},
    {"fft.hpp: fft_frequencies(int64_t,double)", [] { note("values", fft_frequencies(9, 0.5)); }},
    {"fft.hpp: rfft_frequencies(int64_t,double)", [] { note("values", rfft_frequencies(8, 0.5)); }},
    {"indexing.hpp: nonzero(Tensor)",
     [] {
       note("labels", nonzero(whole({5, 7}, 3)));
       note("booleans", nonzero(greater(check::spread({40, 33}), Tensor::zeros({}, check::number_type()))));
     }},
    {"ordering.hpp: argsort(Tensor,int,bool)",
     [] {
       note("stable", argsort(whole({5, 40}, 7).to(check::number_type())));
       note("descending", argsort(check::spread({9, 17, 2}), 1, true));
       note("with NaN", argsort(awkward({3, 28})));
     }},
    {"ordering.hpp: searchsorted(Tensor,Tensor,bool)",
     [] {
       const Tensor line = check::spread({40}, -1, 1);
       for (bool right : {false, true}) note("values", searchsorted(sort(line).values, check::spread({5, 9}, -1.2, 1.2), right));
     }},
    {"ordering.hpp: unique(Tensor)",
     [] {
       const Unique u = unique(whole({7, 30}, 9).to(check::number_type()));
       note("values", u.values), note("inverse", u.inverse), note("counts", u.counts);
     }},
});

}  // namespace
