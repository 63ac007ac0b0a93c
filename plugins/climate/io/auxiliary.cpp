#include "climate/io/auxiliary.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "climate/io/stored.hpp"
#include "tenon/error.hpp"

namespace tenon::climate {
namespace {

using Note = std::function<void(const std::string&)>;

std::string leaf(std::string_view name) { return std::string(name.substr(name.rfind('/') + 1)); }

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& w : words) out += (out.empty() ? "" : " ") + w;
  return out;
}

/// "area: areacella volume: volcello" as pairs; a word without a key has an empty one.
std::vector<std::pair<std::string, std::string>> pairs_of(const std::string& text) {
  std::vector<std::pair<std::string, std::string>> out;
  std::string key, word;
  for (char c : text + ' ') {
    if (c != ' ' && c != '\t' && c != '\n' && c != '\0') {
      word += c;
      continue;
    }
    if (word.empty()) continue;
    if (word.back() == ':') key = word.substr(0, word.size() - 1);
    else out.emplace_back(key, word);
    word.clear();
  }
  return out;
}

/// Texts as characters, [..., length], whatever kind of text the file has.
LabelledArray read_text(const NetcdfFile& file, const Variable& v, const ReadOptions& options, const Note& note) {
  LabelledArray out;
  out.name = leaf(v.name);
  out.unit = v.text("units");
  copy_attributes(v.attributes, out.attributes, out.numbers);
  out.attributes[kStoredType] = name_of(v.type);
  std::vector<std::int64_t> sizes = file.shape(v);
  std::string all;
  std::size_t axes = sizes.size();
  std::string length_name;
  if (v.type == NcType::character) {
    std::int64_t n = 1;
    for (auto s : sizes) n *= s;
    all.resize(std::size_t(n));
    if (n) file.read(v, std::vector<std::int64_t>(sizes.size(), 0), sizes, all.data());
    if (axes) length_name = leaf(file.header().dimensions[v.dimensions[--axes]].name);
  } else {
    const auto texts = file.read_texts(v);
    std::size_t longest = 1;
    for (const auto& t : texts) longest = std::max(longest, t.size());
    for (const auto& t : texts) {
      all += t;
      all.append(longest - t.size(), '\0');
    }
    sizes.push_back(std::int64_t(longest));
    length_name = fmt::format("strlen{}", longest);
  }
  out.values = Tensor::empty(Shape(std::span<const std::int64_t>(sizes)), DType::u8, kCpu);
  if (!all.empty()) std::memcpy(out.values.data<std::uint8_t>(), all.data(), all.size());
  for (std::size_t k = 0; k < axes; ++k) {
    AxisRead axis = read_axis(file, v, v.dimensions[k], options.coordinates, note);
    if (!axis.order.empty()) throw Error(ErrorKind::data, "climate.time_order", fmt::format("'{}' holds texts along a time that is not in order", v.name), "put the times of the file in order");
    out.axes.push_back(std::move(axis.axis));
  }
  if (axes < sizes.size()) out.axes.push_back({length_name, {}, {}, {}});
  return out;
}

class Collector {
 public:
  Collector(const NetcdfFile& file, const Variable& v, LabelledArray& out, const ReadOptions& options, const Note& note) : file_(file), v_(v), out_(out), options_(options), note_(note) {
    options_.mask_values.clear();
    seen_.insert(&v);
  }

  void links_of_variable() {
    for (const char* attribute : {"coordinates", "grid_mapping", "ancillary_variables", "cell_measures"}) {
      const std::string kind(attribute), text = v_.text(attribute);
      std::vector<std::string> absent;
      for (const auto& [key, word] : pairs_of(text)) {
        const bool mapping = kind == "grid_mapping" && !key.empty();
        const std::string& name = mapping ? key : word;  // "crs: lat lon" names the mapping before the colon
        if (const Variable* other = mentioned(file_, v_, name)) {
          if (other == &v_) note_(fmt::format("'{}' names itself in its {}", v_.name, attribute));
          else add(*other, kind == "cell_measures" ? kind + ": " + key : kind);
          continue;
        }
        absent.push_back(kind == "cell_measures" && !key.empty() ? key + ": " + word : name);
        if (kind != "cell_measures") note_(fmt::format("'{}' names '{}' in its {}, which is not there", v_.name, name, attribute));  // measures may lie in another file
      }
      // What is there is named anew by the writer; but for the long form of a mapping, which says more.
      if (kind == "grid_mapping" && text.find(':') != std::string::npos) continue;
      if (absent.empty()) out_.attributes.erase(kind);
      else out_.attributes[kind] = joined(absent);
    }
  }

  /// Terms of the formula of a vertical axis, and of its bounds.
  void links_of_axis(std::size_t k) {
    const Axis& axis = out_.axes[k];
    const std::string named = text_of(axis.attributes, "coordinate");
    const Variable* coordinate = file_.find(named.empty() ? file_.header().dimensions[v_.dimensions[k]].name : named);
    if (!coordinate) return;
    terms_of(*coordinate);
    if (axis.bounds.empty()) return;
    for (const char* attribute : {"bounds", "climatology"})
      if (const Variable* bounds = mentioned(file_, *coordinate, coordinate->text(attribute))) terms_of(*bounds);
  }

 private:
  void terms_of(const Variable& owner) {
    for (const auto& [term, name] : pairs_of(owner.text("formula_terms"))) {
      if (const Variable* other = mentioned(file_, owner, name)) add(*other, "formula_terms");
      else note_(fmt::format("'{}' names '{}' in its formula_terms, which is not there", owner.name, name));
    }
  }

  /// Names that belong to a coordinate variable of one of the variable's own dimensions are axes already.
  bool is_axis(const Variable& other) const {
    if (std::any_of(out_.axes.begin(), out_.axes.end(), [&](const Axis& a) { return text_of(a.attributes, "coordinate") == other.name; })) return true;
    return other.dimensions.size() == 1 && std::find(v_.dimensions.begin(), v_.dimensions.end(), other.dimensions[0]) != v_.dimensions.end() &&
           file_.header().dimensions[other.dimensions[0]].name == other.name;
  }

  void add(const Variable& other, const std::string& link) {
    if (is_axis(other) || !seen_.insert(&other).second) return;
    if (other.type == NcType::unsupported) {
      note_(fmt::format("'{}' is of type {} and is not kept", other.name, other.type_name));
      return;
    }
    const bool text = other.type == NcType::character || other.type == NcType::string;
    LabelledArray a = text ? read_text(file_, other, options_, note_) : read_plain(file_, other, options_, note_);
    if (!text && !other.find("scale_factor") && !other.find("add_offset")) a.attributes[kStoredType] = name_of(other.type);
    if (link == "grid_mapping" && !text) a.values = Tensor::zeros(a.values.shape(), DType::i32, kCpu);  // its attributes count; what it holds is mostly the fill value
    a.attributes[kLink] = link;
    const std::string bounds = other.text("bounds");
    out_.auxiliary.push_back(std::move(a));
    if (bounds.empty()) return;
    if (const Variable* b = mentioned(file_, other, bounds)) add(*b, "bounds");
    else note_(fmt::format("'{}' names bounds '{}', which is not there", other.name, bounds));
  }

  const NetcdfFile& file_;
  const Variable& v_;
  LabelledArray& out_;
  ReadOptions options_;
  const Note& note_;
  std::set<const Variable*> seen_;
};

}  // namespace

std::vector<std::string> linked_names(const std::string& attribute, const std::string& text) {
  std::vector<std::string> out;
  for (const auto& [key, word] : pairs_of(text)) {
    if (attribute == "grid_mapping" && !key.empty()) out.push_back(key);
    out.push_back(word);
  }
  return out;
}

void read_auxiliary(const NetcdfFile& file, const Variable& v, LabelledArray& out, const ReadOptions& options, const Note& note) {
  Collector collector(file, v, out, options, note);
  collector.links_of_variable();
  for (std::size_t k = 0; k < out.axes.size(); ++k) collector.links_of_axis(k);
}

}  // namespace tenon::climate
