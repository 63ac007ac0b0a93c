#include "core/op_table.hpp"
#include "tenon/losses.hpp"

using namespace tenon;
using namespace op_table;

namespace {

const Shape kFull{2, 2, 3}, kLabels{2, 2};

Tensor labels() {
  return Tensor::from(std::vector<std::int64_t>{2, 0, 1, 2}, kLabels);
}

/// Of one shape, apart from each other by more than a difference's step: no kink of |x - t| is met.
void pair(const std::function<Tensor(const Tensor&, const Tensor&)>& f, double low = -1, double high = 1) {
  both([&](const In& x) { return f(x[0], x[1]); }, {spread(kFull, low, high), spread(kFull, low + 0.04, high + 0.05)});
}
void of_logits(const std::function<Tensor(const Tensor&)>& f) {
  both([&](const In& x) { return f(x[0]); }, {spread(kFull, -2, 2)});
}

const Register table(
    "losses.hpp",
    {{
         {"l1_loss(Tensor,Tensor,Reduction)", [] { pair([](auto& x, auto& t) { return square(l1_loss(x, t, Reduction::sum)); }); }},
         {"l2_loss(Tensor,Tensor,Reduction)", [] { pair([](auto& x, auto& t) { return l2_loss(x, t); }); }},
         {"huber_loss(Tensor,Tensor,double,Reduction)", [] { pair([](auto& x, auto& t) { return square(huber_loss(x, t, 0.03)); }); }},
         {"quantile_loss(Tensor,Tensor,vector<double>,Reduction)",
          [] {
            both(
                [](const In& x) {
                  return square(quantile_loss(x[0], x[1], {0.1, 0.5, 0.8}));
                },
                {spread(kFull), spread(kLabels, -0.93, 1.07)});
          }},
         {"relative_l2_loss(Tensor,Tensor,Reduction)",
          [] { pair([](auto& x, auto& t) { return relative_l2_loss(x, t, Reduction::none); }); }},
         {"relative_h1_loss(Tensor,Tensor,vector<double>,bool,Reduction)",
          [] {
            for (bool periodic : {false, true})
              both(
                  [=](const In& x) {
                    return relative_h1_loss(x[0], x[1], {0.5, 2}, periodic);
                  },
                  {spread({1, 3, 4, 1}), spread({1, 3, 4, 1}, -0.9, 1.2)});
          }},
         {"cross_entropy(Tensor,Tensor,CrossEntropyOptions)",
          [] {
            of_logits([](auto& z) { return cross_entropy(z, labels(), {.label_smoothing = 0.1}); });
            of_logits([](auto& z) {
              return cross_entropy(
                  z, labels(),
                  {.class_weights = Tensor::from(std::vector<double>{1, 2, 0.5}, {3}).to(check::number_type()), .ignore_index = 2, .reduction = Reduction::none});
            });
          }},
         {"focal_loss(Tensor,Tensor,double,Tensor,Reduction)", [] { of_logits([](auto& z) { return focal_loss(z, labels(), 1.5); }); }},
         {"bce_with_logits(Tensor,Tensor,Tensor,Reduction)",
          [] {
            both([](const In& x) { return bce_with_logits(x[0], x[1], Tensor::full({}, 1.7, check::number_type())); },
                 {spread(kFull, -2, 2), spread(kFull, 0.1, 0.9)});
          }},
         {"tversky_loss(Tensor,Tensor,OverlapOptions)",
          [] { of_logits([](auto& z) {
                 return tversky_loss(z, labels(), {0.3, 0.7, 1e-2, true});
               }); }},
         {"dice_loss(Tensor,Tensor,double,bool)", [] { of_logits([](auto& z) { return dice_loss(z, labels(), 0.1); }); }},
         {"poisson_nll(Tensor,Tensor,bool,Reduction)",
          [] { both([](const In& x) { return poisson_nll(x[0], Tensor::full(kFull, 2, check::number_type()), true); }, {spread(kFull)}); }},
         {"gaussian_nll(Tensor,Tensor,Tensor,bool,double,Reduction)",
          [] {
            both([](const In& x) { return gaussian_nll(x[0], x[1], x[2], true); },
                 {spread(kFull), spread({3}, 0.5, 2), spread(kFull, -0.8, 1.1)});
          }},
         {"student_t_nll(Tensor,Tensor,Tensor,Tensor,Reduction)",
          [] {
            both([](const In& x) { return student_t_nll(Tensor::full({}, 3.5, check::number_type()), x[0], x[1], x[2]); },
                 {spread(kFull), spread({3}, 0.5, 2), spread(kFull, -0.8, 1.1)});
            check::first_gradients(
                [](const In& x) { return student_t_nll(x[0], spread(kFull), Tensor::full({}, 1.2, check::number_type()), spread(kFull, -0.8, 1.1)); },
                {spread({3}, 1.5, 6)});
          }},
         {"crps_gaussian(Tensor,Tensor,Tensor,Reduction)",
          [] {
            both([](const In& x) { return crps_gaussian(x[0], x[1], x[2]); },
                 {spread(kFull), spread({3}, 0.5, 2), spread(kFull, -0.8, 1.1)});
          }},
         {"crps_ensemble(Tensor,Tensor,bool,Reduction)",
          [] {
            both([](const In& x) { return square(crps_ensemble(x[0], x[1], true)); }, {spread(kFull), spread(kLabels, -0.93, 1.07)});
          }},
         {"kl_divergence(Tensor,Tensor,Reduction)",
          [] { pair([](auto& z, auto& t) { return kl_divergence(log_softmax(z), softmax(t)); }); }},
     },
     {}});

}  // namespace
