/// Writes CF NetCDF: NetCDF-4 (deflate and shuffle by option) or classic with 64-bit offsets (CDF-2).
///
/// Coordinates, bounds, units, calendar, labels, auxiliary arrays and attributes of the arrays are put back, coordinates and auxiliary arrays in the type that
/// their file had where it holds them exactly (stored.hpp); missing values become the default fill of their type, stated as `_FillValue`. `history` gains a line with the time and what was done. Time is written in whole units of its axis where
/// these hold it exactly, else in the coarsest of days, hours, minutes, seconds and microseconds since the same reference that do.
/// Dimensions that were unlimited stay so (records.hpp).
/// The file appears whole or not at all.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "climate/io/dataset.hpp"

namespace tenon::climate {

struct WriteOptions {
  bool classic = false;
  int deflate = 0;        ///< 0: none, to 9; NetCDF-4 alone
  std::string history;    ///< what was done: a command line; empty: no line is added
  std::function<void(const std::string&)> note = {};  ///< what is not kept, one line each
  std::function<void()> between = {};  ///< called between pieces of large arrays; what it throws ends the writing, of which nothing stays
};

/// Variables may share axes; axes of one name must be equal. Throws climate.write for what NetCDF cannot hold, io.no_space and its kin.
void write_netcdf(const std::filesystem::path& path, const Dataset& dataset, const WriteOptions& options = {});
void write_netcdf(const std::filesystem::path& path, const LabelledArray& array, const WriteOptions& options = {});

}  // namespace tenon::climate
