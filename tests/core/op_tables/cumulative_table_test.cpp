#include "core/op_table.hpp"
#include "tenon/cumulative.hpp"

using namespace tenon;
using namespace op_table;

namespace {

/// With two zeros in one line and one in another.
Tensor zeros_within() {
  std::vector<double> v = spread({3, 4, 2}, 0.5, 2).to_vector();
  for (std::size_t i : {2, 6, 9}) v[i] = 0;
  return Tensor::from(v, {3, 4, 2}).to(check::number_type());
}

const Register table(
    "cumulative.hpp",
    {{
         {"cumsum(Tensor,int,bool)",
          [] {
            both([](const In& x) { return square(cumsum(x[0], 1)); }, {spread({2, 4, 3})});
            both([](const In& x) { return square(cumsum(x[0], 0, true)); }, {spread({4})});
          }},
         {"cumprod(Tensor,int)",
          [] {
            both([](const In& x) { return cumprod(x[0], 1); }, {spread({2, 4, 3}, 0.5, 2)});
            both([](const In& x) { return square(cumprod(x[0], 1)); }, {zeros_within()});
          }},
         {"logcumsumexp(Tensor,int)",
          [] {
            both([](const In& x) { return logcumsumexp(x[0], 1); }, {spread({2, 4, 3}, -2, 2)});
            both([](const In& x) { return square(logcumsumexp(x[0], -1)); }, {spread({5}, -2, 2)});
          }},
         {"cummax(Tensor,int)",
          [] {
            both([](const In& x) { return square(cummax(x[0], 1).values); }, {spread({2, 5, 3})});
            both([](const In& x) { return square(cummax(x[0], -1).values); }, {spread({7})});
          }},
         {"cummin(Tensor,int)",
          [] {
            both([](const In& x) { return square(cummin(x[0], 1).values); }, {spread({2, 5, 3})});
          }},
         {"linear_recurrence(Tensor,Tensor,int,bool)",
          [] {
            both([](const In& x) { return square(linear_recurrence(x[0], x[1], 1)); }, {spread({2, 4, 3}), spread({2, 4, 3}, -2, 1)});
            both([](const In& x) { return square(linear_recurrence(x[0], x[1], 0, true)); }, {spread({4}), spread({4}, -2, 1)});
          }},
     },
     {}});

}  // namespace
