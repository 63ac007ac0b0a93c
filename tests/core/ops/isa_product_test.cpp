/// The product loops of every instruction set that this CPU has, against loops over the definition.
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#define TENON_ISA_FILE "backend/cpu/simd/dense_product.inl"
#include "kernels/foreach_isa.hpp"

using namespace tenon;
using tenon::cpu::DenseProduct;
using tenon::cpu::Store;

namespace {

template <class T>
struct Loops {
  decltype(&isa_base::product_in_place<T>) in_place;
  decltype(&isa_base::product_dots<T>) dots;
  decltype(&isa_base::product_packed<T>) packed;
  decltype(&isa_base::product_many<T>) many;
};

template <class T>
std::vector<Loops<T>> available() {
  std::vector<Loops<T>> all{
      {isa_base::product_in_place<T>, isa_base::product_dots<T>, isa_base::product_packed<T>, isa_base::product_many<T>}};
#if defined(__x86_64__)
  if (isa_level() >= 1)
    all.push_back({isa_avx2::product_in_place<T>, isa_avx2::product_dots<T>, isa_avx2::product_packed<T>, isa_avx2::product_many<T>});
  if (isa_level() >= 2)
    all.push_back(
        {isa_avx512::product_in_place<T>, isa_avx512::product_dots<T>, isa_avx512::product_packed<T>, isa_avx512::product_many<T>});
#endif
  return all;
}

/// Values that are multiples of 1/8 below 1 in size: every sum here is exact, in any order, in f32 too.
template <class T>
std::vector<T> eighths(std::int64_t n, unsigned seed) {
  std::vector<T> v;
  for (std::int64_t i = 0; i < n; ++i) {
    seed = seed * 1664525u + 1013904223u;
    v.push_back(T(int(seed >> 28) - 8) / 8);
  }
  return v;
}

template <class T>
void products() {
  for (auto [m, n, k] : {std::array<std::int64_t, 3>{1, 1, 1},
                         {1, 67, 5},
                         {1, 333, 107},
                         {5, 3, 70},
                         {13, 40, 9},
                         {8, 8, 8},
                         {29, 17, 33},
                         {140, 530, 200},
                         {7, 64, 400}})
    for (bool a_turned : {false, true})
      for (bool b_turned : {false, true})
        for (Store store : {Store::set, Store::add, Store::subtract}) {
          INFO(m << " x " << k << " x " << n << (a_turned ? ", a transposed" : "") << (b_turned ? ", b transposed" : "") << ", store "
                 << int(store));
          const std::int64_t c_row = n + 3;
          const auto a = eighths<T>(m * k, 1), b = eighths<T>(k * n, 2), before = eighths<T>(m * c_row, 3);
          const DenseProduct g{m, n, k, a_turned ? 1 : k, a_turned ? m : 1, b_turned ? 1 : n, b_turned ? k : 1, c_row};
          std::vector<T> expected = before;
          for (std::int64_t i = 0; i < m; ++i)
            for (std::int64_t j = 0; j < n; ++j) {
              T sum = 0, &to = expected[std::size_t(i * c_row + j)];
              for (std::int64_t p = 0; p < k; ++p)
                sum += a[std::size_t(i * g.a_row + p * g.a_col)] * b[std::size_t(p * g.b_row + j * g.b_col)];
              to = store == Store::set ? sum : store == Store::add ? to + sum : to - sum;
            }
          for (const Loops<T>& loops : available<T>()) {
            std::vector<T> c = before, pack_a(cpu::kPackedA), pack_b(cpu::kPackedB);
            loops.packed(g, a.data(), b.data(), c.data(), store, pack_a.data(), pack_b.data());
            REQUIRE(c == expected);
            if (!b_turned) {
              c = before;
              loops.in_place(g, a.data(), b.data(), c.data(), store);
              REQUIRE(c == expected);
            }
            if (b_turned && !a_turned) {
              c = before;
              loops.dots(g, a.data(), b.data(), c.data(), store);
              REQUIRE(c == expected);
            }
          }
        }
}

template <class T>
void many_products() {
  for (auto [m, n, k] : {std::array<std::int64_t, 3>{1, 1, 1}, {4, 4, 4}, {1, 11, 9}, {7, 13, 32}, {32, 16, 5}, {6, 3, 10}})
    for (bool a_turned : {false, true})
      for (bool b_turned : {false, true}) {
        INFO(m << " x " << k << " x " << n << (a_turned ? ", a transposed" : "") << (b_turned ? ", b transposed" : ""));
        const std::vector<std::int64_t> a_offset{0, m * k + 1, 0}, b_offset{2, 2, n * k + 5};
        const auto a = eighths<T>(2 * m * k + 1, 1), b = eighths<T>(2 * k * n + 5, 2);
        const DenseProduct g{m, n, k, a_turned ? 1 : k, a_turned ? m : 1, b_turned ? 1 : n, b_turned ? k : 1, n};
        std::vector<T> expected;
        for (std::size_t i = 0; i < 3; ++i)
          for (std::int64_t at = 0; at < m * n; ++at) {
            T sum = 0;
            for (std::int64_t p = 0; p < k; ++p)
              sum += a[std::size_t(a_offset[i] + at / n * g.a_row + p * g.a_col)] *
                     b[std::size_t(b_offset[i] + p * g.b_row + at % n * g.b_col)];
            expected.push_back(sum);
          }
        for (const Loops<T>& loops : available<T>()) {
          std::vector<T> c(expected.size(), T(9));
          loops.many(g, 3, a.data(), a_offset.data(), b.data(), b_offset.data(), c.data());
          REQUIRE(c == expected);
        }
      }
}

}  // namespace

TEST_CASE("every instruction set multiplies exactly", "[matmul][isa]") {
  products<float>();
  products<double>();
  many_products<float>();
  many_products<double>();
}
