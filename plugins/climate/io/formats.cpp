#include "climate/io/formats.hpp"

#include "climate/io/dataset.hpp"
#include "climate/io/netcdf_file.hpp"
#include "climate/io/writer.hpp"

namespace tenon::climate {

FormatEntry netcdf_format() {
  FormatEntry e;
  e.name = "netcdf";
  e.help = "CF NetCDF: classic (CDF-1, -2, -5) and NetCDF-4; calendars, packing and missing values by the conventions";
  e.extensions = {".nc", ".nc4", ".cdf"};
  e.sniff = [](const std::filesystem::path&, std::span<const std::byte> head) { return is_netcdf(head); };
  e.params = {text_param("variable", "", "variable to read; empty: the only one")};
  e.read = [](const std::filesystem::path& path, const ParamValues& p) { return read_netcdf(path, p.has("variable") ? p.text("variable") : std::string()); };
  e.write = [](const std::filesystem::path& path, const LabelledArray& array, const ParamValues&) { write_netcdf(path, array, {.history = "tenon"}); };
  return e;
}

}  // namespace tenon::climate
