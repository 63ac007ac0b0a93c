/// What the tests of the climate tasks share: contexts with overrides, folders that vanish, error codes, series made by hand.
#pragma once

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "climate/io/calendar.hpp"
#include "climate/io/writer.hpp"
#include "tenon/error.hpp"
#include "tenon/plugin.hpp"
#include "tenon/random.hpp"

namespace tenon::climate_test {

/// The climate folder of the shared data; empty when absent.
inline std::filesystem::path shared_climate() {
  std::error_code failed;
  if (const char* root = std::getenv("TENON_DATA"); root && *root)
    if (auto path = std::filesystem::path(root) / "climate"; std::filesystem::is_directory(path, failed)) return path;
  auto path = std::filesystem::path(TENON_SOURCE_DIR) / ".." / "shared" / "data" / "climate";
  return std::filesystem::is_directory(path, failed) ? std::filesystem::weakly_canonical(path) : std::filesystem::path();
}

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "tenon-climate-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

using Overrides = std::vector<std::pair<std::string, std::string>>;

/// A context with all defaults of the task but `overrides` ("data.file", "...").
inline TaskContext context_of(const TaskEntry& entry, const Overrides& overrides, std::int64_t batch = 2) {
  TaskContext c;
  c.seed = 3;
  c.batch_size = batch;
  for (const auto& [name, spec] : entry.sections) {
    ParamValues values(spec);
    for (const auto& [key, text] : overrides)
      if (key.starts_with(name + ".")) values.set_from_text(spec, key.substr(name.size() + 1), text, "test");
    c.sections.emplace(name, std::move(values));
  }
  return c;
}

inline std::string code_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.code();
  }
  return {};
}

/// Daily fields of a wave that drifts to the east over an annual cycle, with a little noise: 2001-01-01 noon on, `days` of them, Pa.
inline LabelledArray made_series(std::int64_t days, std::int64_t rows = 5, std::int64_t columns = 8) {
  using namespace climate;
  LabelledArray a;
  a.name = "slp";
  a.unit = "Pa";
  Axis time{.name = "time", .unit = "days since 2001-01-01", .coordinates = {}, .attributes = {{"standard_name", "time"}}};
  time.time = TimeCoordinates{"standard", {}, {}};
  const std::int64_t start = days_from_date(Calendar::standard, 2001, 1, 1);
  for (std::int64_t t = 0; t < days; ++t) {
    time.coordinates.push_back(double(t) + 0.5);
    time.time->ticks.push_back((start + t) * kTicksPerDay + kTicksPerDay / 2);
  }
  Axis latitude{.name = "lat", .unit = "degrees_north", .coordinates = {}, .attributes = {{"standard_name", "latitude"}}};
  Axis longitude{.name = "lon", .unit = "degrees_east", .coordinates = {}, .attributes = {{"standard_name", "longitude"}}};
  for (std::int64_t r = 0; r < rows; ++r) latitude.coordinates.push_back(30 + 5 * double(r));
  for (std::int64_t c = 0; c < columns; ++c) longitude.coordinates.push_back(-70 + 10 * double(c));
  std::vector<float> values;
  const Random random(7, 0);
  for (std::int64_t t = 0; t < days; ++t)
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t c = 0; c < columns; ++c) {
        const double cycle = 500 * std::cos(2 * M_PI * double(t) / 365.25);
        const double wave = 800 * std::sin(2 * M_PI * (double(c) / double(columns) - double(t) / 11.3)) * (1 + 0.1 * double(r));
        values.push_back(float(101000 + cycle + wave + 60 * double(random.normal(values.size()))));
      }
  a.values = Tensor::from(values, Shape{days, rows, columns});
  a.axes = {time, latitude, longitude};
  return a;
}

/// A made relief on 48 x 96 points around the globe.
inline LabelledArray made_relief(std::int64_t rows = 48, std::int64_t columns = 96) {
  using namespace climate;
  LabelledArray a;
  a.name = "height";
  a.unit = "m";
  Axis latitude{.name = "lat", .unit = "degrees_north", .coordinates = {}, .attributes = {}}, longitude{.name = "lon", .unit = "degrees_east", .coordinates = {}, .attributes = {}};
  for (std::int64_t r = 0; r < rows; ++r) latitude.coordinates.push_back(-90 + 180 * (double(r) + 0.5) / double(rows));
  for (std::int64_t c = 0; c < columns; ++c) longitude.coordinates.push_back(360 * (double(c) + 0.5) / double(columns));
  std::vector<float> v;
  const Random random(3, 4);
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) v.push_back(float(1000 * std::sin(double(r) / 5) * std::cos(2 * M_PI * double(c) * 4 / double(columns)) + 50 * double(random.normal(v.size()))));
  a.values = Tensor::from(v, Shape{rows, columns});
  a.axes = {latitude, longitude};
  return a;
}

}  // namespace tenon::climate_test
