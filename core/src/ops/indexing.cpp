/// Picking and placing by index. index_select and index_add are each other's gradient, and so are gather and scatter_add.
#include "tenon/indexing.hpp"

#include "ops/check.hpp"
#include "ops/index_kernels.hpp"
#include "ops/indexing.hpp"
#include "tenon/autograd.hpp"
#include "tenon/complex.hpp"
#include "tenon/ops.hpp"

namespace tenon {
namespace {

Tensor dense_index(const char* op, const Tensor& x, const Tensor& index) {
  check_defined(op, index, "the index");
  if (index.dtype() != DType::i64 && index.dtype() != DType::i32)
    throw_usage(op, "indices " + index.str() + " are neither i64 nor i32", "convert them with .to(DType::i64)");
  check_same_device(op, x, index);
  return index.to(DType::i64).contiguous();
}

/// [...] -> [..., 2]: room for the parts of complex elements.
Shape with_parts(Shape shape) {
  shape.push_back(2);
  return shape;
}

/// The type in which sums of `t` are carried.
DType summed(const char* op, const Tensor& t) {
  if (t.dtype() == DType::boolean) throw_usage(op, t.str() + " cannot be added", "convert it with .to(DType::i64)");
  return !is_floating(t.dtype()) ? DType::i64 : t.dtype() == DType::f64 ? DType::f64 : DType::f32;
}

void check_source(const char* op, const Tensor& x, const Tensor& source, const Shape& wanted) {
  check_defined(op, source, "the source");
  check_same_device(op, x, source);
  if (source.dtype() != x.dtype() || source.shape() != wanted)
    throw_usage(op, "source " + source.str() + " for x " + x.str(), "it must be " + std::string(name_of(x.dtype())) + wanted.str());
}

/// `shape` with its axis replaced by those of the indices.
Shape picked_shape(const char* op, const Shape& shape, int axis, const Shape& indices) {
  if (shape.rank() - 1 + indices.rank() > kMaxRank)
    throw_usage(op, "x " + shape.str() + " and indices " + indices.str() + " would give more than " + std::to_string(kMaxRank) + " axes");
  Shape out;
  for (int a = 0; a < axis; ++a) out.push_back(shape[a]);
  for (std::int64_t s : indices) out.push_back(s);
  for (int a = axis + 1; a < shape.rank(); ++a) out.push_back(shape[a]);
  return out;
}

int indexed_axis(const char* op, const Tensor& x, int axis) {
  check_defined(op, x, "x");
  return check_axis(op, x, axis);
}

/// x and index agree but for `axis`.
void check_aligned(const char* op, const Tensor& x, int axis, const Tensor& index) {
  Shape same = index.shape();
  if (same.rank() == x.rank()) same[axis] = x.size(axis);
  if (same != x.shape())
    throw_usage(op, "index " + index.str() + " for x " + x.str(),
                "all sizes but that of axis " + std::to_string(axis) + " must be equal; expand the index, or narrow x");
}

Tensor place_sums(const char* op, const Tensor& x, const IndexMove& p, const Shape& shape, const Tensor& index, const Tensor& source) {
  Tensor y = Tensor::empty(shape, source.dtype(), source.device());
  std::vector<Tensor> reads;
  if (!p.from_zero) reads.push_back(x.contiguous());
  reads.push_back(index);
  reads.push_back(source.contiguous());
  const Tensor writes[] = {y};
  launch(op, std::span<const Tensor>(reads), std::span<const Tensor>(writes), scatter_add_kernel(y.device(), p));
  return y;
}

Tensor select_rows(const char* op, const Tensor& x_given, int axis, const Tensor& index);

/// x, or zeros of `shape` when it is undefined, plus the sources by place. `index` is dense i64 and stands for whole rows. Complex
/// elements are added part by part.
Tensor add_rows(const char* op, const Tensor& x, const Shape& shape, int axis, const Tensor& index, const Tensor& source) {
  if (is_complex(source.dtype()))
    return view_as_complex(add_rows(op, x.defined() ? view_as_real(x) : x, with_parts(shape), axis, index, view_as_real(source)));
  const DType wide = summed(op, source);
  if (wide != source.dtype()) return add_rows(op, x.defined() ? x.to(wide) : x, shape, axis, index, source.to(wide)).to(source.dtype());
  IndexMove p{op, AxisSplit(shape, axis), index.numel(), index.shape(), wide, true, !x.defined()};
  Tensor y = place_sums(op, x, p, shape, index, source);
  return differentiable(op, y, {x, source}, [=, given = x.defined()](const std::vector<Tensor>& d) {
    return std::vector<Tensor>{given ? d[0] : Tensor(), select_rows("index_select", d[0], axis, index)};
  });
}

Tensor select_rows(const char* op, const Tensor& x_given, int axis, const Tensor& index) {
  Tensor x = x_given.contiguous();
  Tensor y = Tensor::empty(picked_shape(op, x.shape(), axis, index.shape()), x.dtype(), x.device());
  IndexMove p{op, AxisSplit(x.shape(), axis), index.numel(), index.shape(), x.dtype(), true, false};
  launch(op, {x, index}, {y}, index_select_kernel(x.device(), p));
  return differentiable(op, y, {x}, [=, shape = x.shape()](const std::vector<Tensor>& d) {
    return std::vector<Tensor>{add_rows("index_add", {}, shape, axis, index, d[0])};
  });
}

Tensor gather_dense(const char* op, const Tensor& x_given, int axis, const Tensor& index);

Tensor scatter_sum_dense(const char* op, const Tensor& x, const Shape& shape, int axis, const Tensor& index, const Tensor& source) {
  if (is_complex(source.dtype()))
    return view_as_complex(scatter_sum_dense(op, x.defined() ? view_as_real(x) : x, with_parts(shape), axis,
                                             index.unsqueeze(-1).expand(with_parts(index.shape())).contiguous(), view_as_real(source)));
  const DType wide = summed(op, source);
  if (wide != source.dtype())
    return scatter_sum_dense(op, x.defined() ? x.to(wide) : x, shape, axis, index, source.to(wide)).to(source.dtype());
  IndexMove p{op, AxisSplit(shape, axis), index.size(axis), index.shape(), wide, false, !x.defined()};
  Tensor y = place_sums(op, x, p, shape, index, source);
  return differentiable(op, y, {x, source}, [=, given = x.defined()](const std::vector<Tensor>& d) {
    return std::vector<Tensor>{given ? d[0] : Tensor(), gather_dense("gather", d[0], axis, index)};
  });
}

Tensor gather_dense(const char* op, const Tensor& x_given, int axis, const Tensor& index) {
  Tensor x = x_given.contiguous();
  Tensor y = Tensor::empty(index.shape(), x.dtype(), x.device());
  IndexMove p{op, AxisSplit(x.shape(), axis), index.size(axis), index.shape(), x.dtype(), false, false};
  launch(op, {x, index}, {y}, gather_kernel(x.device(), p));
  return differentiable(op, y, {x}, [=, shape = x.shape()](const std::vector<Tensor>& d) {
    return std::vector<Tensor>{scatter_sum_dense("scatter_add", {}, shape, axis, index, d[0])};
  });
}

Tensor scatter_dense(const Tensor& x_given, int axis, const Tensor& index, const Tensor& source_given) {
  Tensor x = x_given.contiguous(), source = source_given.contiguous();
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  IndexMove p{"scatter", AxisSplit(x.shape(), axis), index.size(axis), index.shape(), x.dtype(), false, false};
  launch("scatter", {x, index, source}, {y}, scatter_kernel(x.device(), p));
  return differentiable("scatter", y, {x, source}, [=, shape = x.shape()](const std::vector<Tensor>& d) {
    Tensor position = Tensor::arange(index.size(axis)).to(index.device()), last, won, zero;
    {
      NoGrad off;  // which source stayed: its own position comes back from its place
      for (int a = axis + 1; a < index.rank(); ++a) position = position.unsqueeze(-1);
      position = position.expand(index.shape()).contiguous();
      last = scatter_dense(Tensor::zeros(shape, DType::i64, index.device()), axis, index, position);
      won = equal(gather_dense("gather", last, axis, index), position);
      zero = Tensor::zeros(index.shape(), d[0].dtype(), index.device());
    }
    return std::vector<Tensor>{scatter_dense(d[0], axis, index, zero),
                               where(won, gather_dense("gather", d[0], axis, index), Tensor::zeros({}, d[0].dtype(), d[0].device()))};
  });
}

}  // namespace

Tensor scatter_sum(const char* op, int axis, std::int64_t n, const Tensor& index, const Tensor& source) {
  Shape shape = source.shape();
  shape[axis] = n;
  return scatter_sum_dense(op, {}, shape, axis, index.contiguous(), source);
}

Tensor scatter_distinct(const char* op, int axis, std::int64_t n, const Tensor& index_given, const Tensor& source) {
  Shape shape = source.shape();
  shape[axis] = n;
  const Tensor index = index_given.contiguous();
  Tensor y = Tensor::empty(shape, source.dtype(), source.device());
  const IndexMove p{op, AxisSplit(shape, axis), index.size(axis), index.shape(), source.dtype(), false, true};
  launch(op, {index, source.contiguous()}, {y}, scatter_kernel(y.device(), p));
  return differentiable(op, y, {source},
                        [=](const std::vector<Tensor>& d) { return std::vector<Tensor>{gather_dense("gather", d[0], axis, index)}; });
}

Tensor index_select(const Tensor& x, int axis, const Tensor& indices) {
  axis = indexed_axis("index_select", x, axis);
  return select_rows("index_select", x, axis, dense_index("index_select", x, indices));
}

Tensor index_add(const Tensor& x, int axis, const Tensor& indices, const Tensor& source) {
  axis = indexed_axis("index_add", x, axis);
  Tensor index = dense_index("index_add", x, indices);
  check_source("index_add", x, source, picked_shape("index_add", x.shape(), axis, index.shape()));
  return add_rows("index_add", x, x.shape(), axis, index, source);
}

Tensor gather(const Tensor& x, int axis, const Tensor& index_given) {
  axis = indexed_axis("gather", x, axis);
  Tensor index = dense_index("gather", x, index_given);
  check_aligned("gather", x, axis, index);
  return gather_dense("gather", x, axis, index);
}

Tensor scatter(const Tensor& x, int axis, const Tensor& index_given, const Tensor& source) {
  axis = indexed_axis("scatter", x, axis);
  Tensor index = dense_index("scatter", x, index_given);
  check_aligned("scatter", x, axis, index);
  check_source("scatter", x, source, index.shape());
  return scatter_dense(x, axis, index, source);
}

Tensor scatter_add(const Tensor& x, int axis, const Tensor& index_given, const Tensor& source) {
  axis = indexed_axis("scatter_add", x, axis);
  Tensor index = dense_index("scatter_add", x, index_given);
  check_aligned("scatter_add", x, axis, index);
  check_source("scatter_add", x, source, index.shape());
  return scatter_sum_dense("scatter_add", x, x.shape(), axis, index, source);
}

Tensor take(const Tensor& x, const Tensor& index) {
  check_defined("take", x, "x");
  return select_rows("take", x.reshape({x.numel()}), 0, dense_index("take", x, index));
}

}  // namespace tenon
