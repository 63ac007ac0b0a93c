/// Ops that lay out elements by a pattern: views where there is one, otherwise one pass over bytes.
#include <algorithm>
#include <cstring>
#include <limits>

#include "backend/cpu/rows.hpp"
#include "ops/arrange_kernels.hpp"
#include "ops/axis_split.hpp"
#include "ops/check.hpp"
#include "tenon/autograd.hpp"
#include "tenon/indexing.hpp"
#include "tenon/ops.hpp"

namespace tenon {
namespace {

// ---- roll ----------------------------------------------------------------------------------------------------------

Kernel make_roll(const Rotation& p) {
  return [p](void* const* o) {
    const char* from = static_cast<const char*>(o[0]);
    char* to = static_cast<char*>(o[1]);
    const int last = p.shape.rank() - 1;
    const std::int64_t width = p.shape[-1] * p.element, head = p.shift[-1] * p.element, lines = p.shape.numel() / p.shape[-1];
    parallel_blocks(lines, cpu::move_grain(lines, width), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t line = begin; line < end; ++line) {
        std::int64_t source = 0, rest = line, stride = 1;
        for (int a = last - 1; a >= 0; rest /= p.shape[a], stride *= p.shape[a], --a) {
          const std::int64_t i = rest % p.shape[a] - p.shift[a];
          source += (i < 0 ? i + p.shape[a] : i) * stride;
        }
        cpu::copy_rows(to + line * width, 0, from + (source + 1) * width - head, 0, head, 1);
        cpu::copy_rows(to + line * width + head, 0, from + source * width, 0, width - head, 1);
      }
    });
  };
}

// ---- triangles -------------------------------------------------------------------------------------------------------

Kernel make_triangle(const Triangle& p) {
  return [p](void* const* o) {
    const char* from = static_cast<const char*>(o[0]);
    char* to = static_cast<char*>(o[1]);
    const std::int64_t width = p.columns * p.element;
    parallel_blocks(p.matrices * p.rows, cpu::move_grain(p.matrices * p.rows, width), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t line = begin; line < end; ++line) {
        // columns up to the diagonal itself for the lower part, up to the one before it for the upper
        const std::int64_t cut = std::clamp<std::int64_t>(line % p.rows + p.diagonal + p.lower, 0, p.columns) * p.element;
        const std::int64_t kept = line * width + (p.lower ? 0 : cut), zeros = line * width + (p.lower ? cut : 0),
                           n = p.lower ? cut : width - cut;
        std::memcpy(to + kept, from + kept, std::size_t(n));
        std::memset(to + zeros, 0, std::size_t(width - n));
      }
    });
  };
}

Tensor triangle(const char* op, const Tensor& x_given, std::int64_t diagonal, bool lower) {
  check_defined(op, x_given, "x");
  if (x_given.rank() < 2) throw_usage(op, x_given.str() + " has no matrices", "x is [.., m, n]");
  Tensor x = x_given.contiguous(), y = Tensor::empty(x.shape(), x.dtype(), x.device());
  const std::int64_t rows = x.size(-2), columns = x.size(-1), far = rows + columns;
  if (x.numel())
    launch(op, {x}, {y},
           triangle_kernel(x.device(), Triangle{x.numel() / (rows * columns), rows, columns, std::clamp(diagonal, -far, far), lower,
                                                std::int64_t(size_of(x.dtype()))}));
  return differentiable(op, y, {x}, [=](const std::vector<Tensor>& d) { return std::vector<Tensor>{triangle(op, d[0], diagonal, lower)}; });
}

// ---- diagonals ---------------------------------------------------------------------------------------------------------

struct Diagonal {
  std::int64_t offset;
  int rows, columns;  ///< axes
  std::int64_t length(const Shape& s) const {
    return std::max<std::int64_t>(0, offset < 0 ? std::min(s[rows] + offset, s[columns]) : std::min(s[rows], s[columns] - offset));
  }
  /// A view without history.
  Tensor view(const Tensor& x) const {
    Shape shape, strides;
    for (int a = 0; a < x.rank(); ++a)
      if (a != rows && a != columns) {
        shape.push_back(x.size(a));
        strides.push_back(x.strides()[a]);
      }
    shape.push_back(length(x.shape()));
    strides.push_back(x.strides()[rows] + x.strides()[columns]);
    std::int64_t skipped = 0;
    if (shape[-1]) skipped = offset < 0 ? -offset * x.strides()[rows] : offset * x.strides()[columns];
    return x.alias(shape, strides, x.offset() + skipped);
  }
};

Tensor put_diagonal(const char* op, const Diagonal& g, const Shape& shape, const Tensor& x);

Tensor get_diagonal(const Diagonal& g, const Tensor& x) {
  return differentiable("diagonal", g.view(x), {x}, [g, shape = x.shape()](const std::vector<Tensor>& d) {
    return std::vector<Tensor>{put_diagonal("diagonal", g, shape, d[0])};
  });
}

/// Zeros of `shape` but for x on the diagonal.
Tensor put_diagonal(const char* op, const Diagonal& g, const Shape& shape, const Tensor& x) {
  Tensor y = Tensor::zeros(shape, x.dtype(), x.device());
  g.view(y).assign(x);
  return differentiable(op, y, {x}, [g](const std::vector<Tensor>& d) { return std::vector<Tensor>{get_diagonal(g, d[0])}; });
}

void check_count(const char* op, std::int64_t count, const Tensor& x) {
  if (count < 0) throw_usage(op, std::to_string(count) + " copies of " + x.str(), "give 0 or more");
}

/// [a.., n, b..] -> [a.., count n, b..]: whole runs of the axis one after another, or each position repeated in place.
Tensor repeated(const char* op, const Tensor& x, int axis, std::int64_t count, bool each) {
  if (count == 1) return x;
  const AxisSplit s(x.shape(), axis);
  Shape to = x.shape();
  to[axis] = size_times(op, to[axis], count);
  check_result(op, to, x.dtype());
  Tensor lines = each ? x.reshape({s.outer * s.n, 1, s.inner}).expand({s.outer * s.n, count, s.inner})
                      : x.reshape({s.outer, 1, s.n * s.inner}).expand({s.outer, count, s.n * s.inner});
  return lines.reshape(to);
}

}  // namespace

KernelSlot<const Rotation&> roll_kernel("roll", make_roll);
KernelSlot<const Triangle&> triangle_kernel("tril", make_triangle);

Tensor roll(const Tensor& x_given, const std::vector<std::int64_t>& shifts, const std::vector<int>& axes) {
  check_defined("roll", x_given, "x");
  if (shifts.size() != axes.size())
    throw_usage("roll", std::to_string(shifts.size()) + " shifts for " + std::to_string(axes.size()) + " axes of " + x_given.str(),
                "give one an axis");
  Shape shift = x_given.shape();
  std::vector<std::int64_t> back;
  std::fill(&shift[0], &shift[0] + shift.rank(), 0);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const int a = check_axis("roll", x_given, axes[i]);
    const std::int64_t n = std::max<std::int64_t>(1, x_given.size(a)), s = shifts[i] % n;
    shift[a] = ((shift[a] + s) % n + n) % n;  // an axis given twice is rolled twice
    back.push_back(-s);
  }
  int kept = x_given.rank();
  while (kept > 0 && shift[kept - 1] == 0) --kept;
  if (kept == 0) return x_given;
  Tensor x = x_given.contiguous(), y = Tensor::empty(x.shape(), x.dtype(), x.device());
  Rotation p{{}, {}, std::int64_t(size_of(x.dtype()))};
  for (int a = 0; a < kept; ++a) {
    p.shape.push_back(x.size(a));
    p.shift.push_back(shift[a]);
  }
  for (int a = kept; a < x.rank(); ++a) p.element *= x.size(a);
  if (x.numel()) launch("roll", {x}, {y}, roll_kernel(x.device(), p));
  return differentiable("roll", y, {x}, [back, axes](const std::vector<Tensor>& d) { return std::vector<Tensor>{roll(d[0], back, axes)}; });
}

Tensor tile(const Tensor& x, const std::vector<std::int64_t>& counts) {
  check_defined("tile", x, "x");
  if (counts.size() > std::size_t(kMaxRank)) throw_usage("tile", std::to_string(counts.size()) + " counts for " + x.str(), "at most " + std::to_string(kMaxRank));
  Tensor y = x;
  for (std::size_t missing = std::size_t(x.rank()); missing < counts.size(); ++missing) y = y.unsqueeze(0);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const std::int64_t count = counts[counts.size() - 1 - i];
    check_count("tile", count, x);
    y = repeated("tile", y, y.rank() - 1 - int(i), count, false);
  }
  return y;
}

Tensor repeat(const Tensor& x, std::int64_t count, int axis) {
  check_defined("repeat", x, "x");
  axis = check_axis("repeat", x, axis);
  check_count("repeat", count, x);
  return repeated("repeat", x, axis, count, true);
}

Tensor stack(const std::vector<Tensor>& parts, int axis) {
  if (parts.empty()) throw_usage("stack", "no tensors given");
  for (const Tensor& t : parts) {
    check_defined("stack", t, "a part");
    if (t.shape() != parts[0].shape() || t.dtype() != parts[0].dtype())
      throw_usage("stack", t.str() + " beside " + parts[0].str(), "shapes and types must be equal");
    check_same_device("stack", parts[0], t);
  }
  const int rank = parts[0].rank();
  if (rank == kMaxRank) throw_usage("stack", "parts " + parts[0].str() + " have no room for another axis");
  if (axis < -rank - 1 || axis > rank) throw_usage("stack", "axis " + std::to_string(axis) + " for parts " + parts[0].str());
  std::vector<Tensor> raised;
  for (const Tensor& t : parts) raised.push_back(t.unsqueeze(axis));
  return concat(raised, axis);
}

Tensor tril(const Tensor& x, std::int64_t diagonal) {
  return triangle("tril", x, diagonal, true);
}
Tensor triu(const Tensor& x, std::int64_t diagonal) {
  return triangle("triu", x, diagonal, false);
}

Tensor diagonal(const Tensor& x, std::int64_t offset, int axis1, int axis2) {
  check_defined("diagonal", x, "x");
  if (x.rank() < 2) throw_usage("diagonal", x.str() + " has no two axes");
  Diagonal g{offset, check_axis("diagonal", x, axis1), check_axis("diagonal", x, axis2)};
  if (g.rows == g.columns)
    throw_usage("diagonal", "axes " + std::to_string(axis1) + " and " + std::to_string(axis2) + " of " + x.str() + " are one");
  return get_diagonal(g, x);
}

Tensor diag_embed(const Tensor& x, std::int64_t offset) {
  check_defined("diag_embed", x, "x");
  if (x.rank() < 1 || x.rank() == kMaxRank) throw_usage("diag_embed", x.str() + " cannot become [.., n, n]");
  Shape shape = x.shape();
  constexpr std::int64_t kFar = std::numeric_limits<std::int64_t>::max();
  shape[-1] = size_plus("diag_embed", shape[-1], offset < -kFar ? kFar : std::abs(offset));
  shape.push_back(shape[-1]);
  check_result("diag_embed", shape, x.dtype());
  return put_diagonal("diag_embed", {offset, x.rank() - 1, x.rank()}, shape, x);
}

std::vector<Tensor> meshgrid(const std::vector<Tensor>& lines) {
  Shape shape;
  if (lines.size() > std::size_t(kMaxRank))
    throw_usage("meshgrid", std::to_string(lines.size()) + " lines", "at most " + std::to_string(kMaxRank));
  for (const Tensor& t : lines) {
    check_defined("meshgrid", t, "a line");
    if (t.rank() != 1) throw_usage("meshgrid", t.str() + " is not a line", "each is [n]");
    shape.push_back(t.size(0));
  }
  std::vector<Tensor> out;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    Shape along = shape;
    for (int a = 0; a < shape.rank(); ++a)
      if (a != int(i)) along[a] = 1;
    out.push_back(lines[i].reshape(along).expand(shape));
  }
  return out;
}

}  // namespace tenon
