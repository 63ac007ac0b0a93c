/// The CPU kernels of the losses: chunks of rows in parallel, their sums added in f64 in order.
#include <vector>

#include "ops/dispatch.hpp"
#include "ops/labels.hpp"
#include "ops/loss_kernels.hpp"

#define TENON_ISA_FILE "ops/simd/loss.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon {
namespace {

constexpr std::int64_t kMaxChunk = 4096;
constexpr std::int64_t kGrain = 4096;  ///< logits a task, about

/// The labels of a chunk as i32; throws on the first that is no class.
void read_labels(const LabelLoss& p, const void* labels, std::int64_t first, std::int64_t n, std::int32_t* out) {
  dispatch_integer(p.labels, [&](auto tag) {
    using L = typename decltype(tag)::type;
    const L* in = static_cast<const L*>(labels) + first;
    bool outside = false;
    for (std::int64_t i = 0; i < n; ++i) {
      outside |= in[i] < 0 || std::int64_t(in[i]) >= p.classes;
      out[i] = std::int32_t(in[i]);
    }
    if (!outside) return;
    std::int64_t at = 0;
    while (in[at] >= 0 && std::int64_t(in[at]) < p.classes) ++at;
    refuse_label(p.op(), std::int64_t(in[at]), first + at, p.classes);
  });
}

Kernel check_labels(const LabelCheck& p) {
  return dispatch_integer(p.labels, [&](auto tag) -> Kernel {
    using L = typename decltype(tag)::type;
    return [p](void* const* o) {
      const L* in = static_cast<const L*>(o[0]);
      auto* out = static_cast<std::int64_t*>(o[1]);
      parallel_blocks(p.count, 4 * kMaxChunk, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) {
          const auto label = std::int64_t(in[i]);
          const bool ignored = p.ignored && label == *p.ignored;
          if (!ignored && (label < 0 || label >= p.classes)) refuse_label(p.op, label, i, p.classes);
          out[i] = ignored ? -1 : label;
        }
      });
    };
  });
}

/// body(sample, chunk, first row over all samples, rows) in parallel, several small chunks a task.
template <class Body>
void for_chunks(const LabelLoss& p, const Body& body) {
  const std::int64_t chunks = p.chunks(), chunk = p.chunk();
  parallel_blocks(p.samples * chunks, std::max<std::int64_t>(1, kGrain / (chunk * p.classes)), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      std::int64_t s = i / chunks, k = i % chunks;
      body(s, k, s * p.voxels + k * chunk, std::min(chunk, p.voxels - k * chunk));
    }
  });
}

template <class T, bool Dice>
Kernel forward(const LabelLoss& p) {
  auto loop = TENON_BY_ISA(label_sums<T, Dice>);
  return [p, loop](void* const* o) {
    const T* x = static_cast<const T*>(o[0]);
    const void* labels = o[1];
    double *partial = static_cast<double*>(o[2]), *totals = static_cast<double*>(o[3]);
    const std::int64_t K = p.classes, chunks = p.chunks(), width = p.sums();
    for_chunks(p, [&](std::int64_t s, std::int64_t k, std::int64_t first, std::int64_t n) {
      std::int32_t chunk_labels[kMaxChunk];
      read_labels(p, labels, first, n, chunk_labels);
      loop(x + first * K, chunk_labels, n, K, partial + (s * chunks + k) * width);
    });
    double entropy = 0, dice = 0;
    totals[0] = 0;
    for (std::int64_t s = 0; s < p.samples; ++s) {
      if constexpr (Dice) std::fill(totals + s * 3 * K, totals + (s + 1) * 3 * K, 0.0);
      for (std::int64_t k = 0; k < chunks; ++k) {
        const double* in = partial + (s * chunks + k) * width;
        entropy += in[0];
        if constexpr (Dice)
          for (std::int64_t j = 0; j < 3 * K; ++j) totals[s * 3 * K + j] += in[1 + j];
      }
      if constexpr (Dice) {
        const double* t = totals + s * 3 * K;
        for (std::int64_t k = 1; k < K; ++k) dice += dice_term(t[k], t[K + k], t[2 * K + k], p.smooth).value();
      }
    }
    double loss = entropy / double(p.samples * p.voxels);
    if constexpr (Dice) loss += 1 - dice / double(p.samples * (K - 1));
    *static_cast<Acc<T>*>(o[4]) = Acc<T>(loss);
  };
}

template <class T, bool Dice>
Kernel gradient(const LabelLoss& p) {
  using A = Acc<T>;
  auto loop = TENON_BY_ISA(label_gradient<T, Dice>);
  return [p, loop](void* const* o) {
    const T* x = static_cast<const T*>(o[0]);
    const void* labels = o[1];
    const double* totals = static_cast<const double*>(o[2]);
    const double d_loss = double(*static_cast<const A*>(o[3]));
    T* dx = static_cast<T*>(o[4]);
    const std::int64_t K = p.classes;
    const A share = A(d_loss / double(p.samples * p.voxels));
    for_chunks(p, [&](std::int64_t s, std::int64_t, std::int64_t first, std::int64_t n) {
      std::int32_t chunk_labels[kMaxChunk];
      read_labels(p, labels, first, n, chunk_labels);
      DiceSlope<A> slope[Dice ? isa_base::kManyClasses : 1] = {};
      if constexpr (Dice) {
        const double* t = totals + s * 3 * K;
        for (std::int64_t k = 1; k < K; ++k)
          slope[k] = dice_slope<A>(t[k], t[K + k], t[2 * K + k], p.smooth, double(p.samples * (K - 1)), d_loss);
      }
      loop(x + first * K, chunk_labels, dx + first * K, n, K, share, slope);
    });
  };
}

template <class T>
Kernel mse_forward(const SquaredError& p) {
  auto loop = TENON_BY_ISA(squared_error_sum<T>);
  return [p, loop](void* const* o) {
    const T *x = static_cast<const T*>(o[0]), *y = static_cast<const T*>(o[1]);
    double* partial = static_cast<double*>(o[2]);
    parallel_blocks(p.count, SquaredError::kChunk, [&](std::int64_t begin, std::int64_t end) {
      partial[begin / SquaredError::kChunk] = loop(x + begin, y + begin, end - begin);
    });
    double total = 0;
    for (std::int64_t k = 0; k < p.chunks(); ++k) total += partial[k];
    *static_cast<Acc<T>*>(o[3]) = Acc<T>(total / double(p.count));
  };
}

template <class T>
Kernel mse_gradient(const SquaredError& p) {
  auto loop = TENON_BY_ISA(scaled_difference<T>);
  return [p, loop](void* const* o) {
    const T *x = static_cast<const T*>(o[0]), *y = static_cast<const T*>(o[1]);
    const Acc<T> factor = Acc<T>(double(*static_cast<const Acc<T>*>(o[2])) * 2 / double(p.count));
    T* dx = static_cast<T*>(o[3]);
    parallel_blocks(p.count, SquaredError::kChunk,
                    [&](std::int64_t begin, std::int64_t end) { loop(x + begin, y + begin, dx + begin, end - begin, factor); });
  };
}

}  // namespace

void refuse_label(const char* op, std::int64_t value, std::int64_t at, std::int64_t classes) {
  throw Error(ErrorKind::data, "loss.label_range",
              std::string(op) + ": label " + std::to_string(value) + " at element " + std::to_string(at) + " is outside 0.." +
                  std::to_string(classes - 1),
              "map the labels to 0..classes-1");
}

KernelSlot<const LabelCheck&> checked_labels_kernel("checked_labels", check_labels);
KernelSlot<const LabelLoss&> label_loss_kernel("cross_entropy", [](const LabelLoss& p) -> Kernel {
  return dispatch_floating("cross_entropy", p.dtype, [&](auto tag) -> Kernel {
    using T = typename decltype(tag)::type;
    return p.dice ? forward<T, true>(p) : forward<T, false>(p);
  });
});
KernelSlot<const LabelLoss&> label_loss_gradient_kernel("cross_entropy.gradient", [](const LabelLoss& p) -> Kernel {
  return dispatch_floating("cross_entropy", p.dtype, [&](auto tag) -> Kernel {
    using T = typename decltype(tag)::type;
    return p.dice ? gradient<T, true>(p) : gradient<T, false>(p);
  });
});
KernelSlot<const SquaredError&> mse_kernel("mse_loss", [](const SquaredError& p) -> Kernel {
  return dispatch_floating("mse_loss", p.dtype, [&](auto tag) -> Kernel { return mse_forward<typename decltype(tag)::type>(p); });
});
KernelSlot<const SquaredError&> mse_gradient_kernel("mse_loss.gradient", [](const SquaredError& p) -> Kernel {
  return dispatch_floating("mse_loss", p.dtype, [&](auto tag) -> Kernel { return mse_gradient<typename decltype(tag)::type>(p); });
});

}  // namespace tenon
