#include "climate/io/writer.hpp"

#include <fmt/format.h>
#include <ncCheck.h>
#include <netcdf.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <ctime>
#include <netcdf>
#include <set>
#include <utility>

#include "climate/io/auxiliary.hpp"
#include "climate/io/calendar.hpp"
#include "climate/io/records.hpp"
#include "climate/io/stored.hpp"
#include "climate/io/time_units.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/kernel.hpp"

namespace tenon::climate {
namespace {

using netCDF::NcDim;
using netCDF::NcGroup;
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
  Writer(NcGroup& file, const Dataset& data, const WriteOptions& options) : file_(file), data_(data), options_(options), records_(data, options.classic, options.between) {}

  void write() {
    const Dataset& data = data_;
    for (const auto& [name, text] : data.attributes)
      if (name != "history" && name != "Conventions" && name != "_NCProperties" && !name.starts_with(kMark)) file_.putAtt(name, text);
    for (const auto& [name, values] : data.numbers) put_numbers(file_, name, data.attributes, values);
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
    for (const auto& v : data.variables) define(v);
    for (const auto& [owner, attribute, name] : mentions_)
      if (file_.getVar(name.substr(name.rfind('/') + 1)).isNull()) note(fmt::format("'{}' names '{}' in its {}, which is not in the output", owner, name, attribute));
    for (auto& later : later_) later();
  }

 private:
  void note(const std::string& text) const {
    if (options_.note) options_.note(text);
  }

  /// The type as stored where it holds all values exactly and the file has it, else double.
  netCDF::NcType type_for(const std::string& as_stored, const double* values, std::size_t n) const {
    const auto type = type_from_name(as_stored);
    const bool keeps = type && is_number(*type) && (!options_.classic || is_classic(*type)) && std::all_of(values, values + n, [&](double x) { return holds(*type, x); });
    return netCDF::NcType(int(keeps ? *type : NcType::float64));
  }

  template <class Owner> void put_numbers(Owner& owner, const std::string& name, const Texts& marks, const std::vector<double>& values) const {
    NcType type = type_of_numbers(marks, name, values);
    if (options_.classic && !is_classic(type)) type = type_of_numbers({}, name, values);
    owner.putAtt(name, netCDF::NcType(int(type)), values.size(), values.data());
  }
  template <class Item> void put_attributes(NcVar& var, const Item& item) const {
    for (const auto& [name, text] : item.attributes)
      if (!kOwn.count(name) && !name.starts_with(kMark)) var.putAtt(name, text);
    for (const auto& [name, values] : item.numbers)
      if (!kOwn.count(name)) put_numbers(var, name, item.attributes, values);
    if (!item.unit.empty()) var.putAtt("units", item.unit);
  }
  /// An attribute that names variables, as it is; what it names and is not there at the end is told.
  void put_mentions(NcVar& var, const std::string& attribute, const std::string& text) {
    if (text.empty()) return;
    var.putAtt(attribute, text);
    for (const auto& name : linked_names(attribute, text)) mentions_.push_back({var.getName(), attribute, name});
  }

  void chunk(NcVar& var, const std::vector<NcDim>& dims, std::size_t bytes_of_value) const {
    if (!options_.classic) records_.set_chunks(var, dims, bytes_of_value);
  }

  NcDim dimension(const std::string& name, std::int64_t size) {
    NcDim found = file_.getDim(name);
    if (found.isNull()) return records_.contains(name) ? file_.addDim(name) : file_.addDim(name, std::size_t(size));
    if (std::int64_t(records_.size(found)) != size) fail(fmt::format("dimension '{}' has {} and {} positions in one file", name, records_.size(found), size), "rename one of them");
    return found;
  }

  /// The dimension of the two edges of a cell.
  NcDim edges() {
    std::string name = "bnds";
    while (!file_.getDim(name).isNull() && records_.size(file_.getDim(name)) != 2) name += "_2";
    return dimension(name, 2);
  }

  NcDim axis(const Axis& a, std::int64_t size) {
    if (a.name.empty()) fail("an axis has no name", "name every axis");
    const NcDim dim = dimension(a.name, size);
    auto [known, fresh] = axes_.emplace(a.name, a.coordinates);
    if (!fresh) {
      if (known->second != a.coordinates) fail("two axes called '" + a.name + "' differ", "rename one of them");
      return dim;
    }
    if (!a.labels.empty() && a.coordinates.empty()) {
      labels(a, dim);
      return dim;
    }
    if (a.coordinates.empty()) return dim;
    Axis shown = a;
    std::vector<double> values = a.coordinates;
    std::vector<std::array<double, 2>> bounds = a.bounds;
    if (a.time) {
      StoredTime t = stored_time(a);
      shown.unit = t.unit;
      values = t.values;
      bounds = t.bounds;
    }
    NcVar var = file_.addVar(a.name, type_for(text_of(a.attributes, kStoredType), values.data(), values.size()), dim);
    chunk(var, {dim}, 8);
    put_attributes(var, shown);
    put_mentions(var, "formula_terms", text_of(a.attributes, "formula_terms"));
    if (a.time) var.putAtt("calendar", a.time->calendar);
    later_.push_back([this, var, values] { if (!values.empty()) records_.put(var, values.data()); });
    if (bounds.empty()) return dim;
    const bool climatological = a.attributes.count("climatology") != 0;
    const std::string attribute = climatological ? "climatology" : "bounds";
    std::string name = text_of(a.attributes, attribute);
    name = name.substr(name.rfind('/') + 1);
    if (name.empty() || name == "yes" || name == a.name || !file_.getVar(name).isNull()) name = a.name + (climatological ? "_climatology" : "_bnds");
    var.putAtt(attribute, name);
    NcVar b = file_.addVar(name, type_for(text_of(a.attributes, kBoundsType), bounds.data()->data(), 2 * bounds.size()), std::vector<NcDim>{dim, edges()});
    chunk(b, {dim, edges()}, 8);
    for (const auto& [key, text] : a.attributes) {
      if (!key.starts_with(kBounds)) continue;
      const std::string of_bounds = key.substr(kBounds.size());
      if (of_bounds == "formula_terms") put_mentions(b, of_bounds, text);
      else if (!kOwn.count(of_bounds)) b.putAtt(of_bounds, text);
    }
    later_.push_back([this, b, bounds] { records_.put(b, bounds.data()->data()); });
    return dim;
  }

  void labels(const Axis& a, const NcDim& dim) {
    NcVar var = texts(a.name, a.labels, {dim}, text_of(a.attributes, kStoredType), {});
    put_attributes(var, a);
  }

  /// Strings in NetCDF-4 where the file had strings, else characters with a dimension for the length.
  NcVar texts(const std::string& name, const std::vector<std::string>& values, std::vector<NcDim> dims, const std::string& as_stored, std::string length_name) {
    if (as_stored == name_of(NcType::string) && !options_.classic) {
      NcVar var = file_.addVar(name, netCDF::ncString, dims);
      chunk(var, dims, 16);
      later_.push_back([this, var, values] {
        std::vector<const char*> all;
        for (const auto& v : values) all.push_back(v.c_str());
        if (!all.empty()) records_.put(var, all.data());
      });
      return var;
    }
    std::size_t longest = 1;
    for (const auto& v : values) longest = std::max(longest, v.size());
    if (length_name.empty()) length_name = fmt::format("strlen{}", longest);
    dims.push_back(dimension(length_name, std::int64_t(longest)));
    NcVar var = file_.addVar(name, netCDF::ncChar, dims);
    chunk(var, dims, 1);
    std::string all;
    for (const auto& v : values) {
      all += v;
      all.append(longest - v.size(), '\0');
    }
    later_.push_back([this, var, all] { if (!all.empty()) records_.put(var, all.data()); });
    return var;
  }

  /// The axes of a data array are dimensions of the file. Those of an auxiliary array that are none of them give way: a name that is taken is made another.
  std::vector<NcDim> dimensions(const LabelledArray& array, bool data) {
    if (array.name.empty()) fail("an array has no name", "name every array");
    if (std::size_t(array.values.rank()) != array.axes.size()) fail(fmt::format("array '{}' is {} with {} axes", array.name, array.values.str(), array.axes.size()), "give one axis a tensor axis");
    std::vector<NcDim> dims;
    for (std::size_t k = 0; k < array.axes.size(); ++k) {
      Axis a = array.axes[k];
      const std::int64_t size = array.values.size(int(k));
      if (!data && a.coordinates.empty() && a.labels.empty() && !file_.getDim(a.name).isNull() && std::int64_t(records_.size(file_.getDim(a.name))) != size) a.name = fmt::format("{}_{}", a.name, size);
      dims.push_back(axis(a, size));
    }
    return dims;
  }

  void define(const LabelledArray& array) {
    // A coordinate asked for as a variable is the axis that it has.
    if (array.axes.size() == 1 && array.axes[0].name == array.name && array.values.to_vector() == array.axes[0].coordinates) {
      dimensions(array, true);
      return;
    }
    const std::vector<NcDim> dims = dimensions(array, true);
    if (!file_.getVar(array.name).isNull()) fail("two variables are called '" + array.name + "'", "rename one of them");
    const Tensor values = array.values.to(kCpu).contiguous();
    NcVar var = file_.addVar(array.name, type_of(values, options_.classic), dims);
    chunk(var, dims, size_of(values.dtype()));
    if (options_.deflate > 0 && !options_.classic && !dims.empty()) var.setCompression(true, true, options_.deflate);
    if (values.dtype() == DType::f32) var.putAtt("_FillValue", netCDF::ncFloat, kFillFloat);
    if (values.dtype() == DType::f64) var.putAtt("_FillValue", netCDF::ncDouble, kFillDouble);
    put_attributes(var, array);
    later_.push_back([this, var, values] { put_values(var, values); });
    links(var, array);
  }

  /// Auxiliary arrays, and the attributes that name them beside names of variables that were never in the file.
  void links(NcVar& var, const LabelledArray& array) {
    std::map<std::string, std::string> lists;
    for (const char* attribute : {"coordinates", "grid_mapping", "ancillary_variables", "cell_measures"}) lists[attribute] = text_of(array.attributes, attribute);
    const bool long_mapping = lists["grid_mapping"].find(':') != std::string::npos;
    for (LabelledArray extra : array.auxiliary) {
      if (!put_along(array, extra)) {
        note(fmt::format("'{}' lies along an axis that is no more, and is not kept", extra.name));
        continue;
      }
      auxiliary(extra);
      std::string kind = link_of(extra), key;
      if (const std::size_t colon = kind.find(": "); colon != std::string::npos) {
        key = kind.substr(colon + 2) + ": ";
        kind = kind.substr(0, colon);
      }
      if (!lists.count(kind) || (kind == "grid_mapping" && long_mapping)) continue;
      lists[kind] += (lists[kind].empty() ? "" : " ") + key + extra.name;
    }
    for (const auto& [attribute, text] : lists)
      if (!text.empty()) var.putAtt(attribute, text);
  }

  /// Axes of the array in place of those that `extra` was read with. False: one has other positions now.
  static bool put_along(const LabelledArray& array, LabelledArray& extra) {
    for (std::size_t k = 0; k < extra.axes.size(); ++k) {
      for (std::size_t i = 0; i < array.axes.size(); ++i) {
        Axis& mine = extra.axes[k];
        const Axis& of_array = array.axes[i];
        if (mine.name != of_array.name) continue;
        if (extra.values.size(int(k)) != array.values.size(int(i)) || (mine.time && of_array.time && mine.time->ticks != of_array.time->ticks)) return false;
        mine = of_array;
      }
    }
    return true;
  }

  void auxiliary(const LabelledArray& array) {
    if (!file_.getVar(array.name).isNull()) return;  // of several variables
    const Tensor values = array.values.to(kCpu).contiguous();
    const std::string as_stored = text_of(array.attributes, kStoredType);
    NcVar var;
    if (as_stored == name_of(NcType::character) || as_stored == name_of(NcType::string)) {
      var = characters(array, values, as_stored);
    } else {
      const std::vector<NcDim> dims = dimensions(array, false);
      const auto all = values.to_vector();
      const auto stored_as = type_from_name(as_stored);
      const bool keeps = stored_as && is_number(*stored_as) && std::all_of(all.begin(), all.end(), [&](double x) { return holds(*stored_as, x); });
      const bool natural = !options_.classic || (values.dtype() != DType::i64 && values.dtype() != DType::u8 && values.dtype() != DType::boolean);
      const netCDF::NcType type = keeps || !natural ? type_for(as_stored, all.data(), all.size()) : type_of(values, options_.classic);
      const bool gaps = std::any_of(all.begin(), all.end(), [](double x) { return std::isnan(x); });
      var = file_.addVar(array.name, type, dims);
      chunk(var, dims, 8);
      if (gaps && values.dtype() == DType::f32) var.putAtt("_FillValue", netCDF::ncFloat, kFillFloat);
      if (gaps && values.dtype() == DType::f64) var.putAtt("_FillValue", netCDF::ncDouble, kFillDouble);
      later_.push_back([this, var, values] { put_values(var, values); });
    }
    put_attributes(var, array);
    put_mentions(var, "bounds", text_of(array.attributes, "bounds"));
    if (const std::string calendar = text_of(array.attributes, "calendar"); !calendar.empty()) var.putAtt("calendar", calendar);
  }

  NcVar characters(const LabelledArray& array, const Tensor& values, const std::string& as_stored) {
    if (array.axes.empty()) {  // a lone character, as grid mappings have
      NcVar var = file_.addVar(array.name, netCDF::ncChar);
      later_.push_back([var, values] { var.putVar(values.raw()); });
      return var;
    }
    LabelledArray without = array;
    without.axes.pop_back();
    without.values = values.narrow(-1, 0, 1).squeeze(-1);
    const std::vector<NcDim> dims = dimensions(without, false);
    if (as_stored == name_of(NcType::string) && !options_.classic) return texts(array.name, texts_of_rows(values), dims, as_stored, {});
    std::vector<NcDim> all = dims;
    all.push_back(dimensions(array, false).back());
    NcVar var = file_.addVar(array.name, netCDF::ncChar, all);
    chunk(var, all, 1);
    later_.push_back([this, var, values] { if (values.numel()) records_.put(var, values.raw()); });
    return var;
  }

  void put_values(const NcVar& var, const Tensor& values) const {
    if (values.numel() == 0) return;
    switch (values.dtype()) {  // libnetcdf converts to the type of the variable
      case DType::f32: return records_.put(var, filled(values, kFillFloat).data<float>());
      case DType::f64: return records_.put(var, filled(values, kFillDouble).data<double>());
      case DType::i8: return records_.put(var, static_cast<const signed char*>(values.raw()));
      case DType::i16: return records_.put(var, static_cast<const short*>(values.raw()));
      case DType::i32: return records_.put(var, static_cast<const int*>(values.raw()));
      case DType::i64: return records_.put(var, static_cast<const long long*>(values.raw()));
      default: return records_.put(var, static_cast<const unsigned char*>(values.raw()));
    }
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

  NcGroup& file_;
  const Dataset& data_;
  const WriteOptions& options_;
  const Records records_;
  std::map<std::string, std::vector<double>> axes_;
  struct Mention {
    std::string owner, attribute, name;
  };
  std::vector<Mention> mentions_;
  std::vector<std::function<void()>> later_;  ///< a classic file is defined first, then filled
};

}  // namespace

namespace {

/// A file of libnetcdf. Not netCDF::NcFile: its destructor prints on standard error what went wrong in it.
class Output {
 public:
  Output(const std::filesystem::path& path, bool classic) { netCDF::ncCheck(nc_create(path.c_str(), NC_NOCLOBBER | (classic ? NC_64BIT_OFFSET : NC_NETCDF4), &id_), __FILE__, __LINE__); }
  ~Output() {
    if (id_ >= 0) nc_close(id_);  // after an error, which is the one to tell
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  int id() const noexcept { return id_; }
  void close() { netCDF::ncCheck(nc_close(std::exchange(id_, -1)), __FILE__, __LINE__); }

 private:
  int id_ = -1;
};

}  // namespace

void write_netcdf(const std::filesystem::path& path, const Dataset& dataset, const WriteOptions& options) {
  const auto temporary = std::filesystem::absolute(temporary_sibling(path));
  std::lock_guard hold(netcdf_lock());
  try {
    errno = 0;
    Output output(temporary, options.classic);
    NcGroup file(output.id());
    Writer(file, dataset, options).write();
    output.close();
    replace_file(temporary, path);
  } catch (const netCDF::exceptions::NcException& e) {
    // libnetcdf makes "HDF error" of a full disk, and "Permission denied" of much else; the system's own reason is still there.
    const int reason = errno;
    files().remove(temporary);
    if (reason == ENOSPC || reason == EDQUOT || reason == EFBIG || reason == EACCES || reason == EROFS) throw_io_error(reason, "write", path);
    throw Error(ErrorKind::device, "climate.write", fmt::format("NetCDF cannot write: {}", e.what()), "check the disk and the folder", path.string());
  } catch (const Error& e) {
    files().remove(temporary);
    throw e.at(path.string());
  }
}

void write_netcdf(const std::filesystem::path& path, const LabelledArray& array, const WriteOptions& options) { write_netcdf(path, Dataset{{array}, {}, {}}, options); }

}  // namespace tenon::climate
