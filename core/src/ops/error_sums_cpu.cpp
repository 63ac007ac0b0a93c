/// CPU kernel of the sums of errors: parts of rows in parallel, added up in order.
#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <mutex>

#include "backend/cpu/tiles.hpp"
#include "ops/metric_kernels.hpp"

namespace tenon {
namespace {

constexpr std::int64_t kTile = 512, kNone = std::numeric_limits<std::int64_t>::max();

/// Four neighbours.
using Four = double __attribute__((vector_size(32)));
Four four(const double* from) {
  Four v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

/// A floating operand, in tiles of doubles.
class Operand {
 public:
  Operand(DType type, const void* data) : type_(type), data_(static_cast<const char*>(data)), load_(type == DType::f64 ? nullptr : cpu::tile_loader<float>(type)) {}
  const double* tile(std::int64_t at, std::int64_t n, double* buffer) const {
    const char* from = data_ + at * std::int64_t(size_of(type_));
    if (!load_) return reinterpret_cast<const double*>(from);
    float values[kTile];
    load_(from, 1, values, n);
    for (std::int64_t i = 0; i < n; ++i) buffer[i] = double(values[i]);
    return buffer;
  }

 private:
  DType type_;
  const char* data_;
  cpu::LoadTile<float> load_;
};

struct Part {
  double sums[kErrorSums] = {};
  std::int64_t refused = kNone, value = 0;
};

/// The first element that is not taken, if any.
template <class Element>
void find_refused(std::int64_t first, std::int64_t n, bool climatology, const Element& element, Part& part) {
  for (std::int64_t i = 0; i < n && part.refused == kNone; ++i) {
    const ErrorElement<double> e = element(i);
    if (e.is_taken(climatology)) continue;
    part.refused = refused_at(first + i, why_refused(e));
    part.value = std::bit_cast<std::int64_t>(blamed(e));
  }
}

/// Elements [first, first + n) of all, which are those from `in_row` of a row.
void add_part(const ErrorSumming& p, const Operand& x, const Operand& truth, const Operand* weights, const Operand* centres, const double* means, std::int64_t first,
              std::int64_t in_row, std::int64_t n, Part& part) {
  const bool climatology = centres != nullptr;
  double space[5][kTile];
  const double *w = space[2], *x_centre = space[3], *truth_centre = space[4];
  if (!weights) std::fill_n(space[2], kTile, 1.0);
  if (!climatology) {
    std::fill_n(space[3], kTile, means ? means[0] : 0);
    std::fill_n(space[4], kTile, means ? means[p.cut.rows] : 0);
  }
  Four sums[kErrorSums] = {};
  for (std::int64_t at = 0; at < n; at += kTile) {
    const std::int64_t some = std::min(kTile, n - at), whole = some / 4 * 4;
    const double *a = x.tile(first + at, some, space[0]), *b = truth.tile(first + at, some, space[1]);
    if (weights) w = weights->tile((p.weights == Given::each ? first : in_row) + at, some, space[2]);
    if (climatology) x_centre = truth_centre = centres->tile((p.centres == Given::each ? first : in_row) + at, some, space[3]);
    auto taken = Four{} == Four{};
    for (std::int64_t i = 0; i < whole; i += 4) {
      const ErrorElement<Four> e{four(a + i), four(b + i), four(w + i), four(x_centre + i), four(truth_centre + i)};
      taken &= e.is_taken(climatology);
#pragma GCC unroll 9
      for (int m = 0; m < kErrorSums; ++m) sums[m] += e.term(m);
    }
    const auto element = [&](std::int64_t i) { return ErrorElement<double>{a[i], b[i], w[i], x_centre[i], truth_centre[i]}; };
    for (std::int64_t i = whole; i < some; ++i) {
      const ErrorElement<double> e = element(i);
      if (!e.is_taken(climatology)) taken[0] = 0;
      for (int m = 0; m < kErrorSums; ++m) sums[m][0] += e.term(m);
    }
    if (!(taken[0] && taken[1] && taken[2] && taken[3])) find_refused(first + at, some, climatology, element, part);
  }
  for (int m = 0; m < kErrorSums; ++m) part.sums[m] = (sums[m][0] + sums[m][1]) + (sums[m][2] + sums[m][3]);
}

Kernel make_error_sums(const ErrorSumming& p) {
  return [p](void* const* o) {
    const std::int64_t rows = p.cut.rows, n = p.cut.n, parts = p.cut.parts(), length = p.cut.part();
    const Operand x(p.x, o[0]), truth(p.truth, o[1]);
    void* const* next = o + 2;
    const Operand weights(p.weight, p.weights == Given::none ? nullptr : *next++), centres(p.centre, p.centres == Given::none ? nullptr : *next++);
    const double* means = p.means ? static_cast<const double*>(*next++) : nullptr;
    double *partial = static_cast<double*>(next[0]), *sums = static_cast<double*>(next[1]);
    std::mutex mutex;
    std::int64_t refused = kNone, value = 0;
    parallel_blocks(rows * parts, std::max<std::int64_t>(1, RowParts::kLeast / length), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t row = i / parts, at = i % parts * length;
        Part part;
        add_part(p, x, truth, p.weights == Given::none ? nullptr : &weights, p.centres == Given::none ? nullptr : &centres, means ? means + row : nullptr, row * n + at, at,
                 std::min(length, n - at), part);
        for (int m = 0; m < kErrorSums; ++m) (parts > 1 ? partial[(row * kErrorSums + m) * parts + i % parts] : sums[m * rows + row]) = part.sums[m];
        if (part.refused == kNone) continue;
        const std::lock_guard lock(mutex);
        if (part.refused < refused) refused = part.refused, value = part.value;
      }
    });
    if (parts > 1)
      for (std::int64_t row = 0; row < rows; ++row)
        for (int m = 0; m < kErrorSums; ++m) {
          double sum = 0;
          for (std::int64_t k = 0; k < parts; ++k) sum += partial[(row * kErrorSums + m) * parts + k];
          sums[m * rows + row] = sum;
        }
    for (std::int64_t row = 0; row < rows && refused == kNone; ++row)
      if (sums[row] == 0) refused = kNoWeight + row, value = rows;
    if (refused != kNone) refuse_metric(p.op, value, refused);
  };
}

}  // namespace

KernelSlot<const ErrorSumming&> error_sums_kernel("error_sums", make_error_sums);

}  // namespace tenon
