#include <algorithm>
#include <cmath>

#include "optim/flat_optimiser.hpp"
#include "optim/optim_kernels.hpp"
#include "optim/options.hpp"
#include "tenon/autograd.hpp"

namespace tenon {
namespace {

constexpr std::int64_t kRowBlock = 64;      ///< rows whose sums are added up by one task
constexpr std::int64_t kColumnBlock = 512;  ///< columns of a task
constexpr std::int64_t kVectorBlock = 16384;

/// Blocks of `size` items of n, each giving one partial sum, added in order.
template <class Body>
double ordered_sum(std::int64_t n, std::int64_t size, const Body& body) {
  std::vector<double> partial(std::size_t((n + size - 1) / size));
  parallel_blocks(n, size, [&](std::int64_t begin, std::int64_t end) { partial[std::size_t(begin / size)] = body(begin, end); });
  double sum = 0;
  for (double v : partial) sum += v;
  return sum;
}

/// One leaf's step. `row` [matrices, rows] and `column` [matrices, columns], or, of a vector, `column` alone.
void update_leaf(const MatrixShape& s, const AdafactorUpdate& k, float* w, const float* gradient, float factor, float* row, float* column, double step, double rate,
                 double decay) {
  if (s.elements() == 0) return;
  const auto blend = float(std::pow(std::max(step, 1.0), k.beta2_decay));
  const auto g = [&](std::int64_t i) { return k.leaves.clipping(gradient[i]) * factor; };
  const std::int64_t n = s.elements(), lines = s.matrices * s.rows, columns = s.columns;
  const auto root_mean_square = [&](auto&& value) {
    return std::sqrt(ordered_sum(n, kVectorBlock, [&](std::int64_t begin, std::int64_t end) {
             double sum = 0;
             for (std::int64_t i = begin; i < end; ++i) sum += double(value(i)) * double(value(i));
             return sum;
           }) / double(n));
  };
  const double alpha = std::max(k.eps2, root_mean_square([&](std::int64_t i) { return w[i]; })) * std::min(rate, 1 / std::sqrt(std::max(step, 1.0)));
  std::vector<float> mean_row(std::size_t(s.matrices), 1.0f);
  if (s.factored()) {
    parallel_blocks(lines, kRowBlock, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) {
        double sum = 0;
        for (std::int64_t c = 0; c < columns; ++c) sum += double(g(r * columns + c)) * double(g(r * columns + c));
        row[r] += (float(sum / double(columns)) - row[r]) * blend;
      }
    });
    const std::int64_t blocks = (columns + kColumnBlock - 1) / kColumnBlock;
    parallel_for(s.matrices * blocks, [&](std::int64_t task) {
      const std::int64_t matrix = task / blocks, first = task % blocks * kColumnBlock, last = std::min(columns, first + kColumnBlock);
      double sums[kColumnBlock] = {};
      for (std::int64_t r = 0; r < s.rows; ++r)
        for (std::int64_t c = first; c < last; ++c) {
          const float v = g((matrix * s.rows + r) * columns + c);
          sums[c - first] += double(v) * double(v);
        }
      for (std::int64_t c = first; c < last; ++c) {
        float& kept = column[matrix * columns + c];
        kept += (float(sums[c - first] / double(s.rows)) - kept) * blend;
      }
    });
    for (std::int64_t m = 0; m < s.matrices; ++m) {
      double sum = 0;
      for (std::int64_t r = 0; r < s.rows; ++r) sum += double(row[m * s.rows + r]);
      mean_row[std::size_t(m)] = float(std::max(sum / double(s.rows), k.eps1));
    }
  } else {
    parallel_blocks(n, kVectorBlock, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) column[i] += (g(i) * g(i) - column[i]) * blend;
    });
  }
  const auto least = float(k.eps1 * k.eps1);
  const auto direction = [&](std::int64_t i) {
    const std::int64_t line = i / columns, matrix = s.factored() ? line / s.rows : 0;
    const float estimate = s.factored() ? row[line] * column[matrix * columns + i % columns] / mean_row[std::size_t(matrix)] : column[i];
    return g(i) / std::sqrt(std::max(estimate, least));
  };
  const auto scale = float(alpha / std::max(1.0, root_mean_square(direction) / k.threshold));
  const auto shrink = float(1 - rate * decay);
  parallel_blocks(n, kVectorBlock, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) w[i] = w[i] * shrink - scale * direction(i);
  });
}

class AdafactorOptimiser final : public FlatOptimiser {
 public:
  AdafactorOptimiser(nn::Module& module, const AdafactorOptions& o)
      : FlatOptimiser(module, o.clip, o.clip_value, o.groups, {}), update_{flat_, {}, o.beta2_decay, o.eps1, o.eps2, o.threshold, o.weight_decay} {
    for (const auto& [name, leaf] : leaves_) {
      const MatrixShape s(leaf);
      update_.shapes.push_back(s);
      rows_.push_back(Tensor::zeros({std::max<std::int64_t>(s.matrices * s.rows, 1)}, DType::f32, leaf.device()));
      columns_.push_back(Tensor::zeros({std::max<std::int64_t>(s.matrices * s.columns, 1)}, DType::f32, leaf.device()));
    }
  }

  void step() override {
    NoGrad no_grad;
    const std::vector<Tensor> gradients = take_gradients();
    std::vector<Tensor> written = writes();
    written.insert(written.end(), rows_.begin(), rows_.end());
    written.insert(written.end(), columns_.begin(), columns_.end());
    written.push_back(Tensor::empty({update_.sums()}, DType::f64, norm_.device()));
    launch("optimiser.adafactor", reads(gradients), written, adafactor_kernel(norm_.device(), update_));
  }

  nn::NamedTensors state() const override {
    nn::NamedTensors all;
    for (std::size_t i = 0; i < leaves_.size(); ++i) {
      if (update_.shapes[i].factored()) all.emplace_back("row_moment." + leaves_[i].first, rows_[i]);
      all.emplace_back((update_.shapes[i].factored() ? "column_moment." : "second_moment.") + leaves_[i].first, columns_[i]);
    }
    for (auto& steps : Optimiser::state()) all.push_back(std::move(steps));
    return all;
  }

 private:
  AdafactorUpdate update_;
  std::vector<Tensor> rows_, columns_;
};

}  // namespace

KernelSlot<const AdafactorUpdate&> adafactor_kernel("optimiser.adafactor", [](const AdafactorUpdate& u) -> Kernel {
  return [u](void* const* p) {
    const std::size_t n = u.leaves.count();
    const UpdateOperands o{p, n};
    const float factor = u.leaves.clipping.factor(o.norm());
    for (std::size_t i = 0; i < n; ++i)
      update_leaf(u.shapes[i], u, o.weight(i), o.gradient(i), factor, static_cast<float*>(o.extra(0, i)), static_cast<float*>(o.extra(0, n + i)),
                  double(o.step()), double(o.learning_rate() * u.leaves.factors[i].rate), u.decay * double(u.leaves.factors[i].decay));
  };
});

std::unique_ptr<Optimiser> make_adafactor(nn::Module& module, const AdafactorOptions& options) {
  checked_options("make_adafactor", options);
  check_least("make_adafactor", "eps1", options.eps1);
  check_least("make_adafactor", "eps2", options.eps2);
  if (!(options.threshold > 0)) throw_usage("make_adafactor", "threshold is " + std::to_string(options.threshold), "a number above 0");
  if (!(options.beta2_decay <= 0)) throw_usage("make_adafactor", "beta2_decay is " + std::to_string(options.beta2_decay), "an exponent of 0 or less");
  return std::make_unique<AdafactorOptimiser>(module, options);
}

}  // namespace tenon
