/// The maths of the losses, shared by every executor.
///
/// Soft Dice of a sample and class with p = softmax(logits), t = 1 where the label is the class:
/// D = (2 I + s) / (P + T + s), I = sum p t, P = sum p, T = sum t (Milletari et al. 2016; nnU-Net's form), and
/// loss = cross entropy + 1 - mean of D over samples and the classes 1..K-1.
#pragma once

#include <cstdint>

#include "kernels/types.hpp"

namespace tenon {

struct DiceTerm {
  double intersection, denominator;
  TENON_HD double value() const { return intersection / denominator; }
};
TENON_HD inline DiceTerm dice_term(double i, double p, double t, double smooth) {
  return {2 * i + smooth, p + t + smooth};
}

/// d loss / d p of a voxel is t * on_target + always (softmax's gradient comes after).
template <class A>
struct DiceSlope {
  A on_target, always;
};
/// `count`: samples times foreground classes, over which the Dice terms are averaged.
template <class A>
TENON_HD inline DiceSlope<A> dice_slope(double i, double p, double t, double smooth, double count, double d_loss) {
  DiceTerm d = dice_term(i, p, t, smooth);
  double share = d_loss / (d.denominator * count);
  return {A(-2 * share), A(d.value() * share)};
}

}  // namespace tenon
