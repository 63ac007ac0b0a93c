/// The dimensions of a written file that may grow: those that were unlimited where they came from (kUnlimited of stored.hpp), as tools that
/// append records ask for. A classic file has one at most, and it comes first in every variable: others are written with the size they have.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <netcdf>
#include <string>
#include <type_traits>
#include <vector>

#include "climate/io/dataset.hpp"

namespace tenon::climate {

class Records {
 public:
  /// `between`: see WriteOptions.
  Records(const Dataset& data, bool classic, std::function<void()> between = {});

  bool contains(const std::string& dimension) const { return sizes_.count(dimension) != 0; }
  /// Of what is written: an unlimited dimension of a new file is empty until then.
  std::size_t size(const netCDF::NcDim& dimension) const;
  /// Chunks of a NetCDF-4 variable along such a dimension: whole records, about a megabyte of them. libnetcdf's own are one record, however small.
  void set_chunks(netCDF::NcVar& variable, const std::vector<netCDF::NcDim>& dimensions, std::size_t bytes_of_value) const;

  /// All values of a variable; large ones in pieces of whole chunks along its first dimension.
  template <class T> void put(const netCDF::NcVar& variable, const T* values) const {
    std::vector<std::size_t> start, count;
    std::size_t row = 1;
    for (const auto& d : variable.getDims()) {
      start.push_back(0);
      count.push_back(size(d));
      if (start.size() > 1) row *= count.back();
    }
    if (count.empty()) return variable.putVar(values);
    std::size_t step = count[0];
    if constexpr (!std::is_void_v<T> && !std::is_pointer_v<T>) step = rows_at_once(variable, row * sizeof(T), count[0]);
    const std::size_t rows = count[0];
    for (std::size_t first = 0; first < rows; first += step) {
      if (first > 0 && between_) between_();
      start[0] = first;
      count[0] = std::min(step, rows - first);
      if constexpr (std::is_void_v<T>) variable.putVar(start, count, values);
      else variable.putVar(start, count, values + first * row);
    }
  }

 private:
  std::size_t rows_at_once(const netCDF::NcVar& variable, std::size_t bytes_of_row, std::size_t rows) const;

  std::function<void()> between_;
  std::map<std::string, std::size_t> sizes_;
};

}  // namespace tenon::climate
