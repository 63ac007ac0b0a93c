// One row of a recurrent cell, forward and backward; see kernels/activation.hpp for the functions, ops/recurrent_kernels.hpp for the
// layout.
#include "kernels/activation.hpp"
#include "kernels/isa.hpp"

namespace tenon::TENON_ISA {

/// gates: sums in, activations out. Hochreiter & Schmidhuber 1997 with forget gates (Gers et al. 2000).
template <class A>
[[gnu::noinline]] void lstm_row(std::int64_t H, A* __restrict gi, A* __restrict gf, A* __restrict gg, A* __restrict go,
                                const A* __restrict before, A* __restrict c, A* __restrict h) {
  for (std::int64_t j = 0; j < H; ++j) {
    const A i = sigmoid_fast(gi[j]), f = sigmoid_fast(gf[j]), g = tanh_fast(gg[j]), o = sigmoid_fast(go[j]);
    const A cell = f * before[j] + i * g;
    gi[j] = i, gf[j] = f, gg[j] = g, go[j] = o;
    c[j] = cell;
    h[j] = o * tanh_fast(cell);
  }
}

/// gates: activations in, gradients of their sums out; dh is complete, dc goes from this step's to the one before's.
template <class A>
[[gnu::noinline]] void lstm_row_gradient(std::int64_t H, A* __restrict gi, A* __restrict gf, A* __restrict gg, A* __restrict go,
                                         const A* __restrict before, const A* __restrict c, const A* __restrict dy, const A* __restrict dh,
                                         A* __restrict dc) {
  for (std::int64_t j = 0; j < H; ++j) {
    const A i = gi[j], f = gf[j], g = gg[j], o = go[j], t = tanh_fast(c[j]), d = dh[j] + dy[j];
    const A cell = dc[j] + d * o * (A(1) - t * t);
    gi[j] = cell * g * i * (A(1) - i);
    gf[j] = cell * before[j] * f * (A(1) - f);
    gg[j] = cell * i * (A(1) - g * g);
    go[j] = d * t * o * (A(1) - o);
    dc[j] = cell * f;
  }
}

/// r, z, n: the input's share in, activations out; hr, hz, hn: the state's share with its bias; kept gets hn. Cho et al. 2014.
template <class A>
[[gnu::noinline]] void gru_row(std::int64_t H, A* __restrict r, A* __restrict z, A* __restrict n, const A* __restrict hr,
                               const A* __restrict hz, const A* __restrict hn, const A* __restrict before, A* __restrict kept,
                               A* __restrict h) {
  for (std::int64_t j = 0; j < H; ++j) {
    const A reset = sigmoid_fast(r[j] + hr[j]), update = sigmoid_fast(z[j] + hz[j]), fresh = tanh_fast(n[j] + reset * hn[j]);
    r[j] = reset, z[j] = update, n[j] = fresh;
    kept[j] = hn[j];
    h[j] = fresh + update * (before[j] - fresh);
  }
}

/// r, z, n and kept: values in, gradients of their sums out; dh goes from this step's to the share of the one before's past the gates.
template <class A>
[[gnu::noinline]] void gru_row_gradient(std::int64_t H, A* __restrict r, A* __restrict z, A* __restrict n, A* __restrict kept,
                                        const A* __restrict before, const A* __restrict dy, A* __restrict dh) {
  for (std::int64_t j = 0; j < H; ++j) {
    const A reset = r[j], update = z[j], fresh = n[j], d = dh[j] + dy[j];
    const A d_new = d * (A(1) - update) * (A(1) - fresh * fresh);
    r[j] = d_new * kept[j] * reset * (A(1) - reset);
    z[j] = d * (before[j] - fresh) * update * (A(1) - update);
    n[j] = d_new;
    kept[j] = d_new * reset;
    dh[j] = d * update;
  }
}

}  // namespace tenon::TENON_ISA
