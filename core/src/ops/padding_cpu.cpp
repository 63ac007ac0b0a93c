/// The CPU kernel of padding by tables: blocks of rows in parallel, runs of a row copied whole.
#include <algorithm>
#include <cstring>

#include "backend/cpu/rows.hpp"
#include "ops/padding_kernels.hpp"

namespace tenon {
namespace {

void fill_bytes(char* to, std::int64_t bytes, const TablePadding& p) {
  if (p.fill == 0) {
    std::memset(to, 0, std::size_t(bytes));
    return;
  }
  for (std::int64_t b = 0; b < bytes; b += p.fill_bytes) std::memcpy(to + b, &p.fill, std::size_t(p.fill_bytes));
}

Kernel pad_by_table(const TablePadding& p) {
  std::int64_t rows = 1;
  for (std::size_t a = 0; a + 1 < p.axes->size(); ++a) rows *= (*p.axes)[a].to;
  return [p, rows](void* const* o) {
    const char* from = static_cast<const char*>(o[0]);
    char* to = static_cast<char*>(o[1]);
    const auto& axes = *p.axes;
    const PaddedAxis& last = axes.back();
    const std::int64_t width = last.to * p.element;
    parallel_blocks(rows, cpu::move_grain(rows, width), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) {
        std::int64_t source = 0, step = 1, rest = r;
        bool inside = true;
        for (std::size_t a = axes.size() - 1; a-- > 0; rest /= axes[a].to) {
          const std::int64_t at = axes[a].source[std::size_t(rest % axes[a].to)];
          inside = inside && at >= 0;
          source += at * step;
          step *= axes[a].from;
        }
        char* row = to + r * width;
        if (!inside) {
          fill_bytes(row, width, p);
          continue;
        }
        const char* line = from + source * last.from * p.element;
        for (const PaddedAxis::Run& run : last.runs) {
          if (run.from < 0)
            fill_bytes(row + run.to * p.element, run.count * p.element, p);
          else
            cpu::copy_rows(row + run.to * p.element, 0, line + run.from * p.element, 0, run.count * p.element, 1);
        }
      }
    });
  };
}

}  // namespace

KernelSlot<const TablePadding&> table_padding_kernel("pad_axes", pad_by_table);

}  // namespace tenon
