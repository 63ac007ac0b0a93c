/// One hidden unit of a recurrent cell at one step, forward and backward; see ops/recurrent_kernels.hpp for the layout.
/// Pointers, all apart, as the rows of the CPU have them: so compilers vectorise those loops as if the maths stood there.
#pragma once

#include "kernels/activation.hpp"

namespace tenon {

/// gates: sums in, activations out. Hochreiter & Schmidhuber 1997 with forget gates (Gers et al. 2000).
template <class A>
TENON_MATHS void lstm_unit(A* __restrict gi, A* __restrict gf, A* __restrict gg, A* __restrict go, const A* __restrict before,
                           A* __restrict c, A* __restrict h) {
  const A i = sigmoid_fast(*gi), f = sigmoid_fast(*gf), g = tanh_fast(*gg), o = sigmoid_fast(*go);
  const A cell = f * *before + i * g;
  *gi = i, *gf = f, *gg = g, *go = o;
  *c = cell;
  *h = o * tanh_fast(cell);
}

/// gates: activations in, gradients of their sums out; dh is complete, dc goes from this step's to the one before's.
template <class A>
TENON_MATHS void lstm_unit_gradient(A* __restrict gi, A* __restrict gf, A* __restrict gg, A* __restrict go, const A* __restrict before,
                                    const A* __restrict c, const A* __restrict dy, const A* __restrict dh, A* __restrict dc) {
  const A i = *gi, f = *gf, g = *gg, o = *go, t = tanh_fast(*c), d = *dh + *dy;
  const A cell = *dc + d * o * (A(1) - t * t);
  *gi = cell * g * i * (A(1) - i);
  *gf = cell * *before * f * (A(1) - f);
  *gg = cell * i * (A(1) - g * g);
  *go = d * t * o * (A(1) - o);
  *dc = cell * f;
}

/// r, z, n: the input's share in, activations out; hr, hz, hn: the state's share with its bias; kept gets hn. Cho et al. 2014.
template <class A>
TENON_MATHS void gru_unit(A* __restrict r, A* __restrict z, A* __restrict n, const A* __restrict hr, const A* __restrict hz,
                          const A* __restrict hn, const A* __restrict before, A* __restrict kept, A* __restrict h) {
  const A reset = sigmoid_fast(*r + *hr), update = sigmoid_fast(*z + *hz), fresh = tanh_fast(*n + reset * *hn);
  *r = reset, *z = update, *n = fresh;
  *kept = *hn;
  *h = fresh + update * (*before - fresh);
}

/// r, z, n and kept: values in, gradients of their sums out; dh goes from this step's to the share of the one before's past the gates.
template <class A>
TENON_MATHS void gru_unit_gradient(A* __restrict r, A* __restrict z, A* __restrict n, A* __restrict kept, const A* __restrict before,
                                   const A* __restrict dy, A* __restrict dh) {
  const A reset = *r, update = *z, fresh = *n, d = *dh + *dy;
  const A d_new = d * (A(1) - update) * (A(1) - fresh * fresh);
  *r = d_new * *kept * reset * (A(1) - reset);
  *z = d * (*before - fresh) * update * (A(1) - update);
  *n = d_new;
  *kept = d_new * reset;
  *dh = d * update;
}

}  // namespace tenon
