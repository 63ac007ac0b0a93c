#include "climate/io/dataset.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <set>

#include "climate/io/auxiliary.hpp"
#include "climate/io/stored.hpp"
#include "climate/io/unpack.hpp"
#include "tenon/error.hpp"
#include "tenon/indexing.hpp"

namespace tenon::climate {
namespace {

/// Attributes that say how values were stored; a writer decides them anew.
const std::set<std::string, std::less<>> kStorage = {"_FillValue", "missing_value", "scale_factor", "add_offset", "valid_range", "valid_min", "valid_max", "_Unsigned",
                                                     "units",      "_ChunkSizes",   "_Storage",     "_DeflateLevel", "_Shuffle", "_Endianness"};

std::string leaf(std::string_view name) { return std::string(name.substr(name.rfind('/') + 1)); }

/// Rows of an axis in another order.
Tensor taken(const Tensor& values, int axis, const std::vector<std::int64_t>& order) {
  return index_select(values, axis, Tensor::from(order, {std::int64_t(order.size())}));
}

/// Bytes of a block, before chunks make it larger: large enough for all threads, small enough for caches.
constexpr std::int64_t kBlockBytes = std::int64_t(16) << 20;

}  // namespace

void copy_attributes(const std::vector<Attribute>& from, std::map<std::string, std::string>& texts, std::map<std::string, std::vector<double>>& numbers) {
  for (const auto& a : from)
    if (!kStorage.count(a.name)) keep_attribute(a, texts, numbers);
}

namespace {

/// Name and attributes.
LabelledArray named(const NetcdfFile& file, const Variable& v) {
  file.require_numbers(v);
  if (v.type == NcType::character) throw Error(ErrorKind::data, "climate.type", "variable '" + v.name + "' holds text", "ask for another variable");
  LabelledArray out;
  out.name = leaf(v.name);
  out.unit = v.text("units");
  copy_attributes(v.attributes, out.attributes, out.numbers);
  if (!v.members.empty()) {  // an enum, as CF writes flags
    std::string meanings;
    for (const auto& [name, value] : v.members) {
      meanings += (meanings.empty() ? "" : " ") + name;
      out.numbers["flag_values"].push_back(double(value));
    }
    out.attributes["flag_meanings"] = meanings;
  }
  return out;
}

}  // namespace

LabelledArray read_plain(const NetcdfFile& file, const Variable& v, const ReadOptions& options, const std::function<void(const std::string&)>& note) {
  LabelledArray out = named(file, v);
  Packing packing(v, options.mask_values);
  for (const auto& n : packing.notes) note(n);
  const auto shape = file.shape(v);
  out.values = read_values(file, v, packing, std::vector<std::int64_t>(shape.size(), 0), shape).values;
  for (std::size_t k = 0; k < v.dimensions.size(); ++k) {
    AxisRead axis = read_axis(file, v, v.dimensions[k], options.coordinates, note);
    if (!axis.order.empty()) out.values = taken(out.values, int(k), axis.order);
    out.axes.push_back(std::move(axis.axis));
  }
  return out;
}

std::vector<std::string> data_variables(const NetcdfFile& file) {
  std::set<std::string> used;
  for (const auto& v : file.header().variables) {
    for (const char* attribute : {"bounds", "climatology", "coordinates", "grid_mapping", "formula_terms", "ancillary_variables"}) {
      for (const auto& name : linked_names(attribute, v.text(attribute)))
        if (const Variable* other = mentioned(file, v, name); other && other != &v) used.insert(other->name);
    }
    if (v.dimensions.size() == 1 && file.header().dimensions[v.dimensions[0]].name == v.name) used.insert(v.name);
    // A coordinate by its meaning, though the dimension has another name.
    if (const AxisRole role = role_of(v); v.dimensions.size() <= 2 && (role == AxisRole::latitude || role == AxisRole::longitude)) used.insert(v.name);
  }
  std::vector<std::string> out;
  for (const auto& v : file.header().variables)
    if (!used.count(v.name)) out.push_back(v.name);
  return out;
}

std::string only_variable(const NetcdfFile& file) {
  std::vector<std::string> numbers;
  std::size_t most = 0;
  for (const auto& name : data_variables(file)) {
    const Variable& v = *file.find(name);
    if (is_number(v.type)) numbers.push_back(name), most = std::max(most, v.dimensions.size());
  }
  // Scalars and series beside one field are not what is meant.
  std::vector<std::string> fields;
  for (const auto& name : numbers)
    if (file.find(name)->dimensions.size() == most) fields.push_back(name);
  if (fields.size() == 1) return fields[0];
  std::string list;
  for (const auto& n : numbers) list += (list.empty() ? "" : ", ") + n;
  throw Error(ErrorKind::data, "climate.which_variable", numbers.empty() ? "the file holds no variable of numbers" : "the file holds several variables: " + list,
              numbers.empty() ? "give another file" : "name one with --variable", file.path().string());
}

LabelledArray read_variable(const NetcdfFile& file, const std::string& name, const ReadOptions& options) {
  const auto note = [&](const std::string& text) {
    if (options.note) options.note(text);
  };
  const Variable& v = file.variable(name);
  try {
    LabelledArray out = read_plain(file, v, options, note);
    if (options.auxiliary) read_auxiliary(file, v, out, options, note);
    return out;
  } catch (const Error& e) {
    throw e.at(file.path().string());
  }
}

std::optional<VariableBlocks> variable_in_blocks(const NetcdfFile& file, const std::string& name, const ReadOptions& options) {
  const auto note = [&](const std::string& text) {
    if (options.note) options.note(text);
  };
  const Variable& v = file.variable(name);
  try {
    VariableBlocks out{named(file, v), file.shape(v), 1, DType::f32, {}};
    auto packing = std::make_shared<const Packing>(v, options.mask_values);
    const bool real = packing->type == NcType::float32 || packing->type == NcType::float64;
    if (out.sizes.empty() || out.sizes.size() > std::size_t(kMaxRank) || !(real || packing->scaled)) return {};
    out.dtype = packing->scaled ? packing->scaled_type : packing->type == NcType::float32 ? DType::f32 : DType::f64;
    for (const auto& n : packing->notes) note(n);
    for (std::size_t k = 0; k < v.dimensions.size(); ++k) {
      AxisRead axis = read_axis(file, v, v.dimensions[k], options.coordinates, note);
      if (!axis.order.empty()) return {};
      out.labels.axes.push_back(std::move(axis.axis));
    }
    if (options.auxiliary) read_auxiliary(file, v, out.labels, options, note);
    std::int64_t row = std::int64_t(size_of(v.type));
    for (std::size_t k = 1; k < out.sizes.size(); ++k) row *= out.sizes[k];
    out.rows = std::max<std::int64_t>(1, kBlockBytes / std::max<std::int64_t>(1, row));
    if (!v.chunks.empty()) out.rows = (out.rows + v.chunks[0] - 1) / v.chunks[0] * v.chunks[0];
    out.read = [&file, &v, packing, sizes = out.sizes](std::int64_t first, std::int64_t count) {
      std::vector<std::int64_t> start(sizes.size(), 0), n = sizes;
      start[0] = first;
      n[0] = count;
      try {
        return read_values(file, v, *packing, start, n).values;
      } catch (const Error& e) {
        throw e.at(file.path().string());
      }
    };
    return out;
  } catch (const Error& e) {
    throw e.at(file.path().string());
  }
}

LabelledArray read_netcdf(const std::filesystem::path& path, const std::string& name, const ReadOptions& options) {
  const auto file = open_netcdf(path, {options.whole_records});
  if (options.note)
    for (const auto& n : file->header().notes) options.note(n);
  return read_variable(*file, name.empty() ? only_variable(*file) : name, options);
}

Dataset read_dataset(const NetcdfFile& file, const std::vector<std::string>& names, const ReadOptions& options) {
  Dataset out;
  copy_attributes(file.header().attributes, out.attributes, out.numbers);
  std::vector<std::string> wanted = names;
  if (wanted.empty()) {
    for (const auto& name : data_variables(file))
      if (is_number(file.find(name)->type)) wanted.push_back(name);
  }
  for (const auto& name : wanted) out.variables.push_back(read_variable(file, name, options));
  return out;
}

}  // namespace tenon::climate
