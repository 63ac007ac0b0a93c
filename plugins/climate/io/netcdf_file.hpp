/// A NetCDF file as stored: dimensions, variables, attributes, and raw values by hyperslab. What the values mean (packing, time, coordinates)
/// is decided above, in unpack.hpp, time_units.hpp and coordinates.hpp.
///
/// Classic files (CDF-1, -2, -5) are read by our own bounded reader (classic.cpp): every size in the header is held against the file's size
/// before memory is taken, so a cut file is an error and never zeros. NetCDF-4 is read through libnetcdf (netcdf4.cpp) under one lock of the
/// process. A NetcdfFile may be read from several threads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tenon::climate {

/// Values are those of nc_type.
enum class NcType : std::uint8_t {
  byte = 1, character, int16, int32, float32, float64, uint8, uint16, uint32, int64, uint64, string,
  unsupported  ///< VLEN, compound, opaque
};
std::size_t size_of(NcType type) noexcept;        ///< bytes of a value; 0 for string and unsupported
std::string_view name_of(NcType type) noexcept;   ///< "int16", "float32", "char", ...
inline bool is_integer(NcType t) noexcept { return t != NcType::float32 && t != NcType::float64 && t <= NcType::uint64 && t != NcType::character; }
inline bool is_number(NcType t) noexcept { return is_integer(t) || t == NcType::float32 || t == NcType::float64; }

struct Attribute {
  std::string name;
  NcType type = NcType::character;
  std::vector<std::string> texts;       ///< of characters: one; of strings: each
  std::vector<double> numbers;          ///< of numbers: each
  std::vector<std::int64_t> integers;   ///< of whole numbers: the same, exactly (uint64 as its bits)
  std::string type_name = {};           ///< of a type that is not read
  bool is_text() const noexcept { return type == NcType::character || type == NcType::string; }
  /// Texts joined by newlines; trailing blanks and NULs dropped.
  std::string text() const;
};

struct Dimension {
  std::string name;  ///< with its group: "forecast/time"
  std::int64_t size = 0;
  bool unlimited = false;
};

struct Variable {
  std::string name;  ///< with its group: "forecast/tas"
  NcType type = NcType::float32;
  std::vector<std::size_t> dimensions;  ///< into Header::dimensions
  std::vector<Attribute> attributes;
  std::vector<std::int64_t> chunks = {};     ///< empty: contiguous
  std::string type_name = {};                ///< of a user-defined type, "enum cloud_class"
  std::vector<std::pair<std::string, std::int64_t>> members = {};  ///< of an enum: names and values
  const Attribute* find(std::string_view attribute) const noexcept;
  /// The attribute as text; empty when it is absent or no text.
  std::string text(std::string_view attribute) const;
};

struct Header {
  std::string kind;  ///< "CDF-1", "CDF-2", "CDF-5", "NetCDF-4"
  std::vector<Dimension> dimensions;
  std::vector<Variable> variables;
  std::vector<Attribute> attributes;
  std::vector<std::string> notes;  ///< what is odd but no defect
};

struct OpenOptions {
  bool whole_records = false;  ///< of a classic file that ends too early: read the records that are whole
};

class NetcdfFile {
 public:
  virtual ~NetcdfFile();
  const std::filesystem::path& path() const noexcept { return path_; }
  const Header& header() const noexcept { return header_; }
  const Variable* find(std::string_view name) const noexcept;
  /// By its name, or by its name without the group where that is unique. Throws climate.no_variable with the nearest names.
  const Variable& variable(const std::string& name) const;
  std::vector<std::int64_t> shape(const Variable& variable) const;

  /// Values of a box, row major, native byte order, in the variable's own type: `out` has product(count) * size_of(type) bytes.
  /// Throws climate.type for types that have no such values (string, VLEN, compound, opaque).
  virtual void read(const Variable& variable, std::span<const std::int64_t> start, std::span<const std::int64_t> count, void* out) const = 0;
  /// All values of a string variable, or of a char variable with the last dimension as the length of a text.
  virtual std::vector<std::string> read_texts(const Variable& variable) const = 0;
  /// Throws climate.type unless read() works for it.
  void require_numbers(const Variable& variable) const;

 protected:
  NetcdfFile(std::filesystem::path path, Header header) : path_(std::move(path)), header_(std::move(header)) {}
  std::vector<std::string> texts_of_characters(const Variable& variable) const;

  std::filesystem::path path_;
  Header header_;
};

/// Opens a local file of any NetCDF kind. What is none is refused with what it seems to be instead (HTML, gzip, text, nothing at all).
/// Errors carry the path: climate.not_netcdf, climate.header, climate.truncated.
std::unique_ptr<NetcdfFile> open_netcdf(const std::filesystem::path& path, const OpenOptions& options = {});
/// Does the head of a file look like NetCDF?
bool is_netcdf(std::span<const std::byte> head) noexcept;

/// libnetcdf and serial HDF5 are not thread-safe: whoever calls them holds this.
std::mutex& netcdf_lock();

// ---- the two readers, used by open_netcdf --------------------------------------------------------------------
std::unique_ptr<NetcdfFile> open_classic(const std::filesystem::path& path, const OpenOptions& options);
std::unique_ptr<NetcdfFile> open_netcdf4(const std::filesystem::path& path);
/// Refuses names that no NetCDF file may have: empty, with "/", NUL or control characters, or not UTF-8.
void require_name(std::string_view name, std::string_view what, const std::string& where);

}  // namespace tenon::climate
