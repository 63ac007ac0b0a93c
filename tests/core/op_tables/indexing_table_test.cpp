#include "core/op_table.hpp"
#include "tenon/indexing.hpp"

using namespace tenon;
using namespace op_table;

namespace {

Tensor index(const Shape& shape, std::int64_t n, std::int64_t step = 5) {
  std::vector<std::int64_t> v;
  for (std::int64_t i = 0; i < shape.numel(); ++i) v.push_back((i * step + i / 3) % n);
  return Tensor::from(v, shape);
}

/// f squared, so that the second gradient is not zero.
void squared(const check::Function& f, const In& inputs) {
  both([&](const In& x) { return square(f(x)); }, inputs);
}

Tensor mask() {
  return greater(spread({3, 4}, -1, 1, DType::f64), Tensor::zeros({}, DType::f64));
}

const Register table(
    "indexing.hpp",
    {{
         {"index_select(Tensor,int,Tensor)",
          [] {
            squared([](const In& x) { return index_select(x[0], 1, index({2, 3}, 4)); }, {spread({2, 4, 3})});
          }},
         {"index_add(Tensor,int,Tensor,Tensor)",
          [] {
            squared([](const In& x) { return index_add(x[0], 0, index({5}, 3), x[1]); }, {spread({3, 2}), spread({5, 2}, -2, 1)});
          }},
         {"gather(Tensor,int,Tensor)",
          [] {
            squared([](const In& x) { return gather(x[0], 1, index({2, 5, 3}, 4)); }, {spread({2, 4, 3})});
          }},
         {"scatter(Tensor,int,Tensor,Tensor)",
          [] {
            squared([](const In& x) { return scatter(x[0], 1, index({2, 5, 3}, 4), x[1]); }, {spread({2, 4, 3}), spread({2, 5, 3}, -2, 1)});
          }},
         {"scatter_add(Tensor,int,Tensor,Tensor)",
          [] {
            squared([](const In& x) { return scatter_add(x[0], -1, index({3, 6}, 4), x[1]); }, {spread({3, 4}), spread({3, 6}, -2, 1)});
          }},
         {"take(Tensor,Tensor)",
          [] {
            squared([](const In& x) { return take(x[0], index({2, 5}, 6)); }, {spread({2, 3})});
          }},
         {"masked_fill(Tensor,Tensor,double)",
          [] {
            squared([](const In& x) { return masked_fill(x[0], mask(), 0.7); }, {spread({2, 3, 4})});
          }},
         {"masked_select(Tensor,Tensor)",
          [] {
            squared([](const In& x) { return masked_select(x[0], mask()); }, {spread({2, 3, 4})});
          }},
         {"roll(Tensor,vector<int64_t>,vector<int>)",
          [] {
            squared([](const In& x) { return roll(x[0], {1, -1}, {0, 2}); }, {spread({2, 3, 4})});
          }},
         {"tile(Tensor,vector<int64_t>)",
          [] {
            squared([](const In& x) { return tile(x[0], {2, 1, 3}); }, {spread({2, 3})});
          }},
         {"repeat(Tensor,int64_t,int)",
          [] {
            squared([](const In& x) { return repeat(x[0], 2, 0); }, {spread({2, 3})});
          }},
         {"stack(vector<Tensor>,int)",
          [] {
            squared([](const In& x) { return stack({x[0], x[1], x[0]}, -1); }, {spread({2, 3}), spread({2, 3}, -2, 1)});
          }},
         {"tril(Tensor,int64_t)",
          [] {
            squared([](const In& x) { return tril(x[0], -1); }, {spread({2, 3, 4})});
          }},
         {"triu(Tensor,int64_t)",
          [] {
            squared([](const In& x) { return triu(x[0]); }, {spread({2, 3, 4})});
          }},
         {"diagonal(Tensor,int64_t,int,int)",
          [] {
            squared([](const In& x) { return diagonal(x[0], 1, 0, 2); }, {spread({2, 3, 4})});
          }},
         {"diag_embed(Tensor,int64_t)",
          [] {
            squared([](const In& x) { return diag_embed(x[0], -1); }, {spread({2, 3})});
          }},
         {"meshgrid(vector<Tensor>)",
          [] {
            squared([](const In& x) { return mul(meshgrid(x)[0], meshgrid(x)[1]); }, {spread({3}), spread({2}, -2, 1)});
          }},
     },
     {"nonzero(Tensor)"}});

}  // namespace
