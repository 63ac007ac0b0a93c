/// The symmetries of a square: transposing a field and flipping its axes, to vary training samples and to average predictions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tenon::climate {

/// First transposed, then flipped or mirrored.
///
/// flip: of cells, the first row becomes the last. mirror: of points that hold one boundary and not the other (row 0 lies on it, the last row one step
/// before the opposite one): row r becomes row rows - r, row 0 stays.
struct Turn {
  bool transpose = false, flip_rows = false, flip_columns = false, mirror_rows = false, mirror_columns = false;
};

/// What a mirrored field has on its boundary, which was the other one, where the field is not known.
enum class Boundary {
  kept,      ///< what it had: for a field that is the same on both, as a target that vanishes there; its inverse is undo_turn
  neighbour  ///< the value one step inside
};

/// All combinations of the named symmetries ("transpose", "flip_rows", "flip_columns", "mirror_rows", "mirror_columns"), the identity first.
std::vector<Turn> turns_of(const std::vector<std::string>& names);
/// out [rows', columns', channels] = turned `from` [rows, columns, channels]; rows' and columns' change places where it transposes.
void apply_turn(const Turn& turn, const float* from, std::int64_t rows, std::int64_t columns, std::int64_t channels, float* out, Boundary boundary = Boundary::kept);
/// Its inverse; rows and columns are those of the result.
void undo_turn(const Turn& turn, const float* from, std::int64_t rows, std::int64_t columns, std::int64_t channels, float* out);

}  // namespace tenon::climate
