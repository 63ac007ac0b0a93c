/// The header of a classic NetCDF file, CDF-1, -2 and -5
/// (https://docs.unidata.ucar.edu/netcdf-c/current/file_format_specifications.html), held against the file's size before memory is taken.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "climate/io/netcdf_file.hpp"
#include "tenon/io/file.hpp"

namespace tenon::climate {

/// Where the values of a variable lie.
struct ClassicExtent {
  std::uint64_t begin = 0;   ///< byte of its first value
  std::uint64_t bytes = 0;   ///< of all its values, or of those of one record
  bool record = false;
};

struct ClassicHeader {
  Header header;
  std::vector<ClassicExtent> extents;  ///< one a variable
  std::uint64_t record_bytes = 0;      ///< from one record to the next
};

/// Throws climate.header (with the byte offset) for what the format does not allow, climate.truncated where the file ends too early.
/// `whole_records`: of a file that ends too early, take the records that are whole.
ClassicHeader read_classic_header(File& file, bool whole_records);

}  // namespace tenon::climate
