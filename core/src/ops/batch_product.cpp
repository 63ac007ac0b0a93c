#include "ops/batch_product.hpp"

#include <algorithm>

#include "ops/batch_product_kernels.hpp"
#include "tenon/autograd.hpp"

#define TENON_ISA_FILE "ops/simd/batch_product.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon {
namespace {

constexpr std::int64_t kLine = 16;       ///< batch positions a task takes, or a multiple
constexpr double kWorthATask = 1 << 18;  ///< multiplications

template <class T>
Kernel make(const BatchProduct& p, decltype(&isa_base::batch_block<T>) block) {
  return [p, block](void* const* o) {
    const T *a = static_cast<const T*>(o[0]), *b = static_cast<const T*>(o[1]);
    T* c = static_cast<T*>(o[2]);
    const double each = double(p.rows) * double(p.columns) * double(std::max<std::int64_t>(p.depth, 1));  // a batch position
    const std::int64_t positions = std::max<std::int64_t>(1, std::int64_t(kWorthATask / each) / kLine) * kLine;
    const std::int64_t cuts = (p.batch + positions - 1) / positions;
    // a short batch of large matrices is cut by rows as well
    const std::int64_t rows =
        cuts >= 8
            ? p.rows
            : std::clamp<std::int64_t>(std::int64_t(kWorthATask / (each / double(p.rows) * double(std::min(p.batch, positions)))) / 4 * 4,
                                       4, std::max<std::int64_t>(4, p.rows));
    const std::int64_t bands = (p.rows + rows - 1) / rows;
    parallel_for(cuts * bands, [&](std::int64_t task) {
      const std::int64_t begin = task / bands * positions, first = task % bands * rows;
      block(p, a, b, c, first, std::min(p.rows, first + rows), begin, std::min(p.batch, begin + positions));
    });
  };
}

Tensor dense_batch(const Tensor& t) {
  return t.strides()[-1] == 1 || t.size(-1) == 1 ? t : t.contiguous();
}

}  // namespace

KernelSlot<const BatchProduct&> batch_product_kernel("batch_product", [](const BatchProduct& p) -> Kernel {
  // f64 is for checking gradients: one version is enough
  return p.dtype == DType::f64 ? make<double>(p, &isa_base::batch_block<double>) : make<float>(p, TENON_BY_ISA(batch_block<float>));
});

Tensor batch_product(const Tensor& a_given, const Tensor& b_given) {
  Tensor a = dense_batch(a_given), b = dense_batch(b_given);
  Tensor c = Tensor::empty({a.size(0), b.size(1), a.size(2)}, a.dtype(), a.device());
  const BatchProduct p{a.dtype(),      a.size(0),      b.size(1),      a.size(1),     a.size(2),
                       a.strides()[0], a.strides()[1], b.strides()[0], b.strides()[1]};
  if (c.numel()) launch("batch_product", {a, b}, {c}, batch_product_kernel(c.device(), p));
  return differentiable("einsum", c, {a, b}, [a, b, need_a = wants_grad({a}), need_b = wants_grad({b})](const std::vector<Tensor>& d) {
    return std::vector<Tensor>{need_a ? batch_product(d[0], b.transpose(0, 1)) : Tensor(),
                               need_b ? batch_product(a.transpose(0, 1), d[0]) : Tensor()};
  });
}

}  // namespace tenon
