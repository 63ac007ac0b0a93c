// Rows of a recurrent cell; see kernels/recurrent.hpp for the maths, ops/recurrent_kernels.hpp for the layout.
#include "kernels/isa.hpp"
#include "kernels/recurrent.hpp"

namespace tenon::TENON_ISA {

template <class A>
[[gnu::noinline]] void lstm_row(std::int64_t H, A* __restrict gi, A* __restrict gf, A* __restrict gg, A* __restrict go,
                                const A* __restrict before, A* __restrict c, A* __restrict h) {
  for (std::int64_t j = 0; j < H; ++j) lstm_unit(gi + j, gf + j, gg + j, go + j, before + j, c + j, h + j);
}

template <class A>
[[gnu::noinline]] void lstm_row_gradient(std::int64_t H, A* __restrict gi, A* __restrict gf, A* __restrict gg, A* __restrict go,
                                         const A* __restrict before, const A* __restrict c, const A* __restrict dy, const A* __restrict dh,
                                         A* __restrict dc) {
  for (std::int64_t j = 0; j < H; ++j) lstm_unit_gradient(gi + j, gf + j, gg + j, go + j, before + j, c + j, dy + j, dh + j, dc + j);
}

template <class A>
[[gnu::noinline]] void gru_row(std::int64_t H, A* __restrict r, A* __restrict z, A* __restrict n, const A* __restrict hr,
                               const A* __restrict hz, const A* __restrict hn, const A* __restrict before, A* __restrict kept,
                               A* __restrict h) {
  for (std::int64_t j = 0; j < H; ++j) gru_unit(r + j, z + j, n + j, hr + j, hz + j, hn + j, before + j, kept + j, h + j);
}

template <class A>
[[gnu::noinline]] void gru_row_gradient(std::int64_t H, A* __restrict r, A* __restrict z, A* __restrict n, A* __restrict kept,
                                        const A* __restrict before, const A* __restrict dy, A* __restrict dh) {
  for (std::int64_t j = 0; j < H; ++j) gru_unit_gradient(r + j, z + j, n + j, kept + j, before + j, dy + j, dh + j);
}

}  // namespace tenon::TENON_ISA
