// The hot kernels at shapes that cross the bounds of vectors, warps, blocks and grids.
#include <array>
#include <limits>

#include "core/ops/gradient_check.hpp"
#include "cuda/cases.hpp"
#include "ops/matmul_kernels.hpp"
#include "tenon/complex.hpp"
#include "tenon/cumulative.hpp"
#include "tenon/conv_codes.hpp"
#include "tenon/dropout.hpp"
#include "tenon/einsum.hpp"
#include "tenon/embedding.hpp"
#include "tenon/fft.hpp"
#include "tenon/indexing.hpp"
#include "tenon/normalisation.hpp"
#include "tenon/norms.hpp"
#include "tenon/ops.hpp"
#include "tenon/pooling.hpp"
#include "tenon/resizing.hpp"
#include "tenon/spectral.hpp"

using namespace tenon;
using namespace under_test;
using check::made;
using check::spread;
using In = std::vector<Tensor>;

namespace {

const std::vector<DType> kNarrow{DType::f32, DType::bf16}, kAll{DType::f64, DType::f32, DType::bf16}, kExact{DType::f64, DType::f32};
const std::int64_t kLengths[] = {1, 2, 3, 4, 7, 8, 9, 31, 32, 33, 63, 65, 127, 128, 129, 255, 256, 257, 1000, 1025, 4099};

void first(const check::Function& f, const In& inputs) {
  check::first_gradients(f, inputs);
}
Tensor labels(const Shape& shape, std::int64_t classes, DType type = DType::i64) {
  std::vector<std::int64_t> v;
  for (std::int64_t i = 0; i < shape.numel(); ++i) v.push_back((i * 5 + i / 3) % classes);
  return Tensor::from(v, shape).to(type);
}

void elementwise() {
  auto f = [](const In& x) { return gelu(x[0]) * x[1] + x[0]; };
  for (std::int64_t n : kLengths) first(f, {spread({n}), spread({n}, -2, 1)});
  first(f, {spread({33, 1, 65}), spread({17, 1})});
  first(f, {spread({5, 7, 64}), spread({64})});
  first(f, {spread({5, 7, 64}), spread({5, 1, 1})});
  first(f, {spread({3, 1, 5, 1, 7}), spread({1, 4, 1, 6, 1})});
  for (std::int64_t from : {1, 3}) {  // parts that no vector load may take
    first([=](const In& x) { return exp(x[0].narrow(0, from, 1021)) * x[1].narrow(0, 2, 1021); }, {spread({1030}), spread({1030})});
    first([=](const In& x) { return x[0].narrow(1, from, 29) * x[1]; }, {spread({33, 40}), spread({33, 29})});
  }
  first([](const In& x) { return x[0].transpose(0, 1) * x[1]; }, {spread({65, 33}), spread({33, 65})});
  first([](const In& x) { return where(less(x[0], x[1]), x[0], x[1]); }, {spread({7, 1, 129}), spread({5, 1})});
}

void dropouts() {
  const Tensor key = random_key(5, default_device());
  for (std::int64_t n : {1, 6, 1023}) {
    first([=](const In& x) { return dropout(x[0], 0.4, key, 3); }, {spread({n})});
    first([=](const In& x) { return dropout(x[0].narrow(0, 1, n), 0.4, key, 3); }, {spread({n + 1})});
  }
}

void sums() {
  const Tensor x = spread({7, 33, 65}), y = made(1, {2, 20, 28, 20, 16});
  for (std::vector<int> axes : std::vector<std::vector<int>>{{0}, {1}, {2}, {0, 1}, {1, 2}, {0, 2}, {}})
    for (auto f : {sum, mean}) first([=](const In& v) { return square(f(v[0], axes, false)); }, {x});
  for (std::vector<int> axes : std::vector<std::vector<int>>{{0}, {4}, {1, 2, 3}, {0, 1, 2, 3}, {}}) note("sum", sum(y, axes));
  for (std::int64_t n : kLengths) {
    note("a row", sum(made(2, {n})));
    note("rows", sum(made(2, {5, n}), {1}));
    note("columns", sum(made(2, {n, 5}), {0}));
    note("many columns", mean(made(2, {3, n}), {0}));
  }
  note("a long row", sum(made(2, {100003})));
  for (std::int64_t n : {1, 3, 19, 31, 140}) note("rows by tiles", sum(made(2, {300, n}), {1}));
  note("rows from an odd place on", sum(made(2, {301, 19}).narrow(0, 1, 300), {1}));
  for (std::int64_t n : {3, 8}) note("columns of many small matrices", sum(made(2, {330, 5, n}), {1}));
  for (int axis : {0, 1, 2}) first([=](const In& v) { return max(v[0], axis); }, {x});
}

void channel_norms(std::int64_t channels, const Shape& spatial) {
  Shape shape = spatial;
  shape.push_back(channels);
  const Tensor scale = spread({channels}, 0.5, 2), shift = spread({channels}, -0.3, 0.4);
  first([](const In& x) { return instance_norm(x[0], x[1], x[2], 1e-5, 0.01); }, {made(1, shape), scale, shift});
}
void norms_3d() {
  channel_norms(16, {2, 20, 28, 20});
  channel_norms(64, {1, 20, 28, 20});
  channel_norms(1, {528, 300});  // so many samples that a thread takes several voxels of one
  channel_norms(5, {1601, 3});   // several samples a block
  channel_norms(8, {40, 5});     // more samples than a block adds up in a row, and than it does at all
  channel_norms(3, {300, 4});
  for (std::int64_t samples : {30, 1590})
    first([](const In& x) { return group_norm(x[0], 2, x[1], x[2], 1e-4, 0.1); }, {made(1, {samples, 2, 6}), spread({6}, 0.5, 2), spread({6}, -0.3, 0.4)});
  first([](const In& x) { return group_norm(x[0], 3, x[1], x[2]); }, {made(1, {21, 129, 129}), spread({129}, 0.5, 2), spread({129})});  // two chunks of each
}
void norms() {
  for (std::int64_t channels : {1, 3, 5, 8, 17, 96, 320}) channel_norms(channels, {2, 5, 7, 3});
  // of two values the gradient is 0 but for rounding
  note("two voxels", instance_norm(made(1, {1, 1, 2, 24}), spread({24}, 0.5, 2), spread({24}), 1e-5, 0.01));
  channel_norms(4, {3, 2000});
  for (const auto& [channels, rows] : {std::pair<std::int64_t, std::int64_t>{4, 9}, {6, 9}, {64, 9}, {96, 30}})  // the last: several chunks a sample
    first([](const In& x) { return group_norm(x[0], 2, x[1], x[2], 1e-4, 0.1); },
          {made(1, {2, rows, 11, channels}), spread({channels}, 0.5, 2), spread({channels}, -0.3, 0.4)});
  first(
      [](const In& x) {
        const DType wide = x[0].dtype() == DType::f64 ? DType::f64 : DType::f32;
        Tensor mean_so_far = Tensor::full({48}, 0.1, wide), var_so_far = Tensor::full({48}, 1.3, wide);
        Tensor y = batch_norm(x[0], x[1], x[2], mean_so_far, var_so_far, true, 0.1, 1e-4);
        note("running mean", mean_so_far), note("running variance", var_so_far);
        return y;
      },
      {made(1, {3, 13, 17, 48}), spread({48}, 0.5, 2), spread({48})});
}
void row_norms() {
  for (std::int64_t n : kLengths) {
    if (n <= 2) {  // the gradient is 0 but for rounding
      note("output", layer_norm(made(1, {5, n}), spread({n}, 0.5, 2), spread({n}), 1e-3));
    } else {
      first([](const In& x) { return layer_norm(x[0], x[1], x[2], 1e-3); }, {made(1, {5, n}), spread({n}, 0.5, 2), spread({n})});
    }
    first([](const In& x) { return rms_norm(x[0], x[1], 1e-3); }, {made(1, {5, n}), spread({n}, 0.5, 2)});
  }
  first([](const In& x) { return layer_norm(x[0], x[1], x[2], 1e-3); }, {made(1, {1030, 24}), spread({24}, 0.5, 2), spread({24})});
}

void softmaxes() {
  for (std::int64_t n : kLengths) {
    first([](const In& x) { return softmax(x[0]); }, {made(2, {5, n})});
    first([](const In& x) { return log_softmax(x[0]); }, {made(2, {3, n})});
  }
  first([](const In& x) { return softmax(x[0]); }, {made(2, {3000, 3})});
  for (std::int64_t n : {19, 32}) first([](const In& x) { return softmax(x[0]); }, {made(2, {300, n})});
  first([](const In& x) { return softmax(x[0], 1); }, {made(2, {2, 33, 65})});
  for (std::int64_t n : {8200, 8205}) {  // few long rows, in parts
    first([](const In& x) { return softmax(x[0]); }, {made(2, {2, n})});
    first([](const In& x) { return log_softmax(x[0]); }, {made(2, {2, n})});
  }
  const double none = -std::numeric_limits<double>::infinity();
  const Tensor masked = concat({Tensor::full({1, 5000}, none, check::number_type()), made(2, {1, 3300}).to(check::number_type())}, 1);
  note("parts without a finite value", softmax(masked));
  note("their logarithms beyond", log_softmax(masked).narrow(1, 5000, 3300));
}

/// More groups of blocks than have a count of their own (backend/cuda/last_block.cuh), and more than one block adds up.
void many_groups() {
  channel_norms(3, {1030, 3});
  note("rows", sum(made(2, {1025, 2049}), {1}));
  note("columns", sum(made(2, {1030, 70, 3}), {1}));
  note("many rows of few columns", sum(made(2, {33792, 11}), {0}));
  for (std::int64_t classes : {60, 256})
    first([=](const In& x) { return dice_cross_entropy(x[0], labels({2, 300}, classes, DType::u8)); }, {made(1, {2, 300, classes})});
}

void losses() {
  for (std::int64_t classes : {2, 3, 5, 19, 40}) {
    const Shape voxels = classes == 19 ? Shape{2, 250} : Shape{2, 9, 14, 10};
    Shape shape = voxels;
    shape.push_back(classes);
    first([=](const In& x) { return cross_entropy(x[0], labels(voxels, classes)); }, {made(1, shape)});
    first([=](const In& x) { return dice_cross_entropy(x[0], labels(voxels, classes, DType::u8)); }, {made(1, shape)});
  }
  for (DType type : {DType::i8, DType::i16, DType::i32}) first([=](const In& x) { return cross_entropy(x[0], labels({2, 9}, 5, type)); }, {made(1, {2, 9, 5})});
  for (std::int64_t classes : {257, 1000, 4400})  // a team of threads a row; the last: more than they keep
    first([=](const In& x) { return cross_entropy(x[0], labels({2, 9}, classes)); }, {made(1, {2, 9, classes})});
  note("many rows of many classes", cross_entropy(made(1, {150, 260}), labels({150}, 260)));
  for (std::int64_t n : kLengths) first([](const In& x) { return mse_loss(x[0], x[1]); }, {made(1, {3, n}), made(2, {3, n})});
  first([](const In& x) { return mse_loss(x[0], x[1]); }, {made(1, {40007}), made(2, {40007})});
}

void resizes() {
  for (auto mode : {Interpolation::nearest, Interpolation::linear}) {
    for (std::int64_t c : {1, 3, 8, 32}) first([=](const In& x) { return resize(x[0], {10, 14, 12}, mode); }, {spread({2, 5, 7, 6, c})});
    first([=](const In& x) { return resize(x[0], {66, 34}, mode); }, {spread({2, 33, 17, 5})});
    first([=](const In& x) { return resize(x[0], {130}, mode); }, {spread({3, 65, 6})});
    first([=](const In& x) { return resize(x[0], {7, 5}, mode); }, {spread({2, 20, 17, 4})});
  }
  for (ResizeMode mode : {ResizeMode::cubic, ResizeMode::catmull_rom, ResizeMode::area})
    first([=](const In& x) { return resize(x[0], {31, 12}, ResizeOptions{mode}); }, {spread({2, 17, 23, 5})});
}

void pools() {
  for (std::int64_t c : {1, 3, 16}) {
    first([](const In& x) { return max_pool(x[0], {2, 2, 2}); }, {made(1, {2, 9, 11, 8, c})});
    first([](const In& x) { return max_pool(x[0], {3, 3, 3}, {2, 2, 2}, {1, 1, 1}); }, {made(1, {2, 9, 11, 8, c})});
    first([](const In& x) { return avg_pool(x[0], {3, 3}, {2, 2}, {1, 1}); }, {made(1, {2, 33, 18, c})});
  }
}

/// Of a whole block, and of several that leave parts to be joined; equal maxima and NaN, the first of which counts.
void long_windows() {
  for (std::int64_t c : {1, 3, 16}) {
    first([](const In& x) { return adaptive_max_pool(x[0], {1, 1}); }, {round(made(1, {2, 17, 19, c}) * 3)});
    first([](const In& x) { return adaptive_avg_pool(x[0], {2}); }, {made(1, {2, 601, c})});
  }
  first([](const In& x) { return adaptive_max_pool(x[0], {2}); }, {round(made(1, {1, 9001, 2}) * 3)});
  first([](const In& x) { return adaptive_avg_pool(x[0], {1}); }, {made(1, {1, 4200, 3})});
  first([](const In& x) { return max_pool(x[0], {7, 8, 9}, {5, 5, 5}, {3, 3, 3}); }, {made(1, {1, 9, 11, 12, 4})});
  first([](const In& x) { return avg_pool(x[0], {18, 17}, {3, 4}, {5, 6}); }, {made(1, {1, 23, 22, 5})});
  first([](const In& x) { return avg_pool(x[0], {4200}); }, {made(1, {1, 4200, 1})});
  for (std::int64_t c : {1, 4}) first([](const In& x) { return resize(x[0], {40, 23}, Interpolation::linear); }, {made(1, {2, 1, 2, c})});
  first([](const In& x) { return resize(x[0], {17, 16, 17}, Interpolation::nearest); }, {made(1, {1, 1, 1, 1, 3})});
  const Tensor nan = Tensor::full({1, 1, 1}, std::numeric_limits<double>::quiet_NaN(), check::number_type());
  for (std::int64_t n : {700, 5000}) {
    const Tensor x = made(1, {1, n, 1});
    first([](const In& v) { return adaptive_max_pool(v[0], {1}); }, {concat({x, nan, x, nan, x}, 1)});
    first([](const In& v) { return adaptive_max_pool(v[0], {1}); }, {Tensor::full({1, n, 1}, -std::numeric_limits<double>::infinity(), check::number_type())});
  }
}

void shapes() {
  first([](const In& x) { return concat({x[0], x[1], x[0]}, 3); }, {spread({2, 9, 11, 16}), spread({2, 9, 11, 5})});
  first([](const In& x) { return concat({x[0], x[1]}, 0); }, {spread({33, 65}), spread({2, 65})});
  first([](const In& x) { return concat(split(x[0], {5, 1, 27}, 1), 1); }, {spread({9, 33, 7})});
  first([](const In& x) { return pad(x[0], {1, 0, 2, 3}, {0, 5, 1, 0}, 0.5); }, {spread({3, 9, 17, 33})});
  first([](const In& x) { return flip(x[0], {0, 2}); }, {spread({9, 17, 33})});
  first([](const In& x) { return roll(x[0], {5, -3}, {0, 2}); }, {spread({9, 17, 33})});
  first([](const In& x) { return tril(x[0], 2); }, {spread({3, 65, 70})});
}

void codes_of_letters() {
  const auto letters = [] { return labels({19, 40}, 5).to(DType::u8); };
  first([=](const In& x) { return conv_codes(letters(), x[0], x[1], 5); }, {spread({70, 11, 4}), spread({70})});
  first([=](const In& x) { return conv_codes(letters(), x[0]); }, {spread({3, 40, 5})});
  const auto codes = [](std::int64_t samples, std::int64_t length, std::int64_t count) { return labels({samples, length}, count).to(DType::u8); };
  first([=](const In& x) { return conv_codes(codes(3, 300, 6), x[0], x[1], 9); }, {spread({36, 19, 4}), spread({36})});  // chunks of positions, 16 bytes
  first([=](const In& x) { return conv_codes(codes(2, 90, 70), x[0]); }, {spread({5, 3, 64})});                           // a tap at a time
  first([=](const In& x) { return conv_codes(codes(1, 600, 5), x[0], {}, 1); }, {spread({2, 530, 4})});                   // more taps than a block holds
}
void indices() {
  first([](const In& x) { return index_select(x[0], 0, labels({300}, 33)); }, {spread({33, 65})});
  first([](const In& x) { return index_select(x[0], 1, labels({300}, 33)); }, {spread({5, 33, 7})});
  first([](const In& x) { return gather(x[0], 1, labels({9, 100, 7}, 33)); }, {spread({9, 33, 7})});
  first([](const In& x) { return scatter_add(x[0], 1, labels({9, 100, 7}, 33), x[1]); }, {spread({9, 33, 7}), spread({9, 100, 7})});
  first([](const In& x) { return embedding(x[0], labels({40, 25}, 70), 3); }, {spread({70, 33})});
  first(
      [](const In& x) {
        return masked_select(x[0], greater(spread({33, 65}), Tensor::zeros({}, check::number_type())));
      },
      {spread({33, 65})});
}

/// `count` indices, of which most are one, and some of every other.
Tensor skewed(const Shape& shape, std::int64_t places) {
  std::vector<std::int64_t> v;
  for (std::int64_t i = 0; i < shape.numel(); ++i) v.push_back(i % 7 < 4 ? places / 2 : (i * 5 + i / 3) % places);
  return Tensor::from(v, shape);
}
/// Places of many chunks beside those of few sources.
void sums_by_place() {
  first([](const In& x) { return scatter_add(x[0], 0, skewed({2600}, 9), x[1]); }, {spread({9}), spread({2600})});
  first([](const In& x) { return scatter_add(x[0], 1, skewed({2, 1500}, 700), x[1]); }, {spread({2, 700}), spread({2, 1500})});
  for (std::int64_t inner : {3, 40}) first([](const In& x) { return index_add(x[0], 1, skewed({1400}, 3), x[1]); }, {spread({2, 3, inner}), spread({2, 1400, inner})});
  first([](const In& x) { return index_add(x[0], 0, labels({1400}, 3), x[1]); }, {spread({3, 5}), spread({1400, 5})});  // each of some chunks
  first([](const In& x) { return index_add(x[0], 0, Tensor::zeros({1024}, DType::i64), x[1]); }, {spread({1, 2}), round(spread({1024, 2}, -9, 20))});  // whole chunks
}
/// Of a table whose tiles would look at all positions.
void large_table() {
  first([](const In& x) { return embedding(x[0], skewed({8200}, 4300), 17); }, {spread({4300, 3})});
}

void running() {
  for (std::int64_t n : {1, 31, 33, 257, 1025, 5000}) {
    note("cumsum", cumsum(made(1, {3, n}), 1));
    note("cumsum from behind", cumsum(made(1, {n, 3}), 0, true));
    note("logcumsumexp", logcumsumexp(spread({2, n}), 1));
    note("linear_recurrence", linear_recurrence(spread({2, n}, -0.9, 0.9), spread({2, n}, -2, 1), 1));
  }
  first([](const In& x) { return cumprod(x[0], 1); }, {spread({5, 100}, 0.9, 1.1)});
  for (const Shape& s : {Shape{2, 4100, 3}, Shape{34000}}) {  // many pieces, of columns and of lines
    const int axis = s.rank() > 1;
    for (bool reverse : {false, true}) note("cumsum", cumsum(made(1, s), axis, reverse));
    note("logcumsumexp", logcumsumexp(spread(s), axis));
    note("linear_recurrence", linear_recurrence(spread(s, -0.9, 0.9), spread(s, -2, 1), axis));
    const RunningExtreme most = cummax(made(2, s), axis), least = cummin(made(2, s), axis);
    note("cummax", most.values), note("cummax", most.indices), note("cummin", least.values), note("cummin", least.indices);
  }
}

void products() {
  for (std::int64_t n : {1, 5, 16, 33, 130}) {
    first([](const In& x) { return matmul(x[0], x[1]); }, {made(1, {n, 37}), made(2, {37, 65})});
    first([](const In& x) { return linear(x[0], x[1], x[2]); }, {made(1, {3, n, 40}), made(2, {24, 40}), made(3, {24})});
  }
  // many rows before small weights: their gradient is a product of its own (backend/cuda/tall_product.hpp)
  for (auto [rows, in, out] : {std::array<std::int64_t, 3>{2048, 64, 64}, {4300, 128, 128}, {4099, 128, 2}, {2500, 2, 128}, {2500, 1, 70}, {2100, 70, 1}, {2100, 5, 3}, {2300, 130, 6}})
    first([](const In& x) { return linear(x[0], x[1], x[2]); }, {made(1, {rows, in}), made(2, {out, in}), made(3, {out})});
  first([](const In& x) { return matmul(x[0].transpose(0, 1), x[1]); }, {made(1, {2600, 33}), made(2, {2600, 40})});
  first([](const In& x) { return matmul(x[0].narrow(1, 1, 30).transpose(0, 1), x[1].narrow(1, 2, 38)); }, {made(1, {2600, 33}), made(2, {2600, 40})});
  first([](const In& x) { return matmul(x[0].transpose(0, 1), x[1].narrow(1, 3, 1)); }, {made(1, {2600, 70}), made(2, {2600, 5})});
  first([](const In& x) { return matmul(x[0], x[1]); }, {made(1, {5000}), made(2, {5000})});
  first([](const In& x) { return matmul(x[0], x[1].transpose(1, 2)); }, {made(1, {6, 17, 33}), made(2, {6, 20, 33})});
}
/// Of many positions side by side, by a vector.
void products_side_by_side() {
  for (std::int64_t p : {11, 4096}) {
    first([](const In& x) { return einsum("ikp,kp->ip", x); }, {made(1, {5, 3, p}), made(2, {3, p})});
    first([](const In& x) { return einsum("kp,kjp->jp", x); }, {made(1, {2, p}), made(2, {2, 6, p})});
  }
}
/// Matrices that lie at no equal distances, which the slot may be given.
void scattered_products() {
  MatmulGeometry g;
  g.in = g.out = check::number_type();
  g.m = 3, g.n = 4, g.k = 5;
  g.a_row = 5, g.a_col = 1, g.b_row = 4, g.b_col = 1;
  g.a_offset = {0, 7, 30, 2}, g.b_offset = {20, 0, 3, 3};
  const Tensor a = made(1, {45}), b = made(2, {40});
  std::vector<Tensor> writes{Tensor::empty({4, 3, 4}, g.out, a.device())};
  if (const auto& workspace = matmul_workspace(a.device().type))
    if (const std::size_t bytes = workspace(g)) writes.push_back(Tensor::empty({std::int64_t(bytes)}, DType::u8, a.device()));
  const Tensor reads[] = {a, b};
  launch("matmul", std::span<const Tensor>(reads), std::span<const Tensor>(writes), matmul_slot(a.device(), g));
  note("scattered", writes[0]);
}
void convolutions() {
  first(
      [](const In& x) {
        return conv(x[0], x[1], x[2], {{1, 1, 1}, {1, 1, 1}, {}, 1});
      },
      {made(1, {2, 8, 10, 6, 4}), made(2, {16, 3, 3, 3, 4}), made(3, {16})});
  first(
      [](const In& x) {
        return conv(x[0], x[1], x[2], {{2, 2}, {1, 1}, {}, 1});
      },
      {made(1, {2, 17, 18, 16}), made(2, {32, 3, 3, 16}), made(3, {32})});
  first(
      [](const In& x) {
        return conv_transpose(x[0], x[1], x[2], {{2, 2}, {}, {}, 1});
      },
      {made(1, {2, 9, 7, 16}), made(2, {16, 2, 2, 8}), made(3, {8})});
}

/// As in networks that compute in 16 bits: activations in bf16, weights and their gradients in f32.
void mixed_types() {
  const DType narrow = DType::bf16;
  first(
      [](const In& x) {
        return conv(x[0], x[1], x[2], {{1, 1, 1}, {1, 1, 1}, {}, 1});
      },
      {made(1, {2, 8, 6, 6, 16}, narrow), made(2, {8, 3, 3, 3, 16}), made(3, {8})});
  first(
      [](const In& x) {
        return conv(x[0], x[1], x[2], {{2, 2}, {1, 1}, {}, 1});
      },
      {made(1, {2, 9, 10, 1}, narrow), made(2, {16, 3, 3, 1}), made(3, {16})});
  first(
      [](const In& x) {
        return conv_transpose(x[0], x[1], x[2], {{2, 2}, {}, {}, 1});
      },
      {made(1, {2, 9, 7, 16}, narrow), made(2, {16, 2, 2, 8}), made(3, {8})});
  // channels by 32, whose weight gradients tensor cores take
  first([](const In& x) { return conv(x[0], x[1], x[2], {{1, 1, 1}, {1, 1, 1}, {}, 1}); }, {made(1, {2, 3, 6, 11, 32}, narrow), made(2, {64, 3, 3, 3, 32}), made(3, {64})});
  first([](const In& x) { return conv(x[0], x[1], x[2], {{1, 1}, {1, 1}, {}, 1}); }, {made(1, {2, 13, 17, 64}, narrow), made(2, {32, 3, 3, 64}), made(3, {32})});
  first([](const In& x) { return instance_norm(x[0], x[1], x[2], 1e-5, 0.01); },
        {made(1, {2, 8, 6, 7, 24}, narrow), spread({24}, 0.5, 2), spread({24}, -0.3, 0.4)});
  first([](const In& x) { return layer_norm(x[0], x[1], x[2], 1e-3); }, {made(1, {9, 65}, narrow), spread({65}, 0.5, 2), spread({65})});
  first([](const In& x) { return dice_cross_entropy(x[0], labels({2, 9, 14}, 3, DType::u8)); }, {made(1, {2, 9, 14, 3}, narrow)});
}

void transforms() {
  for (std::int64_t n : {1, 2, 3, 16, 30, 37, 64, 100, 257}) {
    first([](const In& x) { return view_as_real(rfft(x[0])); }, {spread({3, n})});
    first([n](const In& x) { return irfft(rfft(x[0]), n); }, {spread({3, n})});
  }
  first([](const In& x) { return view_as_real(rfft(x[0], {1, 2})); }, {spread({2, 16, 20, 5})});
  first([](const In& x) { return spectral_conv(x[0], x[1], {5, 6}); }, {spread({2, 16, 18, 4}), spread({10, 6, 4, 3, 2})});
  first([](const In& x) { return spectral_conv(x[0], x[1], {2, 2}); }, {spread({2, 5, 6, 19}), spread({4, 2, 19, 18, 2})});
  // lines in fours, as tensor cores take them: more than a warp's, and an odd length
  first([](const In& x) { return spectral_conv(x[0], x[1], {9, 12}); }, {spread({2, 37, 30, 8}), spread({18, 12, 8, 8, 2})});
  first([](const In& x) { return view_as_real(rfft(x[0], {1, 2})); }, {spread({2, 32, 24, 12})});
}

const Register cases(std::vector<Extra>{
    {"elementwise shapes", elementwise, kAll},
    {"dropout", dropouts, kAll},
    {"sums", sums, kAll},
    {"channel norms of many voxels or samples", norms_3d, {DType::f32}},
    {"channel norms", norms, kAll},
    {"sums in many groups", many_groups, {DType::f32}},
    {"row norms", row_norms, {DType::f64, DType::f32, DType::bf16, DType::f16}},
    {"softmax rows", softmaxes, kAll},
    {"losses", losses, kNarrow},
    {"resizing", resizes, kNarrow},
    {"pooling", pools, kNarrow},
    {"long windows", long_windows, kNarrow},
    {"concat, split, pad, flip, roll, tril", shapes, kNarrow},
    {"indexing", indices, kNarrow},
    {"sums by place", sums_by_place, kExact},
    {"rows of a large table", large_table, {DType::f32}},
    {"convolutions of codes", codes_of_letters, {DType::f32}},
    {"running sums and products", running, kExact},
    {"products of matrices", products, kAll},
    {"products side by side", products_side_by_side, kExact},
    {"products of scattered matrices", scattered_products, kAll},
    {"convolutions", convolutions, kAll},
    {"bf16 activations with f32 weights", mixed_types, {DType::f32}, 1e-4},
    {"Fourier transforms", transforms, kExact},
});

}  // namespace
