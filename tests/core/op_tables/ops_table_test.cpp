#include "core/op_table.hpp"

using namespace tenon;
using namespace op_table;

namespace {

Tensor labels(const Shape& shape, std::int64_t classes, DType type = DType::u8) {
  std::vector<std::int64_t> v;
  for (std::int64_t i = 0; i < shape.numel(); ++i) v.push_back((i * 5 + i / 3) % classes);
  return Tensor::from(v, shape).to(type);
}

void all_spatial(const std::function<void(int axes, const Shape& x)>& run) {
  run(1, {2, 7, 4});
  run(2, {1, 5, 4, 4});
  run(3, {1, 4, 3, 3, 2});
}

const Register table("ops.hpp", {{
      {"add(Tensor,Tensor)", [] { binary([](auto& a, auto& b) { return add(a, b) * a; }); }},
      {"sub(Tensor,Tensor)", [] { binary([](auto& a, auto& b) { return square(sub(a, b)); }); }},
      {"mul(Tensor,Tensor)", [] { binary([](auto& a, auto& b) { return mul(a, b); }); }},
      {"div(Tensor,Tensor)", [] { binary([](auto& a, auto& b) { return div(a, b); }, 0.5, 3); }},
      {"maximum(Tensor,Tensor)", [] { binary([](auto& a, auto& b) { return square(maximum(a, b)); }); }},
      {"minimum(Tensor,Tensor)", [] { binary([](auto& a, auto& b) { return square(minimum(a, b)); }); }},
      {"pow(Tensor,Tensor)", [] { binary([](auto& a, auto& b) { return pow(a, b); }, 0.5, 2); }},
      {"add(Tensor,double)", [] { unary([](auto& x) { return square(add(x, 0.7)); }); }},
      {"mul(Tensor,double)", [] { unary([](auto& x) { return square(mul(x, -1.7)); }); }},
      {"pow(Tensor,double)",
       [] {
         unary([](auto& x) { return pow(x, 2.7); }, 0.3, 2);
         unary([](auto& x) { return pow(x, 3.0); });
         unary([](auto& x) { return pow(x, -1.0); }, 0.3, 2);
       }},
      {"operator+(Tensor,Tensor)", [] { binary([](auto& a, auto& b) { return square(a + b); }); }},
      {"operator-(Tensor,Tensor)", [] { binary([](auto& a, auto& b) { return square(a - b); }); }},
      {"operator*(Tensor,Tensor)", [] { binary([](auto& a, auto& b) { return a * b; }); }},
      {"operator/(Tensor,Tensor)", [] { binary([](auto& a, auto& b) { return a / b; }, 0.5, 3); }},
      {"operator+(Tensor,double)", [] { unary([](auto& x) { return square(x + 0.3); }); }},
      {"operator+(double,Tensor)", [] { unary([](auto& x) { return square(0.3 + x); }); }},
      {"operator-(Tensor,double)", [] { unary([](auto& x) { return square(x - 0.3); }); }},
      {"operator*(Tensor,double)", [] { unary([](auto& x) { return square(x * 0.3); }); }},
      {"operator*(double,Tensor)", [] { unary([](auto& x) { return square(0.3 * x); }); }},
      {"operator/(Tensor,double)", [] { unary([](auto& x) { return square(x / 0.3); }); }},

      {"neg(Tensor)", [] { unary([](auto& x) { return square(neg(x)) * x; }); }},
      {"abs(Tensor)", [] { unary([](auto& x) { return abs(x) * x; }); }},
      {"exp(Tensor)", [] { unary([](auto& x) { return exp(x); }); }},
      {"log(Tensor)", [] { unary([](auto& x) { return log(x); }, 0.3, 3); }},
      {"sqrt(Tensor)", [] { unary([](auto& x) { return sqrt(x); }, 0.3, 3); }},
      {"rsqrt(Tensor)", [] { unary([](auto& x) { return rsqrt(x); }, 0.3, 3); }},
      {"square(Tensor)", [] { unary([](auto& x) { return square(x); }); }},
      {"sin(Tensor)", [] { unary([](auto& x) { return sin(x); }); }},
      {"cos(Tensor)", [] { unary([](auto& x) { return cos(x); }); }},
      {"tanh(Tensor)", [] { unary([](auto& x) { return tanh(x); }); }},
      {"sigmoid(Tensor)", [] { unary([](auto& x) { return sigmoid(x); }, -4, 4); }},
      {"relu(Tensor)", [] { unary([](auto& x) { return square(relu(x)); }); }},
      {"leaky_relu(Tensor,double)", [] { unary([](auto& x) { return square(leaky_relu(x, 0.1)); }); }},
      {"elu(Tensor,double)", [] { unary([](auto& x) { return elu(x, 0.7); }); }},
      {"gelu(Tensor)", [] { unary([](auto& x) { return gelu(x); }, -4, 4); }},
      {"gelu_tanh(Tensor)", [] { unary([](auto& x) { return gelu_tanh(x); }, -4, 4); }},
      {"silu(Tensor)", [] { unary([](auto& x) { return silu(x); }, -4, 4); }},
      {"softplus(Tensor)", [] { unary([](auto& x) { return softplus(x); }, -4, 4); }},
      {"expm1(Tensor)", [] { unary([](auto& x) { return expm1(x); }); }},
      {"log1p(Tensor)", [] { unary([](auto& x) { return log1p(x); }, -0.6, 3); }},
      {"tan(Tensor)", [] { unary([](auto& x) { return tan(x); }, -1.2, 1.2); }},
      {"asin(Tensor)", [] { unary([](auto& x) { return asin(x); }, -0.8, 0.8); }},
      {"acos(Tensor)", [] { unary([](auto& x) { return acos(x); }, -0.8, 0.8); }},
      {"atan(Tensor)", [] { unary([](auto& x) { return atan(x); }, -3, 3); }},
      {"atan2(Tensor,Tensor)", [] { binary([](auto& a, auto& b) { return atan2(a, b); }, 0.5, 3); }},
      {"sinh(Tensor)", [] { unary([](auto& x) { return sinh(x); }); }},
      {"cosh(Tensor)", [] { unary([](auto& x) { return cosh(x); }); }},
      {"erf(Tensor)", [] { unary([](auto& x) { return erf(x); }); }},
      {"lgamma(Tensor)",
       [] {
         check::first_gradients([](const In& x) { return lgamma(x[0]); }, {spread({3, 5}, 0.3, 12)});
         check::first_gradients([](const In& x) { return lgamma(x[0]); }, {spread({7}, -3.8, -3.2)});
       }},
      {"digamma(Tensor)", [] { both([](const In& x) { return digamma(x[0]); }, {spread({3, 5}, 0.3, 12)}); }},
      {"clamp(Tensor,double,double)", [] { unary([](auto& x) { return square(clamp(x, -0.71, 1.13)); }); }},
      {"where(Tensor,Tensor,Tensor)",
       [] {
         Tensor c = labels({2, 1, 4}, 2).to(DType::boolean);
         binary([](auto& a, auto& b) { return square(where(less(a, b), a, mul(b, 2.0))); });
         both([c](const In& x) { return square(where(c, x[0], x[1])); }, {spread({3, 1}), spread({})});
       }},

      {"sum(Tensor,vector<int>,bool)",
       [] {
         both([](const In& x) { return square(sum(x[0])); }, {spread({2, 3})});
         both([](const In& x) { return square(sum(x[0], {0, -1})); }, {spread({2, 3, 4})});
         both([](const In& x) { return square(sum(x[0], {1}, true)); }, {spread({2, 3, 4})});
       }},
      {"mean(Tensor,vector<int>,bool)",
       [] {
         both([](const In& x) { return square(mean(x[0], {0, 2})); }, {spread({2, 3, 4})});
         both([](const In& x) { return square(mean(x[0], {-2}, true)); }, {spread({2, 3, 4})});
       }},
      {"var(Tensor,vector<int>,bool)",
       [] {
         both([](const In& x) { return var(x[0]); }, {spread({6})});
         both([](const In& x) { return var(x[0], {0, 2}, true); }, {spread({2, 3, 4})});
       }},
      {"max(Tensor,int,bool)",
       [] {
         both([](const In& x) { return square(max(x[0], 1)); }, {spread({2, 5, 3})});
         both([](const In& x) { return square(max(x[0], -3, true)); }, {spread({2, 5, 3})});
       }},
      {"min(Tensor,int,bool)",
       [] {
         both([](const In& x) { return square(min(x[0], -1)); }, {spread({2, 5, 3})});
       }},
      {"sum_to(Tensor,Shape)",
       [] {
         both([](const In& x) { return square(sum_to(x[0], {3, 1})); }, {spread({2, 3, 4})});
       }},

      {"concat(vector<Tensor>,int)",
       [] {
         both([](const In& x) { return square(concat({x[0], x[1], x[0]}, 1)); }, {spread({2, 3, 2}), spread({2, 1, 2}, 1, 2)});
       }},
      {"split(Tensor,vector<int64_t>,int)",
       [] {
         both(
             [](const In& x) {
               auto parts = split(x[0], {1, 2, 1}, -1);
               return parts[0] * parts[2] + sum(square(parts[1]), {-1}, true);
             },
             {spread({3, 4})});
       }},
      {"pad(Tensor,vector<int64_t>,vector<int64_t>,double)",
       [] {
         both([](const In& x) { return square(pad(x[0], {1, 0, 2}, {0, 2, 1}, 0.5)); }, {spread({2, 3, 2})});
       }},
      {"flip(Tensor,vector<int>)",
       [] {
         both([](const In& x) { return square(flip(x[0], {0, -1})); }, {spread({2, 3, 4})});
       }},

      {"matmul(Tensor,Tensor)",
       [] {
         auto f = [](const In& x) { return matmul(x[0], x[1]); };
         both(f, {spread({3, 4}), spread({4, 2})});
         both(f, {spread({2, 1, 3, 4}), spread({5, 4, 2})});
       }},
      {"linear(Tensor,Tensor,Tensor)",
       [] {
         both([](const In& x) { return linear(x[0], x[1], x[2]); }, {spread({2, 3, 4}), spread({5, 4}), spread({5})});
         both([](const In& x) { return linear(x[0], x[1]); }, {spread({3, 4}), spread({5, 4})});
       }},
      {"conv(Tensor,Tensor,Tensor,ConvOptions)",
       [] {
         auto f = [](ConvOptions o) { return [o](const In& x) { return conv(x[0], x[1], x[2], o); }; };
         both(f({}), {spread({2, 7, 4}), spread({3, 3, 4}), spread({3})});
         both(f({{2}, {1}, {2}, 2}), {spread({1, 9, 4}), spread({6, 3, 2}), spread({6})});
         both(f({{1, 2}, {1, 0}, {}, 1}), {spread({1, 4, 5, 2}), spread({3, 3, 2, 2}), spread({3})});
         both(f({{2, 1, 1}, {1, 1, 0}, {}, 1}), {spread({1, 4, 3, 3, 2}), spread({2, 3, 3, 1, 2}), spread({2})});
       }},
      {"conv_transpose(Tensor,Tensor,Tensor,ConvOptions,vector<int64_t>)",
       [] {
         auto f = [](ConvOptions o, std::vector<std::int64_t> extra = {}) {
           return [=](const In& x) { return conv_transpose(x[0], x[1], x[2], o, extra); };
         };
         both(f({}), {spread({2, 4, 3}), spread({3, 3, 2}), spread({2})});
         both(f({{2}, {1}, {}, 2}, {1}), {spread({1, 4, 4}), spread({4, 3, 3}), spread({6})});
         both(f({{2, 2, 2}, {}, {}, 1}), {spread({1, 2, 2, 1, 2}), spread({2, 2, 2, 2, 3}), spread({3})});
       }},

      {"max_pool(Tensor,vector<int64_t>,vector<int64_t>,vector<int64_t>)",
       [] {
         all_spatial([](int axes, const Shape& s) {
           const std::vector<std::int64_t> two(std::size_t(axes), 2), one(std::size_t(axes), 1);
           both([=](const In& x) { return square(max_pool(x[0], two)); }, {spread(s)});
           both([=](const In& x) { return square(max_pool(x[0], two, one, one)); }, {spread(s)});
         });
       }},
      {"avg_pool(Tensor,vector<int64_t>,vector<int64_t>,vector<int64_t>)",
       [] {
         all_spatial([](int axes, const Shape& s) {
           const std::vector<std::int64_t> two(std::size_t(axes), 2), one(std::size_t(axes), 1);
           both([=](const In& x) { return square(avg_pool(x[0], two)); }, {spread(s)});
           both([=](const In& x) { return square(avg_pool(x[0], two, one, one)); }, {spread(s)});
         });
       }},
      {"resize(Tensor,vector<int64_t>,Interpolation)",
       [] {
         all_spatial([](int axes, const Shape& s) {
           const std::vector<std::int64_t> size(std::size_t(axes), 5);
           for (auto mode : {Interpolation::nearest, Interpolation::linear})
             both([=](const In& x) { return square(resize(x[0], size, mode)); }, {spread(s)});
         });
       }},

      {"instance_norm(Tensor,Tensor,Tensor,double,double)",
       [] {
         for (double slope : {1.0, 0.1})
           both([slope](const In& x) { return instance_norm(x[0], x[1], x[2], 1e-3, slope); },
                      {check::made(1, {2, 3, 4, 3}), spread({3}, 0.5, 2), spread({3}, -0.3, 0.4)});
       }},
      {"group_norm(Tensor,int64_t,Tensor,Tensor,double)",
       [] {
         both([](const In& x) { return group_norm(x[0], 2, x[1], x[2], 1e-2); },
              {check::made(1, {2, 3, 4}), spread({4}, 0.5, 2), spread({4})});
       }},
      {"layer_norm(Tensor,Tensor,Tensor,double)",
       [] {
         both([](const In& x) { return layer_norm(x[0], x[1], x[2], 1e-2); },
              {check::made(1, {2, 3, 5}), spread({5}, 0.5, 2), spread({5})});
       }},
      {"batch_norm(Tensor,Tensor,Tensor,Tensor,Tensor,bool,double,double)",
       [] {
         for (bool training : {true, false})
           both(
               [training](const In& x) {
                 Tensor mean_so_far = Tensor::full({3}, 0.1, check::number_type()), var_so_far = Tensor::full({3}, 1.3, check::number_type());
                 return square(batch_norm(x[0], x[1], x[2], mean_so_far, var_so_far, training, 0.1, 1e-2));
               },
               {check::made(1, {2, 4, 3}), spread({3}, 0.5, 2), spread({3})});
       }},

      {"softmax(Tensor,int)",
       [] {
         both([](const In& x) { return softmax(x[0]); }, {check::made(2, {3, 4})});
         both([](const In& x) { return softmax(x[0], 0); }, {check::made(2, {3, 2, 2})});
       }},
      {"log_softmax(Tensor,int)",
       [] {
         both([](const In& x) { return log_softmax(x[0]); }, {check::made(2, {3, 4})});
         both([](const In& x) { return log_softmax(x[0], 1); }, {check::made(2, {3, 2, 2})});
       }},
      {"mse_loss(Tensor,Tensor)",
       [] {
         both([](const In& x) { return mse_loss(x[0], x[1]); }, {check::made(1, {3, 4}), check::made(2, {3, 4})});
       }},
      {"cross_entropy(Tensor,Tensor)",
       [] {
         both([](const In& x) { return cross_entropy(x[0], labels({2, 3}, 4)); }, {check::made(1, {2, 3, 4})});
       }},
      {"dice_cross_entropy(Tensor,Tensor,double)",
       [] {
         both([](const In& x) {
                      return dice_cross_entropy(x[0], labels({2, 3, 4}, 3));
                    },
                    {check::made(1, {2, 3, 4, 3})});
       }},
},
{
      "equal(Tensor,Tensor)",
      "less(Tensor,Tensor)",
      "greater(Tensor,Tensor)",         // bool
      "not_equal(Tensor,Tensor)",
      "less_equal(Tensor,Tensor)",
      "greater_equal(Tensor,Tensor)",
      "is_finite(Tensor)",
      "is_nan(Tensor)",
      "sign(Tensor)",  // steps
      "floor(Tensor)",
      "ceil(Tensor)",
      "round(Tensor)",
      "argmax(Tensor,int)",             // positions
      "one_hot(Tensor,int64_t,DType)",  // of labels
      "random_uniform(Shape,uint64_t,uint64_t,double,double)",
      "random_normal(Shape,uint64_t,uint64_t,double,double)",
}});

}  // namespace

TEST_CASE("ops without a gradient keep no history", "[op_table]") {
  Tensor a = spread({2, 3}), b = spread({2, 3}, 0, 1);
  a.set_requires_grad();
  CHECK_FALSE(equal(a, b).requires_grad());
  CHECK_FALSE(less(a, b).requires_grad());
  CHECK_FALSE(greater(a, b).requires_grad());
  for (const auto& step : {not_equal(a, b), less_equal(a, b), greater_equal(a, b), is_finite(a), is_nan(a), sign(a), floor(a), ceil(a), round(a)})
    CHECK_FALSE(step.requires_grad());
  CHECK_FALSE(argmax(a, 1).requires_grad());
  CHECK_FALSE(one_hot(labels({4}, 3), 3).requires_grad());
  CHECK_FALSE(random_uniform({4}, 1, 2).requires_grad());
  CHECK_FALSE(random_normal({4}, 1, 2).requires_grad());
}
