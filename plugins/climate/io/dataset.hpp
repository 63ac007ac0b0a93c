/// Variables of a CF NetCDF file as labelled arrays, and back.
///
///     auto file = open_netcdf("tas.nc");
///     LabelledArray tas = read_variable(*file, "tas");   // or read_netcdf("tas.nc", "tas")
///
/// Values are unpacked (unpack.hpp), missing ones NaN. Axes are in the file's order, with coordinates as stored, bounds, and time in whole ticks
/// (`Axis::time`); find them by role with find_axis of coordinates.hpp. What is odd but no defect goes to `ReadOptions::note`.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "climate/io/coordinates.hpp"
#include "climate/io/netcdf_file.hpp"
#include "tenon/labelled.hpp"

namespace tenon::climate {

struct ReadOptions {
  CoordinateOptions coordinates;
  std::vector<double> mask_values;                       ///< values, as unpacked, to take as missing
  bool whole_records = false;                            ///< see OpenOptions
  bool auxiliary = true;                                 ///< read what `coordinates` and `grid_mapping` name, too
  std::function<void(const std::string&)> note = {};     ///< one line each
};

/// Names of the variables that are data: no coordinates, bounds, nor what others name as theirs. In the file's order.
std::vector<std::string> data_variables(const NetcdfFile& file);
/// The one data variable of numbers; throws climate.which_variable, listing them, where there are several.
std::string only_variable(const NetcdfFile& file);

LabelledArray read_variable(const NetcdfFile& file, const std::string& name, const ReadOptions& options = {});
/// `name` empty: the only one.
LabelledArray read_netcdf(const std::filesystem::path& path, const std::string& name = {}, const ReadOptions& options = {});

/// A variable without its values, which are read in blocks of rows along the first axis: memory does not grow with the file.
struct VariableBlocks {
  LabelledArray labels;              ///< values: not defined
  std::vector<std::int64_t> sizes;   ///< of the axes
  std::int64_t rows = 1;             ///< of a block: whole chunks
  DType dtype = DType::f32;          ///< f32 or f64
  std::function<Tensor(std::int64_t first, std::int64_t count)> read;  ///< [count, sizes[1]...], as read_variable would give them; while `file` is there
};
/// Nothing where the values decide together how they are given (whole numbers that are not packed), where an axis is to be put in another order, and for a scalar.
std::optional<VariableBlocks> variable_in_blocks(const NetcdfFile& file, const std::string& name, const ReadOptions& options = {});

/// Several variables and the attributes of their file.
struct Dataset {
  std::vector<LabelledArray> variables;
  std::map<std::string, std::string> attributes;
  std::map<std::string, std::vector<double>> numbers;
};
/// The named variables, or all data variables of numbers.
Dataset read_dataset(const NetcdfFile& file, const std::vector<std::string>& names = {}, const ReadOptions& options = {});

}  // namespace tenon::climate
