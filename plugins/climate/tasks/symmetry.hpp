/// The symmetries of a square: transposing a field and flipping its axes, to vary training samples and to average predictions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tenon::climate {

/// First transposed, then flipped.
struct Turn {
  bool transpose = false, flip_rows = false, flip_columns = false;
};

/// All combinations of the named symmetries ("transpose", "flip_rows", "flip_columns"), the identity first.
std::vector<Turn> turns_of(const std::vector<std::string>& names);
/// out [rows', columns', channels] = turned `from` [rows, columns, channels]; rows' and columns' change places where it transposes.
void apply_turn(const Turn& turn, const float* from, std::int64_t rows, std::int64_t columns, std::int64_t channels, float* out);
/// Its inverse; rows and columns are those of the result.
void undo_turn(const Turn& turn, const float* from, std::int64_t rows, std::int64_t columns, std::int64_t channels, float* out);

}  // namespace tenon::climate
