#include "tenon/io/safetensors.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string_view>

#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/io/utf8.hpp"

static_assert(std::endian::native == std::endian::little, "safetensors data is little-endian and is copied as it lies");

namespace tenon {
namespace {

using Json = nlohmann::json;  // sorted: found by name in logarithmic time, however many there are

constexpr std::uint64_t kMaxHeader = 100'000'000;  // the limit of the reference implementation
constexpr std::string_view kMetadata = "__metadata__";

struct TypeName {
  std::string_view name;
  DType dtype;
};
constexpr TypeName kTypes[] = {{"F64", DType::f64}, {"F32", DType::f32},     {"F16", DType::f16}, {"BF16", DType::bf16},
                               {"I64", DType::i64}, {"I32", DType::i32},     {"I16", DType::i16}, {"I8", DType::i8},
                               {"U8", DType::u8},   {"BOOL", DType::boolean}, {"C64", DType::c64}};

std::string_view type_name(DType dtype) {
  for (const TypeName& t : kTypes)
    if (t.dtype == dtype) return t.name;
  throw_usage("save_safetensors", std::string(name_of(dtype)) + " has no safetensors type", "save real(z) and imag(z)");
}

struct Entry {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  std::uint64_t begin = 0, end = 0;
};

/// One file being read: every refusal names it.
class Reader {
 public:
  explicit Reader(const std::filesystem::path& path) : path_(path), file_(files().open_read(path)), size_(file_->size()) {}

  TensorFile read() {
    std::uint64_t header_size = read_header_size();
    std::string header(std::size_t(header_size), '\0');
    if (file_->read(header.data(), header.size()) != header.size()) refuse("truncated", "the file ends inside its header");
    TensorFile out;
    std::vector<Entry> entries = parse_header(header, out.metadata);
    check_layout(entries, size_ - 8 - header_size);
    for (const Entry& entry : entries) out.tensors.emplace_back(entry.name, read_data(entry));
    return out;
  }

 private:
  [[noreturn]] void refuse(const char* code, const std::string& what) const {
    throw Error(ErrorKind::data, std::string("safetensors.") + code, path_.string() + ": " + what,
                "the file is damaged or not a safetensors file; copy or write it anew", path_.string());
  }

  std::uint64_t read_header_size() {
    std::array<std::uint8_t, 8> bytes{};
    if (file_->read(bytes.data(), 8) != 8)
      refuse("truncated", "only " + std::to_string(size_) + " bytes, fewer than the 8 of the header length");
    std::uint64_t n = 0;
    for (std::size_t i = 8; i-- > 0;) n = n << 8 | bytes[i];
    if (n > kMaxHeader) refuse("header", "header of " + std::to_string(n) + " bytes, more than " + std::to_string(kMaxHeader));
    if (n > size_ - 8) refuse("truncated", "header of " + std::to_string(n) + " bytes in a file of " + std::to_string(size_));
    return n;
  }

  /// Walks the header before it is built: nlohmann-json keeps the last of equal keys, which here are an attack or a defect; and a parser that
  /// watches while it builds looks through all names after each entry.
  struct Watch : nlohmann::json_sax<Json> {
    const Reader& reader;
    std::vector<std::string>& order;  ///< the names as they stand in the file
    std::vector<std::set<std::string>> keys;
    int depth = 0;
    Watch(const Reader& r, std::vector<std::string>& o) : reader(r), order(o) {}
    bool enter() {
      if (++depth > 4) reader.refuse("header", "the header is nested too deeply");
      return true;
    }
    bool leave() { return --depth, true; }
    bool null() override { return true; }
    bool boolean(bool) override { return true; }
    bool number_integer(std::int64_t) override { return true; }
    bool number_unsigned(std::uint64_t) override { return true; }
    bool number_float(double, const std::string&) override { return true; }
    bool string(std::string&) override { return true; }
    bool binary(Json::binary_t&) override { return true; }
    bool start_object(std::size_t) override { return keys.emplace_back(), enter(); }
    bool end_object() override { return keys.pop_back(), leave(); }
    bool start_array(std::size_t) override { return enter(); }
    bool end_array() override { return leave(); }
    bool key(std::string& name) override {
      if (!keys.back().insert(name).second) reader.refuse("duplicate", "the name " + json_text(Json(name), -1) + " stands twice in the header");
      if (keys.size() == 1) order.push_back(name);
      return true;
    }
    bool parse_error(std::size_t, const std::string&, const Json::exception& error) override {
      reader.refuse("header", std::string("the header is no JSON: ") + error.what());
    }
  };

  Json parse_json(const std::string& header, std::vector<std::string>& order) const {
    if (header.empty() || header[0] != '{') refuse("header", "the header does not begin with '{'");
    Watch watch(*this, order);
    Json::sax_parse(header, &watch);
    try {
      return Json::parse(header);
    } catch (const nlohmann::json::exception& error) {
      refuse("header", std::string("the header is no JSON: ") + error.what());
    }
  }

  std::vector<Entry> parse_header(const std::string& text, std::map<std::string, std::string>& metadata) const {
    std::vector<std::string> order;
    const Json header = parse_json(text, order);
    std::vector<Entry> entries;
    for (const std::string& name : order) {
      const Json& value = header.at(name);
      if (!value.is_object()) refuse("header", "'" + name + "' is no object");
      if (name != kMetadata) {
        entries.push_back(parse_entry(name, value));
        continue;
      }
      for (const auto& [key, item] : value.items()) {
        if (!item.is_string()) refuse("header", "metadata '" + key + "' is no string");
        metadata[key] = item.get<std::string>();
      }
    }
    return entries;
  }

  std::uint64_t whole_number(const Json& value, const std::string& name, const char* what) const {
    if (!value.is_number_unsigned()) refuse("header", "'" + name + "': " + what + " " + value.dump() + " is no whole number >= 0");
    return value.get<std::uint64_t>();
  }

  Entry parse_entry(const std::string& name, const Json& value) const {
    for (const char* key : {"dtype", "shape", "data_offsets"})
      if (!value.contains(key)) refuse("header", "'" + name + "' has no " + key);
    if (value.size() != 3) refuse("header", "'" + name + "' has keys besides dtype, shape and data_offsets");
    const Json &dtype = value["dtype"], &shape = value["shape"], &offsets = value["data_offsets"];
    Entry entry;
    entry.name = name;
    auto known = std::find_if(std::begin(kTypes), std::end(kTypes),
                              [&](const TypeName& t) { return dtype.is_string() && t.name == dtype.get<std::string>(); });
    if (known == std::end(kTypes)) refuse("dtype", "'" + name + "' has the element type " + dtype.dump() + ", which is not one of ours");
    entry.dtype = known->dtype;
    if (!shape.is_array() || shape.size() > std::size_t(kMaxRank))
      refuse("shape", "'" + name + "': the shape is no list of at most " + std::to_string(kMaxRank) + " sizes");
    std::uint64_t bytes = size_of(entry.dtype);
    bool empty = false;
    for (const Json& item : shape) {
      std::uint64_t n = whole_number(item, name, "size");
      if (n > std::uint64_t(std::numeric_limits<std::int64_t>::max()))
        refuse("shape", "'" + name + "': size " + std::to_string(n) + " is too large");
      entry.shape.push_back(std::int64_t(n));
      empty |= n == 0;
      if (n != 0 && bytes > std::uint64_t(std::numeric_limits<std::int64_t>::max()) / n)
        refuse("shape", "'" + name + "': the shape has too many elements");
      bytes *= n == 0 ? 1 : n;
    }
    if (empty) bytes = 0;
    if (!offsets.is_array() || offsets.size() != 2) refuse("header", "'" + name + "': data_offsets is no pair");
    entry.begin = whole_number(offsets[0], name, "offset");
    entry.end = whole_number(offsets[1], name, "offset");
    if (entry.end < entry.begin || entry.end - entry.begin != bytes)
      refuse("offsets", "'" + name + "' lies at " + offsets.dump() + " but " + entry.shape.str() + " " + std::string(known->name) +
                            " takes " + std::to_string(bytes) + " bytes");
    return entry;
  }

  /// Sorts by place; tensors must fill the data exactly, one after the other.
  void check_layout(std::vector<Entry>& entries, std::uint64_t data_size) const {
    std::stable_sort(entries.begin(), entries.end(),
                     [](const Entry& a, const Entry& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
    std::uint64_t at = 0;
    for (const Entry& entry : entries) {
      if (entry.end > data_size)
        refuse("truncated",
               "'" + entry.name + "' ends at byte " + std::to_string(entry.end) + " of " + std::to_string(data_size) + " bytes of data");
      if (entry.begin < at)
        refuse("overlap", "'" + entry.name + "' begins at byte " + std::to_string(entry.begin) + ", inside the tensor before it");
      if (entry.begin > at) refuse("gap", "bytes " + std::to_string(at) + " to " + std::to_string(entry.begin) + " belong to no tensor");
      at = entry.end;
    }
    if (at != data_size) refuse("gap", "bytes " + std::to_string(at) + " to " + std::to_string(data_size) + " belong to no tensor");
  }

  Tensor read_data(const Entry& entry) {
    Tensor tensor = Tensor::empty(entry.shape, entry.dtype);
    std::size_t bytes = tensor.nbytes();
    if (bytes == 0) return tensor;
    if (file_->read(tensor.raw(), bytes) != bytes) refuse("truncated", "the file ends inside '" + entry.name + "'");
    if (entry.dtype == DType::boolean) {
      auto* values = static_cast<const std::uint8_t*>(tensor.raw());
      if (std::any_of(values, values + bytes, [](std::uint8_t v) { return v > 1; }))
        refuse("bool", "'" + entry.name + "' has a BOOL that is not 0 or 1");
    }
    return tensor;
  }

  std::filesystem::path path_;
  std::unique_ptr<File> file_;
  std::uint64_t size_;
};

std::string make_header(const std::vector<std::pair<std::string, Tensor>>& tensors, const std::map<std::string, std::string>& metadata) {
  std::set<std::string> names;
  std::string text = "{";
  const auto add = [&](const std::string& name, const nlohmann::ordered_json& value) {
    try {
      text += (text.size() > 1 ? "," : "") + nlohmann::ordered_json(name).dump() + ":" + value.dump();
    } catch (const nlohmann::json::exception& error) {
      throw_usage("save_safetensors", std::string("a name or metadata value is no UTF-8: ") + error.what());
    }
  };
  if (!metadata.empty()) add(std::string(kMetadata), metadata);
  std::uint64_t at = 0;
  for (const auto& [name, tensor] : tensors) {
    if (name == kMetadata || !names.insert(name).second)
      throw_usage("save_safetensors", "the name '" + name + "' is " + (name == kMetadata ? "reserved" : "there twice"));
    if (!tensor.defined()) throw_usage("save_safetensors", "'" + name + "' is an undefined tensor");
    add(name, {{"dtype", type_name(tensor.dtype())},
               {"shape", std::vector<std::int64_t>(tensor.shape().begin(), tensor.shape().end())},
               {"data_offsets", {at, at + tensor.nbytes()}}});
    at += tensor.nbytes();
  }
  text += "}";
  text.append((8 - text.size() % 8) % 8, ' ');  // data starts at a multiple of 8
  return text;
}

}  // namespace

void save_safetensors(const std::filesystem::path& path, const std::vector<std::pair<std::string, Tensor>>& tensors,
                      const std::map<std::string, std::string>& metadata) {
  auto ordered = tensors;
  std::stable_sort(ordered.begin(), ordered.end(), [](const auto& a, const auto& b) {
    auto width = [](const Tensor& t) { return t.defined() ? size_of(t.dtype()) : 0; };
    return width(a.second) > width(b.second);
  });
  std::string header = make_header(ordered, metadata);
  std::array<std::uint8_t, 8> length{};
  for (std::size_t i = 0; i < 8; ++i) length[i] = std::uint8_t(std::uint64_t(header.size()) >> (8 * i));

  AtomicFile file(path);
  file.write(length.data(), length.size());
  file.write(header);
  for (const auto& [name, tensor] : ordered) {
    if (tensor.nbytes() == 0) continue;
    Tensor dense = tensor.detach().to(kCpu).contiguous();
    file.write(dense.raw(), dense.nbytes());
  }
  file.commit();
}

TensorFile load_safetensors(const std::filesystem::path& path) {
  return Reader(path).read();
}

}  // namespace tenon
