// Rows of feed_forward.hpp.
#include "core/op_table.hpp"
#include "tenon/feed_forward.hpp"

using namespace tenon;
using namespace op_table;

namespace {

/// Inputs of the block: x [..., 4], 5 features between, 3 out.
In inputs(Shape x) {
  x.push_back(4);
  return {spread(x, -1, 1.1), spread({5, 4}, -0.8, 0.9), spread({5}, -0.3, 0.4), spread({3, 5}, -0.7, 0.9), spread({3}, -0.5, 0.4)};
}

const Register table("feed_forward.hpp",
                     {{{"feed_forward(Tensor,Tensor,Tensor,Tensor,Tensor,FeedForwardActivation)",
                        [] {
                          for (const auto activation : {FeedForwardActivation::gelu_tanh, FeedForwardActivation::gelu, FeedForwardActivation::relu}) {
                            auto f = [=](const In& x) { return feed_forward(x[0], x[1], x[2], x[3], x[4], activation); };
                            check::first_gradients(f, inputs({2, 3}));
                            both(f, inputs({}));
                            both([=](const In& x) { return feed_forward(x[0], x[1], {}, x[3], {}, activation) * sum(x[2]) + sum(x[4]); }, inputs({3}));
                          }
                        }}},
                      {}});

}  // namespace
