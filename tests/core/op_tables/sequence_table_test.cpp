// Rows of recurrent.hpp, attention.hpp, dropout.hpp, embedding.hpp, conv_codes.hpp and norms.hpp.
#include "core/op_table.hpp"
#include "tenon/attention.hpp"
#include "tenon/conv_codes.hpp"
#include "tenon/dropout.hpp"
#include "tenon/embedding.hpp"
#include "tenon/norms.hpp"
#include "tenon/recurrent.hpp"

using namespace tenon;
using namespace op_table;

namespace {

Tensor joined(const std::vector<Tensor>& outputs) {
  std::vector<Tensor> flat;
  for (const Tensor& t : outputs) flat.push_back(t.reshape({t.numel()}));
  return concat(flat, 0);
}

In lstm_inputs() {
  return {spread({3, 3, 2}),         spread({3, 2}), spread({3, 2}, -0.5, 0.7), spread({8, 2}),
          spread({8, 2}, -0.8, 0.9), spread({8}),    spread({8}, -0.3, 0.4)};
}
In gru_inputs() {
  return {spread({3, 3, 2}), spread({3, 2}), spread({6, 2}), spread({6, 2}, -0.8, 0.9), spread({6}), spread({6}, -0.3, 0.4)};
}
In cell(In inputs) {
  inputs[0] = inputs[0].select(1, 0).contiguous();
  return inputs;
}
Tensor lengths() {
  return Tensor::from(std::vector<std::int64_t>{3, 1, 2}, {3});
}

const Register recurrent(
    "recurrent.hpp",
    {{
         {"lstm(Tensor,Tensor,Tensor,Tensor,Tensor,Tensor,Tensor,RecurrentOptions)",
          [] {
            both([](const In& x) { return joined(lstm(x[0], x[1], x[2], x[3], x[4], x[5], x[6])); }, lstm_inputs());
            both(
                [](const In& x) {
                  return joined(lstm(x[0], x[1], x[2], x[3], x[4], x[5], x[6], {true, lengths()}));
                },
                lstm_inputs());
          }},
         {"gru(Tensor,Tensor,Tensor,Tensor,Tensor,Tensor,RecurrentOptions)",
          [] {
            both([](const In& x) { return joined(gru(x[0], x[1], x[2], x[3], x[4], x[5])); }, gru_inputs());
            both(
                [](const In& x) {
                  return joined(gru(x[0], x[1], x[2], x[3], x[4], x[5], {true, lengths()}));
                },
                gru_inputs());
          }},
         {"lstm_cell(Tensor,Tensor,Tensor,Tensor,Tensor,Tensor,Tensor)",
          [] { both([](const In& x) { return joined(lstm_cell(x[0], x[1], x[2], x[3], x[4], x[5], x[6])); }, cell(lstm_inputs())); }},
         {"gru_cell(Tensor,Tensor,Tensor,Tensor,Tensor,Tensor)",
          [] { both([](const In& x) { return gru_cell(x[0], x[1], x[2], x[3], x[4], x[5]); }, cell(gru_inputs())); }},
     },
     {}});

const Register attention(
    "attention.hpp",
    {{
         {"scaled_dot_product_attention(Tensor,Tensor,Tensor,AttentionOptions)",
          [] {
            const In x{spread({1, 3, 2, 2}), spread({1, 4, 2, 2}), spread({1, 4, 2, 3})};
            both([](const In& v) { return scaled_dot_product_attention(v[0], v[1], v[2]); }, x);
            both(
                [](const In& v) {
                  return scaled_dot_product_attention(v[0], v[1], v[2], {.mask = check::made(3, {2, 1, 4}), .causal = true, .scale = 0.6});
                },
                x);
            both([](const In& v) { return scaled_dot_product_attention(v[0], v[1], v[2], {.mask = v[3]}); }, {x[0], x[1], x[2], spread({2, 1, 4}, -1, 1.2)});
          }},
         {"self_attention(Tensor,AttentionOptions)",
          [] {
            both([](const In& v) { return self_attention(v[0], {.mask = v[1]}); }, {spread({2, 3, 3, 1, 2}), spread({3, 3}, -1, 1.2)});
            both([](const In& v) { return self_attention(v[0], {.causal = true}); }, {spread({2, 3, 3, 1, 2})});
          }},
     },
     {}});

const Register dropping("dropout.hpp",
                        {{
                             {"dropout(Tensor,double,Tensor,uint64_t)",
                              [] {
                                both([](const In& x) { return square(dropout(x[0], 0.4, random_key(5, x[0].device()), 3)); }, {spread({4, 5})});
                              }},
                         },
                         {"random_key(uint64_t,Device)"}});

const Register rows("embedding.hpp", {{
                                          {"embedding(Tensor,Tensor,int64_t)",
                                           [] {
                                             const Tensor index = Tensor::from(std::vector<std::int64_t>{3, 0, 3, 1}, {2, 2});
                                             both([=](const In& x) { return square(embedding(x[0], index)); }, {spread({4, 3})});
                                           }},
                                      },
                                      {"sinusoidal_positions(int64_t,int64_t,double)"}});

const Register letters("conv_codes.hpp", {{
                                             {"conv_codes(Tensor,Tensor,Tensor,int64_t)",
                                              [] {
                                                const Tensor codes = Tensor::from(std::vector<std::uint8_t>{0, 3, 4, 1, 2, 2, 0, 1, 3, 9}, {2, 5});
                                                both([=](const In& x) { return square(conv_codes(codes, x[0], x[1], 1)); },
                                                     {spread({2, 3, 4}), spread({2})});
                                                both([=](const In& x) { return square(conv_codes(codes, x[0])); }, {spread({2, 3, 4})});
                                              }},
                                         },
                                         {}});

const Register norms("norms.hpp",
                     {{
                          {"rms_norm(Tensor,Tensor,double)",
                           [] {
                             both([](const In& x) { return rms_norm(x[0], x[1], 1e-2); }, {check::made(1, {2, 3, 5}), spread({5}, 0.5, 2)});
                           }},
                      },
                      {}});

}  // namespace
