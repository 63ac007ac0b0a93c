/// Losses, built from differentiable ops: every one can be differentiated twice. (ops.hpp has the fused ones: mse_loss, cross_entropy,
/// dice_cross_entropy.)
///
/// Computed in f32 (f64 for f64). `mean` and `sum` give scalars, `none` one value an element (or sample, where said). Shapes that do not
/// fit throw a usage error that begins with the loss's name.
#pragma once

#include <cstdint>
#include <vector>

#include "tenon/tensor.hpp"

namespace tenon {

enum class Reduction { mean, sum, none };

// ---- regression: x and target of one shape ---------------------------------------------------------------------
TENON_API Tensor l1_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::mean);
TENON_API Tensor l2_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::mean);  ///< (x - target)^2
/// e^2 / 2 where |e| <= delta, else delta (|e| - delta / 2). Huber 1964.
TENON_API Tensor huber_loss(const Tensor& x, const Tensor& target, double delta = 1, Reduction reduction = Reduction::mean);
/// x [..., Q], target [...]: q e where e = target - x >= 0, else (q - 1) e, for each of the Q quantiles in (0, 1).
TENON_API Tensor quantile_loss(const Tensor& x, const Tensor& target, const std::vector<double>& quantiles, Reduction reduction = Reduction::mean);
/// ||x - target|| / ||target|| a sample [N, ...]; `none` gives [N].
TENON_API Tensor relative_l2_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::mean);
/// The same with the squares of the first derivatives added in: x [N, spatial..., C]; `spacing` one value a spatial axis (empty: 1).
/// Central differences; one-sided at the ends, or around where `periodic`.
TENON_API Tensor relative_h1_loss(const Tensor& x, const Tensor& target, const std::vector<double>& spacing = {}, bool periodic = false,
                                  Reduction reduction = Reduction::mean);

// ---- classification: logits [..., K], labels [...] of an integer type -------------------------------------------
struct CrossEntropyOptions {
  Tensor class_weights = {};          ///< [K], or undefined: 1. The mean divides by the sum of the labels' weights
  std::int64_t ignore_index = -100;   ///< labels of this value do not count
  double label_smoothing = 0;         ///< share of the truth that is spread over all classes
  Reduction reduction = Reduction::mean;
};
/// As PyTorch's. In all of these a label outside of 0 .. K - 1 is a data error, loss.label_range; only here may labels stand for "no truth",
/// those equal to `ignore_index` (the two-argument form of ops.hpp knows none). On a device the error is thrown at the next copy to the host.
TENON_API Tensor cross_entropy(const Tensor& logits, const Tensor& labels, const CrossEntropyOptions& options);
/// -w (1 - p)^gamma log p of the label's class. Lin et al. 2017. `alpha` [K] or undefined: 1.
TENON_API Tensor focal_loss(const Tensor& logits, const Tensor& labels, double gamma = 2, const Tensor& alpha = {}, Reduction reduction = Reduction::mean);
/// Targets in [0, 1], logits of the same shape; `positive_weight` (broadcast) multiplies the terms of target 1.
TENON_API Tensor bce_with_logits(const Tensor& logits, const Tensor& target, const Tensor& positive_weight = {}, Reduction reduction = Reduction::mean);

struct OverlapOptions {
  double alpha = 0.5, beta = 0.5;  ///< weight of false positives and false negatives; 1/2 each is Dice
  double smooth = 1e-5;
  bool background = false;         ///< whether class 0 counts
};
/// 1 - (TP + smooth) / (TP + alpha FP + beta FN + smooth), soft, mean over samples and classes. Salehi et al. 2017.
/// logits [N, spatial..., K], labels [N, spatial...].
TENON_API Tensor tversky_loss(const Tensor& logits, const Tensor& labels, const OverlapOptions& options = {});
TENON_API Tensor dice_loss(const Tensor& logits, const Tensor& labels, double smooth = 1e-5, bool background = false);

// ---- distributions: negative log likelihoods and scores; parameters broadcast against the target ----------------
/// exp(log_rate) - target log_rate; `full` adds log(target!).
TENON_API Tensor poisson_nll(const Tensor& log_rate, const Tensor& target, bool full = false, Reduction reduction = Reduction::mean);
/// (log variance + (target - mean)^2 / variance) / 2, the variance no less than eps; `full` adds log(2 pi) / 2.
TENON_API Tensor gaussian_nll(const Tensor& mean, const Tensor& variance, const Tensor& target, bool full = false, double eps = 1e-6,
                              Reduction reduction = Reduction::mean);
/// Student's t with `degrees` of freedom, location and scale. First-order gradient only with respect to the degrees.
TENON_API Tensor student_t_nll(const Tensor& degrees, const Tensor& location, const Tensor& scale, const Tensor& target,
                               Reduction reduction = Reduction::mean);
/// Continuous ranked probability score of a normal distribution, in the target's unit. Gneiting et al. 2005.
TENON_API Tensor crps_gaussian(const Tensor& mean, const Tensor& deviation, const Tensor& target, Reduction reduction = Reduction::mean);
/// The same of an ensemble: members [..., M], target [...]: mean |x_i - y| - sum |x_i - x_j| / (2 M^2), or, `fair`, / (2 M (M - 1)).
TENON_API Tensor crps_ensemble(const Tensor& members, const Tensor& target, bool fair = false, Reduction reduction = Reduction::mean);
/// target (log target - log_input), 0 where the target is 0: Kullback-Leibler divergence of an input given as log probabilities [..., K].
/// `mean` is over all but the last axis (PyTorch's "batchmean").
TENON_API Tensor kl_divergence(const Tensor& log_input, const Tensor& target, Reduction reduction = Reduction::mean);

}  // namespace tenon
