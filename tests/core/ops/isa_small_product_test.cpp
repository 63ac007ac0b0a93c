/// Small products of every instruction set that this CPU has, against plain sums: all tile heights, tails, strides.
#include <catch2/catch.hpp>
#include <vector>

#include "core/ops/gradient_check.hpp"

#define TENON_ISA_FILE "backend/cpu/simd/small_product.inl"
#include "kernels/foreach_isa.hpp"

using namespace tenon;

namespace {

struct Loops {
  std::int64_t panel;
  decltype(&isa_base::pack_panels<float>) pack;
  decltype(&isa_base::small_product<float>) run;
};

std::vector<Loops> available() {
  std::vector<Loops> all{{isa_base::kPanelColumns<float>, isa_base::pack_panels<float>, isa_base::small_product<float>}};
#if defined(__x86_64__)
  if (isa_level() >= 1) all.push_back({isa_avx2::kPanelColumns<float>, isa_avx2::pack_panels<float>, isa_avx2::small_product<float>});
  if (isa_level() >= 2) all.push_back({isa_avx512::kPanelColumns<float>, isa_avx512::pack_panels<float>, isa_avx512::small_product<float>});
#endif
  return all;
}

}  // namespace

TEST_CASE("small products of every instruction set", "[matmul][isa]") {
  for (std::int64_t rows : {1, 2, 3, 4, 5, 6, 7, 13})
    for (std::int64_t columns : {1, 16, 33})
      for (bool turned : {false, true}) {
        const std::int64_t depth = 9;
        std::vector<float> a(std::size_t(rows * depth)), b(std::size_t(depth * columns)), start(std::size_t(rows * columns));
        for (std::size_t i = 0; i < a.size(); ++i) a[i] = float(std::sin(1.7 * double(i)));
        for (std::size_t i = 0; i < b.size(); ++i) b[i] = float(std::cos(0.9 * double(i)));
        for (std::size_t i = 0; i < start.size(); ++i) start[i] = float(i % 5);
        // turned: both operands lie the other way round in memory
        const std::int64_t a_row = turned ? 1 : depth, a_depth = turned ? rows : 1, b_depth = turned ? 1 : columns,
                           b_column = turned ? depth : 1;
        for (const Loops& loops : available())
          for (bool add : {false, true}) {
            INFO(rows << " x " << columns << ", panel " << loops.panel << (turned ? ", turned" : "") << (add ? ", added" : ""));
            std::vector<float> packed(std::size_t((columns + loops.panel - 1) / loops.panel * loops.panel * depth), -1), c = start;
            loops.pack(b.data(), b_depth, b_column, depth, columns, 0.5f, packed.data());
            loops.run({rows, columns, depth, a_row, a_depth, columns, add}, a.data(), packed.data(), c.data());
            for (std::int64_t i = 0; i < rows; ++i)
              for (std::int64_t j = 0; j < columns; ++j) {
                double sum = add ? double(start[std::size_t(i * columns + j)]) : 0;
                for (std::int64_t k = 0; k < depth; ++k)
                  sum += 0.5 * double(a[std::size_t(i * a_row + k * a_depth)]) * double(b[std::size_t(k * b_depth + j * b_column)]);
                REQUIRE(std::abs(double(c[std::size_t(i * columns + j)]) - sum) < 1e-5);
              }
          }
      }
}
