// Sliding windows: cut, summed, and classes of resized scores; the device's bits are the CPU's.
#include "core/ops/gradient_check.hpp"
#include "cuda/cases.hpp"
#include "tenon/windows.hpp"

using namespace tenon;
using namespace under_test;
using check::made;

namespace {

const std::vector<WindowPlace> kPlaces{{{0, 0, 0}}, {{-2, 1, 3}}, {{3, 4, 5}, {2}}, {{-3, -1, -2}, {0, 1}}, {{1, 2, 6}, {0, 1, 2}}, {{9, 0, 0}}};

void cuts() {
  for (const DType type : {DType::f32, DType::u8, DType::bf16, DType::f64, DType::c128})
    for (const std::int64_t channels : {1, 3}) {
      const Tensor x = made(1, {6, 7, 9, channels}).to(type);
      for (const auto& place : kPlaces) {
        const Tensor window = Tensor::empty({4, 5, 6, channels}, type);
        cut_window(x, place, window);
        note("window", window);
      }
    }
  const Tensor line = made(2, {1000, 2}).to(DType::f32), window = Tensor::empty({640, 2});
  cut_window(line, {{700}, {0}}, window);
  note("line", window);
}

void means() {
  for (const std::int64_t channels : {1, 2, 5})
    for (const bool weighted : {false, true}) {
      const Tensor weights = check::spread({4, 5, 6}, 0.5, 2).to(DType::f32);
      WindowSum sum({6, 7, 9}, channels, default_device());
      sum.add(made(0, {6, 7, 9, channels}).to(DType::f32), {{0, 0, 0}});
      int k = 1;
      for (const auto& place : kPlaces) sum.add(made(k++, {4, 5, 6, channels}).to(DType::f32), place, weighted ? weights : Tensor());
      note("mean", sum.mean());
    }
}

const Register classes(std::map<std::string, Case>{
    {"windows.hpp: resize_argmax(Tensor,vector<int64_t>,vector<ResizeMode>)",
     [] {
       for (const std::int64_t count : {1, 2, 7, 40}) {
         const Tensor scores = made(3, {4, 5, 6, count}).to(DType::f32);
         for (const std::vector<std::int64_t>& size : std::vector<std::vector<std::int64_t>>{{4, 5, 6}, {7, 10, 13}, {3, 2, 19}, {1, 1, 1}})
           note("linear", resize_argmax(scores, size));
         note("mixed", resize_argmax(scores, {9, 9, 9}, {ResizeMode::nearest, ResizeMode::linear, ResizeMode::nearest}));
       }
       note("ties", resize_argmax(Tensor::zeros({3, 4, 5}), {6, 9}));
       note("line", resize_argmax(made(4, {300, 3}).to(DType::f32), {777}));
     }},
});
const Register cases(std::vector<Extra>{{"windows cut", cuts, {DType::f32}}, {"means of windows", means, {DType::f32}}});

}  // namespace
