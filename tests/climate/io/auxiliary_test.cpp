/// What belongs to a variable is read, and written again as it was: by libnetcdf's own hand on both ends.
#include "climate/io/auxiliary.hpp"

#include <netcdf.h>

#include <set>

#include "climate/grid/regrid.hpp"
#include "climate/io/stored.hpp"
#include "climate/io/writer.hpp"
#include "climate/test_data.hpp"
#include "climate/tools/common.hpp"
#include "climate/tools/tools.hpp"

using namespace tenon;
using namespace tenon::climate;
using namespace tenon::climate_test;

namespace {

void ok(int status) {
  INFO(nc_strerror(status));
  REQUIRE(status == NC_NOERR);
}

/// A file under construction: variables are defined, then filled.
class Made {
 public:
  explicit Made(const std::filesystem::path& path) { ok(nc_create(path.c_str(), NC_NETCDF4 | NC_CLOBBER, &id_)); }
  ~Made() { nc_close(id_); }
  int dim(const char* name, std::size_t n) {
    int d = 0;
    ok(nc_def_dim(id_, name, n, &d));
    return d;
  }
  int var(const char* name, nc_type type, const std::vector<int>& dims, const std::vector<std::pair<const char*, const char*>>& attributes = {}) {
    int v = 0;
    ok(nc_def_var(id_, name, type, int(dims.size()), dims.data(), &v));
    for (const auto& [key, text] : attributes) ok(nc_put_att_text(id_, v, key, std::string(text).size(), text));
    return v;
  }
  void put(int v, const std::vector<double>& values) { ok(nc_put_var_double(id_, v, values.data())); }
  void text(int v, const std::string& text) { ok(nc_put_var_text(id_, v, text.data())); }
  int id() const { return id_; }

 private:
  int id_ = -1;
};

/// Two levels in hybrid coordinates, a time, a mask of the kind of surface as text, a scalar depth with its bounds, links out of the file.
void make_hybrid(const std::filesystem::path& path) {
  Made f(path);
  const int time = f.dim("time", 2), lev = f.dim("lev", 2), lat = f.dim("lat", 4), lon = f.dim("lon", 8), bnds = f.dim("bnds", 2), strlen = f.dim("strlen", 7);
  const int vt = f.var("time", NC_INT, {time}, {{"units", "days since 2000-01-01"}, {"calendar", "noleap"}, {"standard_name", "time"}, {"bounds", "time_bounds"}});
  const int vtb = f.var("time_bounds", NC_DOUBLE, {time, bnds});
  const int vlev = f.var("lev", NC_DOUBLE, {lev}, {{"standard_name", "atmosphere_hybrid_sigma_pressure_coordinate"}, {"positive", "down"}, {"axis", "Z"}, {"formula_terms", "ap: ap b: b ps: ps"}, {"bounds", "lev_bnds"}});
  const int vlevb = f.var("lev_bnds", NC_DOUBLE, {lev, bnds}, {{"standard_name", "atmosphere_hybrid_sigma_pressure_coordinate"}, {"formula_terms", "ap: ap_bnds b: b_bnds ps: ps"}});
  const int vlat = f.var("lat", NC_FLOAT, {lat}, {{"units", "degrees_north"}, {"standard_name", "latitude"}});
  const int vlon = f.var("lon", NC_FLOAT, {lon}, {{"units", "degrees_east"}, {"standard_name", "longitude"}});
  const int ap = f.var("ap", NC_DOUBLE, {lev}, {{"units", "Pa"}}), b = f.var("b", NC_DOUBLE, {lev});
  const int apb = f.var("ap_bnds", NC_DOUBLE, {lev, bnds}), bb = f.var("b_bnds", NC_DOUBLE, {lev, bnds});
  const int ps = f.var("ps", NC_FLOAT, {time, lat, lon}, {{"units", "Pa"}});
  const int type = f.var("type", NC_CHAR, {strlen}, {{"standard_name", "area_type"}});
  const int depth = f.var("depth", NC_DOUBLE, {}, {{"units", "m"}, {"standard_name", "depth"}, {"bounds", "depth_bnds"}}), depthb = f.var("depth_bnds", NC_DOUBLE, {bnds});
  const int crs = f.var("crs", NC_CHAR, {}, {{"grid_mapping_name", "latitude_longitude"}});
  const int count = f.var("count", NC_SHORT, {time, lat, lon}, {{"standard_name", "number_of_observations"}});
  const int o3 = f.var("o3", NC_FLOAT, {time, lev, lat, lon},
                       {{"coordinates", "type depth"}, {"grid_mapping", "crs"}, {"cell_measures", "area: areacella"}, {"ancillary_variables", "count status"}, {"cell_methods", "time: mean"}});
  const float range[2] = {0, 3};
  ok(nc_put_att_float(f.id(), o3, "actual_range", NC_FLOAT, 2, range));
  f.put(vt, {15, 45});
  f.put(vtb, {0, 31, 31, 59});
  f.put(vlev, {0.9, 0.5});
  f.put(vlevb, {1, 0.7, 0.7, 0.3});
  f.put(vlat, {-67.5, -22.5, 22.5, 67.5});
  f.put(vlon, {0, 45, 90, 135, 180, 225, 270, 315});
  f.put(ap, {1000, 20000});
  f.put(b, {0.89, 0.3});
  f.put(apb, {0, 2000, 2000, 30000});
  f.put(bb, {1, 0.68, 0.68, 0});
  std::vector<double> pressure(64), n(64), values(128);
  for (std::size_t i = 0; i < 64; ++i) pressure[i] = 100000 + double(i), n[i] = double(i);
  for (std::size_t i = 0; i < 128; ++i) values[i] = double(i) / 64;
  f.put(ps, pressure);
  f.text(type, std::string("sea_ice"));
  f.put(depth, {5});
  f.put(depthb, {0, 10});
  f.text(crs, std::string("x"));
  f.put(count, n);
  f.put(o3, values);
}

std::string attribute(const NetcdfFile& file, const char* variable, const char* name) { return file.variable(variable).text(name); }

std::string run(const ToolEntry& tool, const std::filesystem::path& in, const std::filesystem::path& out, std::vector<std::pair<std::string, std::string>> options) {
  Spoken spoken;
  options.emplace_back("overwrite", "true");
  REQUIRE(run_tool(tool, {in.string(), out.string()}, options, spoken) == 0);
  return spoken.notes;
}

std::vector<double> values_of(const NetcdfFile& file, const char* name) {
  ReadOptions options;
  options.auxiliary = false;
  return read_variable(file, name, options).values.to_vector();
}

}  // namespace

TEST_CASE("what belongs to a variable is there after select, with names, types and links", "[climate][auxiliary]") {
  TempFolder folder;
  make_hybrid(folder / "in.nc");
  for (const char* classic : {"false", "true"}) {
    CAPTURE(classic);
    const std::string notes = run(select_tool(), folder / "in.nc", folder / "out.nc", {{"variable", "o3"}, {"time", "2000-02/2000-02"}, {"lat", "0,90"}, {"classic", classic}});
    const auto file = open_netcdf(folder / "out.nc");
    // Texts, scalars and their bounds.
    CHECK(file->read_texts(file->variable("type")) == std::vector<std::string>{"sea_ice"});
    CHECK(attribute(*file, "type", "standard_name") == "area_type");
    CHECK(values_of(*file, "depth") == std::vector<double>{5});
    CHECK(attribute(*file, "depth", "bounds") == "depth_bnds");
    CHECK(values_of(*file, "depth_bnds") == std::vector<double>{0, 10});
    std::set<std::string> coordinates;
    for (const auto& name : linked_names("coordinates", attribute(*file, "o3", "coordinates"))) coordinates.insert(name);
    CHECK(coordinates == std::set<std::string>{"type", "depth"});
    CHECK(file->variable("crs").type == NcType::character);
    CHECK(attribute(*file, "o3", "grid_mapping") == "crs");
    CHECK(attribute(*file, "crs", "grid_mapping_name") == "latitude_longitude");
    // Links whose variables lie elsewhere stay as texts; what is there goes with the selection.
    CHECK(attribute(*file, "o3", "cell_measures") == "area: areacella");
    CHECK(attribute(*file, "o3", "ancillary_variables").find("status") != std::string::npos);
    CHECK(attribute(*file, "o3", "ancillary_variables").find("count") != std::string::npos);
    CHECK(file->variable("count").type == NcType::int16);
    CHECK(values_of(*file, "count").front() == 48);
    // The formula of the levels, and of their bounds.
    CHECK(attribute(*file, "lev", "formula_terms") == "ap: ap b: b ps: ps");
    CHECK(attribute(*file, "lev", "bounds") == "lev_bnds");
    CHECK(attribute(*file, "lev_bnds", "formula_terms") == "ap: ap_bnds b: b_bnds ps: ps");
    CHECK(values_of(*file, "ap_bnds") == std::vector<double>{0, 2000, 2000, 30000});
    CHECK(values_of(*file, "ps").front() == 100048);
    CHECK(values_of(*file, "ps").size() == 16);
    // Types and names of coordinates, types of attributes.
    CHECK(file->variable("lat").type == NcType::float32);
    CHECK(file->variable("lon").type == NcType::float32);
    CHECK(file->variable("time").type == NcType::int32);
    CHECK(attribute(*file, "time", "bounds") == "time_bounds");
    CHECK(file->variable("o3").find("actual_range")->type == NcType::float32);
    CHECK(notes.find("status") != std::string::npos);
  }
}

TEST_CASE("an anomaly keeps what belongs to a variable, a climatology tells what it cannot keep", "[climate][auxiliary]") {
  TempFolder folder;
  make_hybrid(folder / "in.nc");
  run(anomaly_tool(), folder / "in.nc", folder / "out.nc", {{"variable", "o3"}});
  auto file = open_netcdf(folder / "out.nc");
  CHECK(values_of(*file, "ps").size() == 64);
  CHECK(file->find("type"));
  const std::string notes = run(climatology_tool(), folder / "in.nc", folder / "out.nc", {{"variable", "o3"}});
  file = open_netcdf(folder / "out.nc");
  CHECK_FALSE(file->find("ps"));
  CHECK(file->find("b_bnds"));
  CHECK(file->find("type"));
  CHECK(notes.find("'ps' lies along an axis that is no more") != std::string::npos);
  CHECK(notes.find("'lev' names 'ps' in its formula_terms, which is not in the output") != std::string::npos);
}

TEST_CASE("regridding takes the surface pressure along and drops what describes the old grid, with notes", "[climate][auxiliary]") {
  TempFolder folder;
  make_hybrid(folder / "in.nc");
  const std::string notes = run(regrid_tool(), folder / "in.nc", folder / "out.nc", {{"variable", "o3"}, {"grid", "r4x2"}});
  const auto file = open_netcdf(folder / "out.nc");
  CHECK(values_of(*file, "ps").size() == 16);
  CHECK(attribute(*file, "lev", "formula_terms") == "ap: ap b: b ps: ps");
  CHECK(file->find("type"));
  CHECK_FALSE(file->find("count"));
  CHECK_FALSE(file->find("crs"));
  CHECK(attribute(*file, "o3", "cell_measures").empty());
  CHECK(attribute(*file, "o3", "grid_mapping").empty());
  for (const char* name : {"count", "crs", "areacella"}) CHECK(notes.find(name) != std::string::npos);
}

TEST_CASE("corners of cells along two axes, texts along an axis and strings are kept", "[climate][auxiliary]") {
  TempFolder folder;
  {
    Made f(folder / "in.nc");
    const int j = f.dim("j", 2), i = f.dim("i", 3), vertices = f.dim("vertices", 4), kind = f.dim("kind", 2), length = f.dim("length", 5);
    const int vi = f.var("i", NC_INT, {i}), vj = f.var("j", NC_INT, {j});
    const int lat = f.var("latitude", NC_FLOAT, {j, i}, {{"units", "degrees_north"}, {"standard_name", "latitude"}, {"bounds", "vertices_latitude"}});
    const int lon = f.var("longitude", NC_DOUBLE, {j, i}, {{"units", "degrees_east"}, {"standard_name", "longitude"}, {"bounds", "vertices_longitude"}});
    const int latb = f.var("vertices_latitude", NC_FLOAT, {j, i, vertices}), lonb = f.var("vertices_longitude", NC_DOUBLE, {j, i, vertices});
    const int sector = f.var("sector", NC_CHAR, {kind, length}, {{"standard_name", "area_type"}}), member = f.var("member", NC_STRING, {}, {{"standard_name", "realization"}});
    f.var("crs", NC_INT, {}, {{"grid_mapping_name", "rotated_latitude_longitude"}});  // never written: the fill value
    const int x = f.var("x", NC_FLOAT, {kind, j, i}, {{"grid_mapping", "crs"}, {"coordinates", "latitude longitude sector member"}});
    f.put(vi, {10, 11, 12});
    f.put(vj, {0, 1});
    f.put(lat, {10, 10, 10, 20, 20, 20});
    f.put(lon, {1, 2, 3, 1, 2, 3});
    std::vector<double> corners(24);
    for (std::size_t k = 0; k < corners.size(); ++k) corners[k] = double(k);
    f.put(latb, corners);
    f.put(lonb, corners);
    f.text(sector, std::string("treesgrass"));
    const char* name = "r1i1p1f1";
    ok(nc_put_var_string(f.id(), member, &name));
    f.put(x, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  }
  for (const bool classic : {false, true}) {
    CAPTURE(classic);
    LabelledArray x = read_netcdf(folder / "in.nc", "x");
    x = taken(x, 2, {2, 0});
    x = taken(x, 0, {1});
    write_netcdf(folder / "out.nc", x, {.classic = classic});
    const auto file = open_netcdf(folder / "out.nc");
    CHECK(file->read_texts(file->variable("sector")) == std::vector<std::string>{"grass"});
    CHECK(file->read_texts(file->variable("member")) == std::vector<std::string>{"r1i1p1f1"});
    CHECK(file->variable("member").type == (classic ? NcType::character : NcType::string));
    CHECK(attribute(*file, "latitude", "bounds") == "vertices_latitude");
    CHECK(values_of(*file, "vertices_latitude") == std::vector<double>{8, 9, 10, 11, 0, 1, 2, 3, 20, 21, 22, 23, 12, 13, 14, 15});
    CHECK(file->variable("latitude").type == NcType::float32);
    CHECK(file->variable("longitude").type == NcType::float64);
    CHECK(file->variable("i").type == NcType::int32);
    CHECK(file->variable("crs").type == NcType::int32);
    CHECK(attribute(*file, "x", "grid_mapping") == "crs");
    CHECK(values_of(*file, "i") == std::vector<double>{12, 10});
  }
}

TEST_CASE("a coordinate asked for by name, and a name from the root", "[climate][auxiliary]") {
  TempFolder folder;
  make_hybrid(folder / "in.nc");
  run(select_tool(), folder / "in.nc", folder / "out.nc", {{"variable", "time"}});
  CHECK(read_netcdf(folder / "out.nc", "time").values.to_vector() == std::vector<double>{15, 45});
  CHECK(open_netcdf(folder / "in.nc")->variable("/o3").name == "o3");
  CHECK(error_of([&] { open_netcdf(folder / "in.nc")->variable("/g/o3"); }).code() == "climate.no_variable");
}

TEST_CASE("real files: nothing that belongs to a variable is lost by select", "[climate][auxiliary][slow]") {
  TENON_NEEDS_CLIMATE_DATA(data);
  TempFolder folder;
  struct Case {
    const char* file;
    const char* variable;
    std::vector<const char*> kept;
  };
  for (const Case& c : {Case{"siconc_SImon_MPI-ESM1-2-HR_historical_r1i1p1f1_gn_185501-185912.nc", "siconc", {"type", "latitude", "longitude", "vertices_latitude", "vertices_longitude"}},
                        Case{"landCoverFrac_Lmon_IPSL-CM6A-LR_ssp245_r1i1p1f1_gr_201501.nc", "landCoverFrac", {"sector"}},
                        Case{"cl_Amon_CESM2_amip_r1i1p1f1_gn_195001-201412.nc", "cl", {"a_bnds", "b_bnds", "p0", "ps"}},
                        Case{"o3_AERmon_MPI-ESM1-2-LR_historical_r1i1p1f1_gn_185001.nc", "o3", {"ap", "b", "ps", "ap_bnds", "b_bnds"}},
                        Case{"mrsos_day_HadGEM2-ES_rcp85_r1i1p1_20051201.nc", "mrsos", {"depth", "depth_bnds"}}}) {
    const auto path = data / "esgf/files" / c.file;
    if (!std::filesystem::exists(path)) continue;
    CAPTURE(c.file);
    run(select_tool(), path, folder / "out.nc", {{"variable", c.variable}});
    const auto before = open_netcdf(path), after = open_netcdf(folder / "out.nc");
    for (const char* name : c.kept) {
      CAPTURE(name);
      REQUIRE(before->find(name));
      REQUIRE(after->find(name));
      CHECK(after->find(name)->type == before->find(name)->type);
      CHECK(after->shape(*after->find(name)) == before->shape(*before->find(name)));
      if (before->find(name)->type == NcType::character) CHECK(after->read_texts(*after->find(name)) == before->read_texts(*before->find(name)));
      else CHECK(values_of(*after, name) == values_of(*before, name));
    }
    for (const auto& v : before->header().variables) {
      if (!after->find(v.name)) continue;
      for (const char* link : {"formula_terms", "cell_measures", "bounds"}) {
        CAPTURE(v.name, link);
        CHECK(after->find(v.name)->text(link) == v.text(link));
      }
    }
  }
}
