/// The dimensions of a written file that may grow: those that were unlimited where they came from (kUnlimited of stored.hpp), as tools that
/// append records ask for. A classic file has one at most, and it comes first in every variable: others are written with the size they have.
#pragma once

#include <cstdint>
#include <map>
#include <netcdf>
#include <string>
#include <vector>

#include "climate/io/dataset.hpp"

namespace tenon::climate {

class Records {
 public:
  Records(const Dataset& data, bool classic);

  bool contains(const std::string& dimension) const { return sizes_.count(dimension) != 0; }
  /// Of what is written: an unlimited dimension of a new file is empty until then.
  std::size_t size(const netCDF::NcDim& dimension) const;
  /// Chunks of a NetCDF-4 variable along such a dimension: whole records, about a megabyte of them. libnetcdf's own are one record, however small.
  void set_chunks(netCDF::NcVar& variable, const std::vector<netCDF::NcDim>& dimensions, std::size_t bytes_of_value) const;

  /// All values of a variable.
  template <class T> void put(const netCDF::NcVar& variable, const T* values) const {
    std::vector<std::size_t> start, count;
    for (const auto& d : variable.getDims()) {
      start.push_back(0);
      count.push_back(size(d));
    }
    if (count.empty()) variable.putVar(values);
    else variable.putVar(start, count, values);
  }

 private:
  std::map<std::string, std::size_t> sizes_;
};

}  // namespace tenon::climate
