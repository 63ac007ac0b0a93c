#include "io/npy_format.hpp"

#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <optional>

#include "tenon/error.hpp"

static_assert(std::endian::native == std::endian::little, ".npy data is read and written as it lies");

namespace tenon {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kMaxHeader = 1 << 16;

struct TypeName {
  std::string_view name;
  DType dtype;
};
/// The one list of element types: a new one is a line here.
constexpr TypeName kTypes[] = {{"<f8", DType::f64}, {"<f4", DType::f32}, {"<f2", DType::f16}, {"<i8", DType::i64},    {"<i4", DType::i32},
                               {"<i2", DType::i16}, {"|i1", DType::i8},  {"|u1", DType::u8},  {"|b1", DType::boolean},
                               {"<c8", DType::c64}, {"<c16", DType::c128}};

struct Header {
  std::optional<DType> dtype;
  std::optional<bool> fortran;
  std::optional<Shape> shape;
};

class Reader {
 public:
  Reader(NpySource& source, const std::string& name) : source_(source), name_(name), size_(source.size()) {}

  Tensor read() {
    Header header = parse_header(read_header());
    std::uint64_t bytes = size_of(*header.dtype);
    for (std::int64_t n : *header.shape) {
      if (n != 0 && bytes > std::uint64_t(std::numeric_limits<std::int64_t>::max()) / std::uint64_t(n))
        refuse("shape", "the shape has too many elements");
      bytes *= std::uint64_t(n);
    }
    if (bytes != size_ - at_)
      refuse("truncated", header.shape->str() + " " + std::string(name_of(*header.dtype)) + " takes " + std::to_string(bytes) +
                              " bytes, but " + std::to_string(size_ - at_) + " follow the header");
    return *header.fortran ? read_fortran(header) : read_dense(*header.shape, *header.dtype);
  }

 private:
  [[noreturn]] void refuse(const char* code, const std::string& what,
                           const std::string& hint = "the file is damaged or not a .npy file; write it anew") const {
    throw Error(ErrorKind::data, std::string("npy.") + code, name_ + ": " + what, hint, name_);
  }

  void take(void* data, std::size_t size) {
    if (size > size_ - at_ || source_.read(data, size) != size) refuse("truncated", "its " + std::to_string(size_) + " bytes end early");
    at_ += size;
  }

  std::string read_header() {
    std::array<char, 8> start{};
    take(start.data(), start.size());
    if (std::string_view(start.data(), 6) != kMagic) refuse("magic", "it does not begin as a .npy file does");
    int major = static_cast<unsigned char>(start[6]);
    if (major != 1 && major != 2) refuse("version", "version " + std::to_string(major) + " is not 1 or 2", "write it with numpy.save");
    std::array<std::uint8_t, 4> length{};
    take(length.data(), major == 1 ? 2 : 4);
    std::size_t size = length[0] | std::size_t(length[1]) << 8 | std::size_t(length[2]) << 16 | std::size_t(length[3]) << 24;
    if (size > kMaxHeader) refuse("header", "header of " + std::to_string(size) + " bytes");
    std::string text(size, '\0');
    take(text.data(), size);
    return text;
  }

  /// A Python dictionary literal with exactly the keys 'descr', 'fortran_order' and 'shape'.
  Header parse_header(std::string_view text) const {
    Header header;
    std::size_t at = 0;
    auto spaces = [&] {
      while (at < text.size() && (text[at] == ' ' || text[at] == '\n' || text[at] == '\t')) ++at;
    };
    auto accept = [&](std::string_view token) {
      spaces();
      if (text.substr(at, token.size()) != token) return false;
      at += token.size();
      return true;
    };
    auto expect = [&](std::string_view token) {
      if (!accept(token)) refuse("header", "expected " + std::string(token) + " at character " + std::to_string(at) + " of the header");
    };
    auto quoted = [&] {
      std::string_view quote = accept("'") ? "'" : "\"";
      if (quote == "\"") expect(quote);
      std::size_t end = text.find(quote, at);
      if (end == std::string_view::npos) refuse("header", "a string in the header does not end");
      std::string value(text.substr(at, end - at));
      at = end + 1;
      return value;
    };

    expect("{");
    while (!accept("}")) {
      std::string key = quoted();
      expect(":");
      if (key == "descr" && !header.dtype) {
        spaces();
        if (at < text.size() && text[at] == '[')
          refuse("dtype", "structured arrays are not read", "save one array of plain numbers a file");
        header.dtype = parse_dtype(quoted());
      } else if (key == "fortran_order" && !header.fortran) {
        header.fortran = accept("True");
        if (!*header.fortran) expect("False");
      } else if (key == "shape" && !header.shape) {
        header.shape.emplace();
        expect("(");
        while (!accept(")")) {
          spaces();
          std::size_t start = at;
          std::int64_t n = 0;
          for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
            if (at - start >= 18) refuse("shape", "a size has too many digits");
            n = n * 10 + (text[at] - '0');
          }
          if (at == start) refuse("shape", "a size is no whole number >= 0");
          if (header.shape->rank() == kMaxRank) refuse("shape", "more than " + std::to_string(kMaxRank) + " axes");
          header.shape->push_back(n);
          if (!accept(",")) {
            expect(")");
            break;
          }
        }
      } else {
        refuse("header", "unexpected or repeated key '" + key + "'");
      }
      if (!accept(",")) {
        expect("}");
        break;
      }
    }
    spaces();
    if (at != text.size()) refuse("header", "text after the header's end");
    if (!header.dtype || !header.fortran || !header.shape) refuse("header", "one of descr, fortran_order and shape is missing");
    // also where an axis of no length makes the array empty: its other sizes are multiplied on the way
    std::int64_t count = 1;
    for (std::int64_t n : *header.shape)
      if (n != 0 && __builtin_mul_overflow(count, n, &count)) refuse("shape", "the shape has too many elements");
    return header;
  }

  DType parse_dtype(const std::string& name) const {
    for (const TypeName& t : kTypes)
      if (t.name == name) return t.dtype;
    if (!name.empty() && name[0] == '>')
      refuse("dtype", "big-endian elements '" + name + "'", "convert with array.astype(array.dtype.newbyteorder('<'))");
    refuse("dtype", "element type '" + name + "'", "types that are read: f2 f4 f8 i1 i2 i4 i8 u1 b1 c8 c16, little-endian");
  }

  Tensor read_dense(const Shape& shape, DType dtype) {
    Tensor tensor = Tensor::empty(shape, dtype);
    std::size_t bytes = tensor.nbytes();
    if (bytes == 0) return tensor;
    take(tensor.raw(), bytes);
    if (dtype == DType::boolean) {
      auto* values = static_cast<const std::uint8_t*>(tensor.raw());
      for (std::size_t i = 0; i < bytes; ++i)
        if (values[i] > 1) refuse("bool", "a b1 element that is not 0 or 1");
    }
    return tensor;
  }

  /// First axis fastest: read as the reversed shape, then walk the C order and fetch.
  Tensor read_fortran(const Header& header) {
    const Shape& shape = *header.shape;
    Shape reversed;
    for (int i = shape.rank() - 1; i >= 0; --i) reversed.push_back(shape[i]);
    Tensor source = read_dense(reversed, *header.dtype);
    Tensor out = Tensor::empty(shape, *header.dtype);
    std::size_t width = size_of(*header.dtype);
    std::array<std::int64_t, kMaxRank> stride{}, index{};
    std::int64_t step = 1;
    for (int i = 0; i < shape.rank(); ++i) stride[std::size_t(i)] = step, step *= shape[i];
    std::int64_t count = shape.numel(), from = 0;
    auto* to = static_cast<char*>(count > 0 ? out.raw() : nullptr);
    auto* base = static_cast<const char*>(count > 0 ? source.raw() : nullptr);
    for (std::int64_t i = 0; i < count; ++i, to += width) {
      std::memcpy(to, base + std::size_t(from) * width, width);
      for (int axis = shape.rank() - 1; axis >= 0; --axis) {
        auto a = std::size_t(axis);
        from += stride[a];
        if (++index[a] < shape[axis]) break;
        from -= stride[a] * index[a];
        index[a] = 0;
      }
    }
    return out;
  }

  NpySource& source_;
  std::string name_;
  std::uint64_t size_, at_ = 0;
};

}  // namespace

std::string npy_head(const char* op, const Tensor& tensor) {
  if (!tensor.defined()) throw_usage(op, "the tensor is undefined");
  std::string_view name;
  for (const TypeName& t : kTypes)
    if (t.dtype == tensor.dtype()) name = t.name;
  if (name.empty()) throw_usage(op, std::string(name_of(tensor.dtype())) + " has no .npy type", "convert to f32 first");
  std::string header = "{'descr': '" + std::string(name) + "', 'fortran_order': False, 'shape': (";
  for (int i = 0; i < tensor.rank(); ++i)
    header += std::to_string(tensor.size(i)) + (i + 1 < tensor.rank() ? ", " : tensor.rank() == 1 ? "," : "");
  header += "), }";
  header.append((64 - (10 + header.size() + 1) % 64) % 64, ' ');  // data starts at a multiple of 64
  header += '\n';

  const char start[4] = {1, 0, char(header.size() & 255), char(header.size() >> 8)};
  return std::string(kMagic) + std::string(start, sizeof start) + header;
}

Tensor read_npy(NpySource& source, const std::string& name) {
  return Reader(source, name).read();
}

}  // namespace tenon
