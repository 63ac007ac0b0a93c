#include "climate/io/writer.hpp"

#include <fmt/format.h>
#include <netcdf>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <ctime>
#include <limits>
#include <set>

#include "climate/io/calendar.hpp"
#include "climate/io/time_units.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/kernel.hpp"

namespace tenon::climate {
namespace {

using netCDF::NcDim;
using netCDF::NcFile;
using netCDF::NcVar;

constexpr double kFillDouble = 9.9692099683868690e+36;
constexpr float kFillFloat = 9.9692099683868690e+36f;

/// Attributes that point to variables or say how values lie; they are set anew.
const std::set<std::string, std::less<>> kOwn = {"units", "calendar", "bounds", "climatology", "coordinates", "grid_mapping", "_FillValue", "missing_value", "scale_factor", "add_offset", "coordinate",
                                                 "_Unsigned", "valid_range", "valid_min", "valid_max", "cell_measures", "ancillary_variables", "formula_terms", "_NCProperties"};

[[noreturn]] void fail(const std::string& what, const std::string& hint) { throw Error(ErrorKind::data, "climate.write", what, hint); }

netCDF::NcType type_of(const Tensor& t, bool classic) {
  switch (t.dtype()) {
    case DType::f32: return netCDF::ncFloat;
    case DType::f64: return netCDF::ncDouble;
    case DType::i8: return netCDF::ncByte;
    case DType::i16: return netCDF::ncShort;
    case DType::i32: return netCDF::ncInt;
    case DType::i64:
      if (!classic) return netCDF::ncInt64;
      break;
    case DType::u8:
    case DType::boolean:
      if (!classic) return netCDF::ncUbyte;
      break;
    default: break;
  }
  fail(fmt::format("{} cannot be stored in {}", t.str(), classic ? "a classic file" : "NetCDF"), classic ? "write NetCDF-4, or convert the values" : "convert the values");
}

/// Times as numbers of their units, exactly.
struct StoredTime {
  std::string unit;
  std::vector<double> values;
  std::vector<std::array<double, 2>> bounds;
};

StoredTime stored_time(const Axis& axis) {
  const Calendar calendar = calendar_from_name(axis.time->calendar);
  auto in = [&](const std::string& unit) -> std::optional<StoredTime> {
    const TimeUnits units(unit, calendar);
    StoredTime out{unit, {}, {}};
    auto put = [&](std::int64_t ticks) {
      const double v = units.value(ticks);
      if (units.ticks(v) != ticks) return std::optional<double>();
      return std::optional<double>(v);
    };
    for (auto t : axis.time->ticks) {
      auto v = put(t);
      if (!v) return {};
      out.values.push_back(*v);
    }
    for (const auto& b : axis.time->bounds) {
      auto low = put(b[0]), high = put(b[1]);
      if (!low || !high) return {};
      out.bounds.push_back({*low, *high});
    }
    return out;
  };
  const std::string low = axis.unit.substr(0, axis.unit.find(' '));
  const bool counts = is_time_units(axis.unit) && axis.unit.find(" as ") == std::string::npos && low.rfind("month", 0) != 0 && low.rfind("mon", 0) != 0 && low.rfind("year", 0) != 0 && low.rfind("yr", 0) != 0;
  std::string reference = "1970-01-01 00:00:00";
  if (counts) {
    reference = axis.unit.substr(axis.unit.find("since") + 5);
    reference.erase(0, reference.find_first_not_of(' '));
    if (auto kept = in(axis.unit)) return *kept;
  }
  for (const char* unit : {"days", "hours", "minutes", "seconds", "microseconds"})
    if (auto found = in(std::string(unit) + " since " + reference)) return *found;
  fail("times of '" + axis.name + "' cannot be stored exactly in double precision", "choose units since a nearer reference");
}

class Writer {
 public:
  Writer(NcFile& file, const WriteOptions& options) : file_(file), options_(options) {}

  void write(const Dataset& data) {
    for (const auto& [name, text] : data.attributes)
      if (name != "history" && name != "Conventions" && name != "_NCProperties") file_.putAtt(name, text);
    for (const auto& [name, values] : data.numbers) put_numbers(file_, name, values);
    file_.putAtt("Conventions", data.attributes.count("Conventions") ? data.attributes.at("Conventions") : std::string("CF-1.8"));
    std::string history = data.attributes.count("history") ? data.attributes.at("history") : std::string();
    if (!options_.history.empty()) {
      const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
      char stamp[32];
      std::tm utc{};
      gmtime_r(&now, &utc);
      std::strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &utc);
      history = std::string(stamp) + ": " + options_.history + (history.empty() ? "" : "\n" + history);
    }
    if (!history.empty()) file_.putAtt("history", history);
    for (const auto& v : data.variables) {
      define(v, true);
    }
    for (auto& later : later_) later();
  }

 private:
  template <class Owner> static void put_numbers(Owner& owner, const std::string& name, const std::vector<double>& values) {
    const bool whole = std::all_of(values.begin(), values.end(), [](double x) { return x == std::floor(x) && std::abs(x) < 2147483648.0; });
    if (whole) owner.putAtt(name, netCDF::ncInt, values.size(), values.data());
    else owner.putAtt(name, netCDF::ncDouble, values.size(), values.data());
  }
  template <class Item> static void put_attributes(NcVar& var, const Item& item) {
    for (const auto& [name, text] : item.attributes)
      if (!kOwn.count(name)) var.putAtt(name, text);
    for (const auto& [name, values] : item.numbers)
      if (!kOwn.count(name)) put_numbers(var, name, values);
    if (!item.unit.empty()) var.putAtt("units", item.unit);
  }

  NcDim dimension(const std::string& name, std::int64_t size) {
    NcDim found = file_.getDim(name);
    if (found.isNull()) return file_.addDim(name, std::size_t(size));
    if (std::int64_t(found.getSize()) != size) fail(fmt::format("dimension '{}' has {} and {} positions in one file", name, found.getSize(), size), "rename one of them");
    return found;
  }

  void axis(const Axis& a, std::int64_t size) {
    if (a.name.empty()) fail("an axis has no name", "name every axis");
    const NcDim dim = dimension(a.name, size);
    auto [known, fresh] = axes_.emplace(a.name, a.coordinates);
    if (!fresh) {
      if (known->second != a.coordinates) fail("two axes called '" + a.name + "' differ", "rename one of them");
      return;
    }
    if (!a.labels.empty() && a.coordinates.empty()) return labels(a, dim);
    if (a.coordinates.empty()) return;
    NcVar var = file_.addVar(a.name, netCDF::ncDouble, dim);
    Axis shown = a;
    std::vector<double> values = a.coordinates;
    std::vector<std::array<double, 2>> bounds = a.bounds;
    if (a.time) {
      StoredTime t = stored_time(a);
      shown.unit = t.unit;
      values = t.values;
      bounds = t.bounds;
    }
    put_attributes(var, shown);
    if (a.time) var.putAtt("calendar", a.time->calendar);
    later_.push_back([var, values] { if (!values.empty()) var.putVar(values.data()); });
    if (bounds.empty()) return;
    const bool climatological = a.attributes.count("climatology") != 0;
    const std::string name = a.name + (climatological ? "_climatology" : "_bnds");
    var.putAtt(climatological ? "climatology" : "bounds", name);
    NcVar b = file_.addVar(name, netCDF::ncDouble, std::vector<NcDim>{dim, dimension("bnds", 2)});
    later_.push_back([b, bounds] { b.putVar(bounds.data()->data()); });
  }

  void labels(const Axis& a, const NcDim& dim) {
    std::size_t longest = 1;
    for (const auto& l : a.labels) longest = std::max(longest, l.size());
    NcVar var = file_.addVar(a.name, netCDF::ncChar, std::vector<NcDim>{dim, dimension(fmt::format("strlen{}", longest), std::int64_t(longest))});
    put_attributes(var, a);
    std::string all;
    for (const auto& l : a.labels) {
      all += l;
      all.append(longest - l.size(), '\0');
    }
    later_.push_back([var, all] { var.putVar(all.data()); });
  }

  void define(const LabelledArray& array, bool data) {
    if (array.name.empty()) fail("an array has no name", "name every array");
    if (std::size_t(array.values.rank()) != array.axes.size()) fail(fmt::format("array '{}' is {} with {} axes", array.name, array.values.str(), array.axes.size()), "give one axis a tensor axis");
    std::vector<NcDim> dims;
    for (std::size_t k = 0; k < array.axes.size(); ++k) {
      axis(array.axes[k], array.values.size(int(k)));
      dims.push_back(file_.getDim(array.axes[k].name));
    }
    if (!file_.getVar(array.name).isNull()) {
      if (!data) return;  // an auxiliary of several variables
      fail("two variables are called '" + array.name + "'", "rename one of them");
    }
    const Tensor values = array.values.to(kCpu).contiguous();
    NcVar var = file_.addVar(array.name, type_of(values, options_.classic), dims);
    if (data && !options_.classic && options_.deflate > 0 && !dims.empty()) var.setCompression(true, true, options_.deflate);
    if (data && values.dtype() == DType::f32) var.putAtt("_FillValue", netCDF::ncFloat, kFillFloat);
    if (data && values.dtype() == DType::f64) var.putAtt("_FillValue", netCDF::ncDouble, kFillDouble);
    put_attributes(var, array);
    std::string coordinates, mapping;
    for (const auto& extra : array.auxiliary) {
      define(extra, false);
      const bool is_mapping = extra.attributes.count("grid_mapping_name") != 0;
      std::string& list = is_mapping ? mapping : coordinates;
      list += (list.empty() ? "" : " ") + extra.name;
    }
    if (!coordinates.empty()) var.putAtt("coordinates", coordinates);
    if (!mapping.empty()) var.putAtt("grid_mapping", mapping);
    later_.push_back([var, values] { put_values(var, values); });
  }

  static void put_values(const NcVar& var, const Tensor& values) {
    if (values.numel() == 0) return;
    if (values.dtype() == DType::f32) var.putVar(filled(values, kFillFloat).raw());
    else if (values.dtype() == DType::f64) var.putVar(filled(values, kFillDouble).raw());
    else var.putVar(values.raw());
  }

  /// NaN as the fill value; the values themselves where there is none.
  template <class T> static Tensor filled(const Tensor& values, T fill) {
    std::atomic<bool> any{false};
    parallel_blocks(values.numel(), 1 << 16, [&](std::int64_t from, std::int64_t to) {
      const T* x = values.data<T>();
      int here = 0;
      for (std::int64_t i = from; i < to; ++i) here += x[i] != x[i];
      if (here > 0) any = true;
    });
    if (!any) return values;
    const Tensor out = values.clone();
    for (T& x : out.span<T>())
      if (std::isnan(x)) x = fill;
    return out;
  }

  NcFile& file_;
  const WriteOptions& options_;
  std::map<std::string, std::vector<double>> axes_;
  std::vector<std::function<void()>> later_;  ///< a classic file is defined first, then filled
};

}  // namespace

void write_netcdf(const std::filesystem::path& path, const Dataset& dataset, const WriteOptions& options) {
  const auto temporary = std::filesystem::absolute(temporary_sibling(path));
  std::lock_guard hold(netcdf_lock());
  try {
    NcFile file(temporary.string(), NcFile::newFile, options.classic ? NcFile::classic64 : NcFile::nc4);
    Writer(file, options).write(dataset);
    file.close();  // the destructor would swallow a full disk
  } catch (const netCDF::exceptions::NcException& e) {
    files().remove(temporary);
    throw Error(ErrorKind::device, "climate.write", fmt::format("NetCDF cannot write: {}", e.what()), "check the disk and the folder", path.string());
  } catch (const Error& e) {
    files().remove(temporary);
    throw e.at(path.string());
  }
  replace_file(temporary, path);
}

void write_netcdf(const std::filesystem::path& path, const LabelledArray& array, const WriteOptions& options) { write_netcdf(path, Dataset{{array}, {}, {}}, options); }

}  // namespace tenon::climate
