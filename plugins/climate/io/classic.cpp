#include "climate/io/classic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <optional>
#include <set>

#include "tenon/error.hpp"

namespace tenon::climate {
namespace {

constexpr std::uint64_t kBuffer = 1 << 16;
constexpr std::uint32_t kDimensionTag = 10, kVariableTag = 11, kAttributeTag = 12;

[[noreturn]] void fail(std::uint64_t at, const std::string& what) {
  throw Error(ErrorKind::data, "climate.header", fmt::format("byte {}: {}", at, what), "copy or download the file again, or ask who wrote it");
}

[[noreturn]] void cut(const std::string& what) {
  throw Error(ErrorKind::data, "climate.truncated", what, "copy or download the file again; --whole-records reads the records that are whole");
}

/// a * b, or nothing where it passes 63 bits.
std::optional<std::uint64_t> product(std::uint64_t a, std::uint64_t b) {
  std::uint64_t out = 0;
  if (__builtin_mul_overflow(a, b, &out) || out > std::uint64_t(std::numeric_limits<std::int64_t>::max())) return {};
  return out;
}

/// Big-endian numbers of a file, through one small buffer, never past its end.
class Cursor {
 public:
  explicit Cursor(File& file) : file_(file), size_(file.size()) {}
  std::uint64_t at() const noexcept { return at_; }
  std::uint64_t size() const noexcept { return size_; }
  std::uint64_t left() const noexcept { return size_ - at_; }

  void need(std::uint64_t bytes, const char* what) const {
    if (bytes <= left()) return;
    throw Error(ErrorKind::data, "climate.truncated", fmt::format("the header ends early: {} at byte {} needs {} bytes, the file has {} left of {}", what, at_, bytes, left(), size_),
                "copy or download the file again");
  }
  void bytes(void* out, std::uint64_t n, const char* what) {
    need(n, what);
    auto* to = static_cast<std::byte*>(out);
    while (n > 0) {
      if (at_ < start_ || at_ >= start_ + buffer_.size()) fill();
      const std::uint64_t take = std::min<std::uint64_t>(n, start_ + buffer_.size() - at_);
      std::memcpy(to, buffer_.data() + (at_ - start_), take);
      to += take;
      at_ += take;
      n -= take;
    }
  }
  std::uint32_t u32(const char* what) {
    unsigned char b[4];
    bytes(b, 4, what);
    return std::uint32_t(b[0]) << 24 | std::uint32_t(b[1]) << 16 | std::uint32_t(b[2]) << 8 | b[3];
  }
  std::uint64_t u64(const char* what) {
    const std::uint64_t high = u32(what);
    return high << 32 | u32(what);
  }

 private:
  void fill() {
    start_ = at_;
    buffer_.resize(std::min(kBuffer, size_ - at_));
    const std::size_t got = file_.read_at(start_, buffer_.data(), buffer_.size());
    if (got == 0) fail(at_, "the file shrank while it was read");
    buffer_.resize(got);
  }
  File& file_;
  std::uint64_t size_, at_ = 0, start_ = 0;
  std::vector<std::byte> buffer_;
};

class Parser {
 public:
  Parser(File& file, bool whole_records) : c_(file), whole_records_(whole_records) {}

  ClassicHeader parse() {
    char magic[4];
    c_.bytes(magic, 4, "the magic number");
    version_ = magic[3];
    out_.header.kind = fmt::format("CDF-{}", version_);
    const std::uint64_t at = c_.at();
    records_ = version_ == 5 ? c_.u64("the number of records") : c_.u32("the number of records");
    streaming_ = records_ == (version_ == 5 ? ~std::uint64_t(0) : 0xffffffffu);
    if (!streaming_ && (version_ == 5 ? std::int64_t(records_) < 0 : std::int32_t(records_) < 0)) {
      fail(at, fmt::format("the number of records is {}", version_ == 5 ? std::int64_t(records_) : std::int64_t(std::int32_t(records_))));
    }
    dimensions();
    out_.header.attributes = attributes("the file");
    variables();
    place();
    return std::move(out_);
  }

 private:
  std::uint64_t nonneg(const char* what) {
    const std::uint64_t at = c_.at();
    const std::uint64_t n = version_ == 5 ? c_.u64(what) : c_.u32(what);
    if (version_ == 5 ? std::int64_t(n) < 0 : std::int32_t(n) < 0) fail(at, fmt::format("{} is negative", what));
    return n;
  }
  /// The count of a list; each entry needs at least `least` bytes.
  std::uint64_t list(std::uint32_t tag, std::uint64_t least, const char* what) {
    const std::uint64_t at = c_.at();
    const std::uint32_t found = c_.u32("the tag of a list");
    const std::uint64_t n = nonneg("the length of a list");
    if (found == 0 && n == 0) return 0;
    if (found != tag) fail(at, fmt::format("a list of {} has the tag {}, {} is wanted", what, found, tag));
    if (n > c_.left() / least) fail(at, fmt::format("a list of {} {} is announced, the file has {} bytes left", n, what, c_.left()));
    return n;
  }
  std::string name(const char* what) {
    const std::uint64_t at = c_.at();
    const std::uint64_t n = nonneg("the length of a name");
    if (n > c_.left()) fail(at, fmt::format("the name of {} has {} bytes, the file has {} left", what, n, c_.left()));
    std::string text(n, '\0');
    c_.bytes(text.data(), n, "a name");
    pad(n);
    require_name(text, what, fmt::format("(byte {})", at));
    return text;
  }
  void pad(std::uint64_t n) {
    unsigned char zeros[4];
    if (n % 4) c_.bytes(zeros, 4 - n % 4, "padding");
  }
  NcType type() {
    const std::uint64_t at = c_.at();
    const std::uint32_t t = c_.u32("a type");
    if (t < 1 || t > (version_ == 5 ? 11u : 6u)) fail(at, fmt::format("there is no type {} in CDF-{}", t, version_));
    return NcType(t);
  }

  void dimensions() {
    std::set<std::string> seen;
    for (std::uint64_t i = 0, n = list(kDimensionTag, 8, "dimensions"); i < n; ++i) {
      const std::uint64_t at = c_.at();
      Dimension d;
      d.name = name("a dimension");
      const std::uint64_t size = nonneg("the length of a dimension");
      if (!seen.insert(d.name).second) fail(at, "two dimensions are called '" + d.name + "'");
      if (size == 0) {
        if (record_) fail(at, "two dimensions have length 0: only one may count records");
        record_ = std::size_t(i);
      }
      d.size = std::int64_t(size);
      d.unlimited = size == 0;
      out_.header.dimensions.push_back(std::move(d));
    }
  }

  std::vector<Attribute> attributes(const std::string& owner) {
    std::vector<Attribute> out;
    std::set<std::string> seen;
    for (std::uint64_t i = 0, n = list(kAttributeTag, 12, "attributes"); i < n; ++i) {
      const std::uint64_t at = c_.at();
      Attribute a;
      a.name = name("an attribute");
      if (!seen.insert(a.name).second) fail(at, fmt::format("two attributes of {} are called '{}'", owner, a.name));
      a.type = type();
      const std::uint64_t where = c_.at(), count = nonneg("the length of an attribute");
      const auto bytes = product(count, size_of(a.type));
      if (!bytes || *bytes > c_.left()) fail(where, fmt::format("attribute '{}' of {} has {} values, the file has {} bytes left", a.name, owner, count, c_.left()));
      std::vector<unsigned char> raw(*bytes);
      c_.bytes(raw.data(), raw.size(), "an attribute");
      pad(*bytes);
      decode(a, raw);
      out.push_back(std::move(a));
    }
    return out;
  }

  static void decode(Attribute& a, const std::vector<unsigned char>& raw) {
    if (a.type == NcType::character) {
      a.texts.emplace_back(raw.begin(), raw.end());
      return;
    }
    const std::size_t size = size_of(a.type);
    for (std::size_t i = 0; i < raw.size(); i += size) {
      std::uint64_t bits = 0;
      for (std::size_t b = 0; b < size; ++b) bits = bits << 8 | raw[i + b];
      if (a.type == NcType::float32) {
        a.numbers.push_back(double(std::bit_cast<float>(std::uint32_t(bits))));
      } else if (a.type == NcType::float64) {
        a.numbers.push_back(std::bit_cast<double>(bits));
      } else {
        const bool is_signed = a.type == NcType::byte || a.type == NcType::int16 || a.type == NcType::int32 || a.type == NcType::int64;
        if (is_signed && size < 8 && (bits >> (8 * size - 1))) bits |= ~std::uint64_t(0) << (8 * size);
        a.integers.push_back(std::int64_t(bits));
        a.numbers.push_back(a.type == NcType::uint64 ? double(bits) : double(std::int64_t(bits)));
      }
    }
  }

  void variables() {
    std::set<std::string> seen;
    for (std::uint64_t i = 0, n = list(kVariableTag, 28, "variables"); i < n; ++i) {
      const std::uint64_t at = c_.at();
      Variable v;
      v.name = name("a variable");
      if (!seen.insert(v.name).second) fail(at, "two variables are called '" + v.name + "'");
      const std::uint64_t where = c_.at(), rank = nonneg("the number of dimensions");
      if (rank > c_.left() / (version_ == 5 ? 8 : 4)) fail(where, fmt::format("variable '{}' has {} dimensions, the file has {} bytes left", v.name, rank, c_.left()));
      for (std::uint64_t d = 0; d < rank; ++d) dimension_of(v);
      v.attributes = attributes("variable '" + v.name + "'");
      v.type = type();
      extent(v);
      out_.header.variables.push_back(std::move(v));
    }
    header_end_ = c_.at();
  }

  void dimension_of(Variable& v) {
    const std::uint64_t at = c_.at(), id = nonneg("a dimension's number");
    if (id >= out_.header.dimensions.size()) fail(at, fmt::format("variable '{}' uses dimension {}, there are {}", v.name, id, out_.header.dimensions.size()));
    if (record_ && id == *record_ && !v.dimensions.empty()) {
      fail(at, fmt::format("variable '{}': the record dimension '{}' is not its first", v.name, out_.header.dimensions[id].name));
    }
    v.dimensions.push_back(std::size_t(id));
  }

  void extent(const Variable& v) {
    ClassicExtent e;
    e.record = record_ && !v.dimensions.empty() && v.dimensions[0] == *record_;
    e.bytes = size_of(v.type);
    std::string shape;
    bool too_large = false;
    for (std::size_t k = 0; k < v.dimensions.size(); ++k) {
      const Dimension& d = out_.header.dimensions[v.dimensions[k]];
      shape += fmt::format("{}{}", k ? " x " : "", e.record && k == 0 ? "records" : std::to_string(d.size));
      if (e.record && k == 0) continue;
      if (auto p = product(e.bytes, std::uint64_t(d.size))) e.bytes = *p;
      else too_large = true;
    }
    if (too_large) fail(c_.at(), fmt::format("variable '{}' of {} values of {} is larger than any file", v.name, shape, name_of(v.type)));
    const std::uint64_t stored = version_ == 5 ? c_.u64("vsize") : c_.u32("vsize");
    const std::uint64_t padded = (e.bytes + 3) / 4 * 4;
    // Variables of 4 GiB and more cannot state their size in 32 bits.
    if (stored != padded && stored != e.bytes && !(version_ != 5 && padded > 0xfffffffbu)) {
      out_.header.notes.push_back(fmt::format("variable '{}': its stored size is {} bytes, its shape says {}; the shape is used", v.name, stored, padded));
    }
    const std::uint64_t at = c_.at();
    e.begin = version_ == 1 ? c_.u32("the offset of a variable") : c_.u64("the offset of a variable");
    if (e.begin > std::uint64_t(std::numeric_limits<std::int64_t>::max()) - e.bytes) fail(at, fmt::format("variable '{}' begins at byte {}", v.name, e.begin));
    begin_at_.push_back(at);
    out_.extents.push_back(e);
  }

  /// Bytes past which the last value of a variable ends, given the records there are.
  std::optional<std::uint64_t> end_of(const ClassicExtent& e) const {
    if (!e.record) return e.begin + e.bytes;
    if (records_ == 0) return e.begin;
    auto skip = product(out_.record_bytes, records_ - 1);
    if (!skip || *skip > std::uint64_t(std::numeric_limits<std::int64_t>::max()) - e.begin - e.bytes) return {};
    return e.begin + *skip + e.bytes;
  }

  void place() {
    auto& vars = out_.header.variables;
    std::size_t of_records = 0;
    std::uint64_t first_record = c_.size(), unpadded = 0;
    for (std::size_t i = 0; i < vars.size(); ++i) {
      const auto& e = out_.extents[i];
      if (e.begin < header_end_ && e.bytes > 0) fail(begin_at_[i], fmt::format("variable '{}' begins at byte {}, inside the header of {} bytes", vars[i].name, e.begin, header_end_));
      if (!e.record) continue;
      ++of_records;
      unpadded = e.bytes;
      first_record = std::min(first_record, e.begin);
      const std::uint64_t padded = (e.bytes + 3) / 4 * 4;
      if (padded > std::uint64_t(std::numeric_limits<std::int64_t>::max()) - out_.record_bytes) fail(begin_at_[i], "a record is larger than any file");
      out_.record_bytes += padded;
    }
    if (of_records == 1) out_.record_bytes = unpadded;  // alone, a record variable is not padded
    if (streaming_) {
      records_ = out_.record_bytes && c_.size() > first_record ? (c_.size() - first_record) / out_.record_bytes : 0;
      out_.header.notes.push_back(fmt::format("the number of records is not written (a stream): {} from the file's size", records_));
    }
    if (whole_records_ && out_.record_bytes) {
      const std::uint64_t whole = c_.size() > first_record ? (c_.size() - first_record) / out_.record_bytes : 0;
      if (whole < records_) {
        out_.header.notes.push_back(fmt::format("{} records are announced, {} are whole and read", records_, whole));
        records_ = whole;
      }
    }
    check_ends();
    check_overlaps();
    if (record_) out_.header.dimensions[*record_].size = std::int64_t(records_);
  }

  void check_ends() {
    const auto& vars = out_.header.variables;
    std::uint64_t last = header_end_;
    for (std::size_t i = 0; i < vars.size(); ++i) {
      const auto& e = out_.extents[i];
      const auto end = end_of(e);
      if (!end) cut(fmt::format("variable '{}': {} records of {} bytes are announced, the file has {} bytes", vars[i].name, records_, out_.record_bytes, c_.size()));
      if (e.bytes > 0 && !(e.record && records_ == 0) && *end > c_.size()) missing(vars[i], e, *end);
      if (!(e.record && records_ == 0)) last = std::max(last, *end);
    }
    if (c_.size() > (last + 3) / 4 * 4) out_.header.notes.push_back(fmt::format("{} bytes follow the last value; they are not read", c_.size() - last));
  }

  [[noreturn]] void missing(const Variable& v, const ClassicExtent& e, std::uint64_t end) const {
    std::uint64_t expected = e.bytes, present = 0;
    if (e.record) {
      expected = e.bytes * records_;  // fits: end_of() did
      if (c_.size() > e.begin) {
        const std::uint64_t run = c_.size() - e.begin;
        present = run / out_.record_bytes * e.bytes + std::min(run % out_.record_bytes, e.bytes);
      }
    } else if (c_.size() > e.begin) {
      present = c_.size() - e.begin;
    }
    cut(fmt::format("variable '{}' has {} bytes from byte {} on, to byte {}; the file ends at byte {}, so {} of its bytes are there", v.name, expected, e.begin, end, c_.size(), present));
  }

  void check_overlaps() const {
    const auto& vars = out_.header.variables;
    std::vector<std::size_t> order(vars.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::erase_if(order, [&](std::size_t i) { return out_.extents[i].bytes == 0 || (out_.extents[i].record && records_ == 0); });
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return out_.extents[a].begin < out_.extents[b].begin; });
    std::uint64_t first_record = std::numeric_limits<std::uint64_t>::max();
    for (std::size_t k = 0; k < order.size(); ++k) {
      const auto& e = out_.extents[order[k]];
      if (k > 0) {
        const auto& before = out_.extents[order[k - 1]];
        if (e.begin < before.begin + before.bytes || (before.record && !e.record)) {
          fail(begin_at_[order[k]], fmt::format("variables '{}' and '{}' overlap (from byte {} and byte {})", vars[order[k - 1]].name, vars[order[k]].name, before.begin, e.begin));
        }
      }
      if (!e.record) continue;
      first_record = std::min(first_record, e.begin);
      if (records_ > 1 && e.begin - first_record + e.bytes > out_.record_bytes) {
        fail(begin_at_[order[k]], fmt::format("variable '{}' lies outside the record of {} bytes", vars[order[k]].name, out_.record_bytes));
      }
    }
  }

  Cursor c_;
  bool whole_records_;
  ClassicHeader out_;
  int version_ = 1;
  std::uint64_t records_ = 0, header_end_ = 0;
  bool streaming_ = false;
  std::optional<std::size_t> record_;
  std::vector<std::uint64_t> begin_at_;  ///< where each variable's offset stands in the header
};

}  // namespace

ClassicHeader read_classic_header(File& file, bool whole_records) { return Parser(file, whole_records).parse(); }

}  // namespace tenon::climate
