#include "core/op_table.hpp"
#include "tenon/ordering.hpp"

using namespace tenon;
using namespace op_table;

namespace {

Tensor classes() {
  return Tensor::from(std::vector<std::int64_t>{2, 0, 2, 1, 2, 0}, {2, 3});
}

const Register table("ordering.hpp",
                     {{
                          {"sort(Tensor,int,bool)",
                           [] {
                             both([](const In& x) { return square(sort(x[0], 1).values); }, {spread({2, 5, 3})});
                             both([](const In& x) { return square(sort(x[0], -1, true).values); }, {spread({3, 4})});
                           }},
                          {"topk(Tensor,int64_t,int,bool)",
                           [] {
                             both([](const In& x) { return square(topk(x[0], 2, 1).values); }, {spread({2, 5, 3})});
                             both([](const In& x) { return square(topk(x[0], 3, -1, false).values); }, {spread({3, 4})});
                           }},
                          {"bincount(Tensor,int64_t,Tensor)",
                           [] {
                             both([](const In& x) { return square(bincount(classes(), 4, x[0])); }, {spread({2, 3})});
                           }},
                          {"quantile(Tensor,double,int,bool)",
                           [] {
                             both([](const In& x) { return square(quantile(x[0], 0.3, 1)); }, {spread({2, 5, 3})});
                           }},
                          {"quantile(Tensor,vector<double>,int,bool)",
                           [] {
                             both([](const In& x) { return square(quantile(x[0], {0.0, 0.8}, 0, true)); }, {spread({7, 2})});
                           }},
                          {"median(Tensor,int,bool)",
                           [] {
                             both([](const In& x) { return square(median(x[0], -1)); }, {spread({2, 6})});
                           }},
                      },
                      {"argsort(Tensor,int,bool)", "searchsorted(Tensor,Tensor,bool)", "unique(Tensor)"}});

}  // namespace
