#include "climate/tasks/symmetry.hpp"

#include <algorithm>

namespace tenon::climate {
namespace {

std::int64_t mirrored(std::int64_t i, std::int64_t n, Boundary boundary) { return i > 0 ? n - i : boundary == Boundary::kept ? 0 : n - 1; }

/// Position in `rows` x `columns` that the turn brings to (r, c).
std::int64_t source(const Turn& t, std::int64_t rows, std::int64_t columns, std::int64_t r, std::int64_t c, Boundary boundary) {
  const std::int64_t rows_out = t.transpose ? columns : rows, columns_out = t.transpose ? rows : columns;
  if (t.flip_rows) r = rows_out - 1 - r;
  if (t.flip_columns) c = columns_out - 1 - c;
  if (t.mirror_rows) r = mirrored(r, rows_out, boundary);
  if (t.mirror_columns) c = mirrored(c, columns_out, boundary);
  return t.transpose ? c * columns + r : r * columns + c;
}

}  // namespace

std::vector<Turn> turns_of(const std::vector<std::string>& names) {
  std::vector<Turn> turns{{}};
  auto doubled = [&](bool Turn::* member) {
    const std::size_t n = turns.size();
    for (std::size_t i = 0; i < n; ++i) {
      turns.push_back(turns[i]);
      turns.back().*member = true;
    }
  };
  auto has = [&](const char* name) { return std::find(names.begin(), names.end(), name) != names.end(); };
  if (has("transpose")) doubled(&Turn::transpose);
  if (has("flip_rows")) doubled(&Turn::flip_rows);
  if (has("flip_columns")) doubled(&Turn::flip_columns);
  if (has("mirror_rows")) doubled(&Turn::mirror_rows);
  if (has("mirror_columns")) doubled(&Turn::mirror_columns);
  return turns;
}

void apply_turn(const Turn& turn, const float* from, std::int64_t rows, std::int64_t columns, std::int64_t channels, float* out, Boundary boundary) {
  const std::int64_t rows_out = turn.transpose ? columns : rows, columns_out = turn.transpose ? rows : columns;
  for (std::int64_t r = 0; r < rows_out; ++r)
    for (std::int64_t c = 0; c < columns_out; ++c)
      std::copy_n(from + source(turn, rows, columns, r, c, boundary) * channels, channels, out + (r * columns_out + c) * channels);
}

void undo_turn(const Turn& turn, const float* from, std::int64_t rows, std::int64_t columns, std::int64_t channels, float* out) {
  const std::int64_t rows_in = turn.transpose ? columns : rows, columns_in = turn.transpose ? rows : columns;
  for (std::int64_t r = 0; r < rows_in; ++r)
    for (std::int64_t c = 0; c < columns_in; ++c)
      std::copy_n(from + (r * columns_in + c) * channels, channels, out + source(turn, rows, columns, r, c, Boundary::kept) * channels);
}

}  // namespace tenon::climate
