/// Reads every file of the shared data and compares with figures of independent readers: expected.csv (libnetcdf and cftime) and the
/// verdicts on broken and odd files.
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "climate/io/dataset.hpp"
#include "climate/test_data.hpp"
#include "climate/tools/statistics.hpp"
#include "climate/tools/tools.hpp"

using namespace tenon;
using namespace tenon::climate;
using namespace tenon::climate_test;

TEST_CASE("120 files of CMIP and CORDEX: shape, units, calendar, dates and statistics", "[climate][netcdf][slow]") {
  TENON_NEEDS_CLIMATE_DATA(data);
  const auto rows = read_csv(data / "esgf" / "expected.csv");
  REQUIRE(rows.size() == 120);
  int undeclared = 0;
  for (const auto& row : rows) {
    CAPTURE(row.at("file"));
    const auto file = open_netcdf(data / "esgf" / "files" / row.at("file"));
    const Variable& v = file->variable(row.at("variable"));
    const LabelledArray a = read_variable(*file, row.at("variable"));
    std::string shape, names;
    for (auto s : a.values.shape()) shape += (shape.empty() ? "" : " ") + std::to_string(s);
    for (const auto& axis : a.axes) names += (names.empty() ? "" : " ") + axis.name;
    CHECK(shape == row.at("shape"));
    CHECK(names == row.at("dims"));
    CHECK(a.unit == row.at("units"));
    CHECK(name_of(v.type) == row.at("dtype"));
    const Statistics s = statistics_of(a.values);
    const std::int64_t expected_missing = std::stoll(row.at("n_missing"));
    if (!v.find("_FillValue") && !v.find("missing_value") && std::stod(row.at("max")) > 9e36) {
      // The table counts the default fill of an undeclared float as a value; CF and we do not. Together they make its mean.
      ++undeclared;
      const double n = double(s.values), fill = 9.969209968386869e36;
      CHECK(expected_missing == 0);
      CHECK(double(s.missing) * fill / n == Approx(std::stod(row.at("mean"))).epsilon(1e-6));
    } else {
      CHECK(s.missing == expected_missing);
      for (const auto& [name, value] : {std::pair{"min", s.minimum}, {"max", s.maximum}, {"mean", s.mean}})
        if (!row.at(name).empty()) CHECK(value == Approx(std::stod(row.at(name))).epsilon(1e-8));
    }
    const auto time = find_axis(a, AxisRole::time);
    if (row.at("first_date").empty() || !time) continue;
    const auto& t = *a.axes[std::size_t(*time)].time;
    CHECK(std::to_string(t.ticks.size()) == row.at("n_time"));
    const Calendar calendar = calendar_from_name(row.at("calendar"));
    CHECK(calendar_from_name(t.calendar) == calendar);
    CHECK(date_text(calendar, t.ticks.front()) == row.at("first_date"));
    CHECK(date_text(calendar, t.ticks.back()) == row.at("last_date"));
  }
  CHECK(undeclared == 5);
}

TEST_CASE("98 broken and odd files get the verdict they should", "[climate][netcdf][malformed]") {
  TENON_NEEDS_CLIMATE_DATA(data);
  const auto rows = read_csv(data / "malformed" / "cases.csv");
  REQUIRE(rows.size() == 98);
  for (const auto& row : rows) {
    const std::string path = (data / "malformed" / "files" / row.at("file")).string();
    CAPTURE(row.at("file"), row.at("what"), row.at("required"));
    Spoken spoken(true);
    std::optional<Error> error;
    const auto begin = std::chrono::steady_clock::now();
    try {
      run_tool(info_tool(), {path}, {}, spoken);
    } catch (const Error& e) {
      error = e;
    }
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(2));
    const bool refused = row.at("verdict") == "reject" || row.at("verdict") == "accept-option";
    CHECK(bool(error) == refused);
    if (error) {
      CAPTURE(error->what());
      CHECK(error->kind() == ErrorKind::data);
      CHECK(error->code().rfind("climate.", 0) == 0);
      CHECK(error->where().find(row.at("file")) != std::string::npos);
      CHECK_FALSE(error->hint().empty());
    }
    if (row.at("verdict") == "warn") {
      const auto d = nlohmann::json::parse(spoken.out);
      CHECK_FALSE(d[0]["notes"].empty());
    }
  }
}

TEST_CASE("odd files are read as they mean, by option where they are ambiguous", "[climate][netcdf][malformed]") {
  TENON_NEEDS_CLIMATE_DATA(data);
  const auto folder = data / "malformed" / "files";
  auto dates = [&](const char* name, TimeOptions time = {}) {
    ReadOptions o;
    o.coordinates.time = time;
    const LabelledArray a = read_netcdf(folder / name, "", o);
    const Axis& axis = a.axes[std::size_t(require_axis(a, AxisRole::time))];
    std::vector<std::string> out;
    for (auto t : axis.time->ticks) out.push_back(date_text(calendar_from_name(axis.time->calendar), t));
    CHECK(a.values.size(0) == std::int64_t(out.size()));
    return out;
  };
  using Texts = std::vector<std::string>;
  CHECK(dates("time_months_int.nc") == Texts{"1850-01-01T00:00:00", "1850-02-01T00:00:00", "1850-03-01T00:00:00", "1851-02-01T00:00:00"});
  CHECK(dates("time_months_360.nc") == Texts{"1850-01-16T00:00:00", "1850-02-16T00:00:00"});
  CHECK(dates("time_tz.nc") == Texts{"1969-12-31T18:30:00", "1970-01-01T00:00:00"});
  CHECK(dates("time_year0_hour.nc") == Texts{"0000-01-16T06:00:00", "0000-02-15T16:29:06"});
  CHECK(dates("time_yyyymm.nc", {.format = "yyyymm"}) == Texts{"1850-01-01T00:00:00", "1850-02-01T00:00:00"});
  CHECK(dates("time_backwards.nc", {.order = "sort"}) == Texts{"2000-01-01T00:00:00", "2000-01-02T00:00:00", "2000-01-03T00:00:00", "2000-01-04T00:00:00"});
  CHECK(dates("time_duplicate.nc", {.order = "first"}).size() == 3);
  auto values = [&](const char* name) { return read_netcdf(folder / name).values.to_vector(); };
  CHECK(values("unsigned_byte.nc") == std::vector<double>{0, 0.5, 63.5, 64, 127.5, 127});
  CHECK(values("fill_nan_int16.nc").front() == 300);
  const auto one = values("ok_cdf1.nc");
  for (const char* same : {"ok_cdf2.nc", "ok_cdf5.nc", "ok_nc4.nc", "extra_bytes.nc", "numrecs_streaming.nc", "vsize_wrong.nc", "pad_nonzero.nc"}) CHECK(values(same) == one);
  ReadOptions whole;
  whole.whole_records = true;
  CHECK(read_netcdf(folder / "trunc_one_record.nc", "tas", whole).values.shape() == Shape{19, 12, 24});
  whole = {};
  whole.mask_values = {-999, 1e34};
  const auto masked = statistics_of(read_netcdf(folder / "fill_undeclared.nc", "", whole).values);
  CHECK(masked.missing == 2);
  CHECK(masked.maximum < 400);
  const Error vlen = error_of([&] { read_netcdf(folder / "vlen_type.nc", "r"); });
  CHECK(vlen.message().find("VLEN") != std::string::npos);
  const Error chunk = error_of([&] { read_netcdf(folder / "chunk_flipped.nc"); });
  CHECK(chunk.code() == "climate.chunk");
  CHECK(chunk.message().find("chunk 1") != std::string::npos);
}
