/// One field on a latitude-longitude grid, its box means, and the classical ways back from them: what super-resolution starts from.
///
/// A coarse cell is the mean of factor x factor fine points. Fine values of a coarse grid are held "by cell": [rows, columns, factor factor], the
/// sub-points of a cell row by row; this is space_to_depth's layout.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "climate/tasks/field_series.hpp"

namespace tenon::climate {

struct FineField {
  std::string variable, unit;
  GridSpec grid;
  std::vector<float> values;  ///< rows x columns, finite
  bool global = false;        ///< the longitudes go around the globe evenly
  LabelledArray source;       ///< axes and attributes; its values are dropped
  std::string history;        ///< the file's attribute
};

/// Reads a variable that has latitude and longitude and no other axis longer than 1. Throws climate.axes and climate.missing.
FineField read_fine_field(const std::filesystem::path& file, const std::string& variable);
/// Without the last rows and columns that fill no whole cell of `factor`.
void trim_to_cells(FineField& field, std::int64_t factor);

/// Means of factor x factor boxes of `fine` [rows factor, columns factor] (row stride `stride`): out [rows, columns].
void box_means(const float* fine, std::int64_t stride, std::int64_t rows, std::int64_t columns, std::int64_t factor, float* out);
/// `fine` by cell.
void by_cell(const float* fine, std::int64_t stride, std::int64_t rows, std::int64_t columns, std::int64_t factor, float* out);

enum class Upsampling { nearest, linear, cubic };  ///< cubic: Keys' kernel with a = -1/2
/// `coarse` [rows, columns] to fine values by cell; beyond the edges the edge's value is read.
void upsample(const float* coarse, std::int64_t rows, std::int64_t columns, std::int64_t factor, Upsampling method, float* out);
/// Adds to each cell what makes its mean that of `coarse`: box means are kept exactly (to rounding).
void keep_means(const float* coarse, std::int64_t cells, std::int64_t factor, float* by_cell);

}  // namespace tenon::climate
