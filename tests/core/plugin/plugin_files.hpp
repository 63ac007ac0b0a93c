/// Plugin files for the tests: the built ones of tests/plugins-bad, and copies of them that are broken on purpose.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tenon/abi.hpp"

namespace tenon::test {

namespace fs = std::filesystem;

inline fs::path built_plugin(const std::string& name) {
  return fs::path(TENON_BINARY_DIR) / "tests" / "plugins-bad" / (name + ".tenon.so");
}

inline std::vector<std::byte> bytes_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + file.string());
  std::vector<std::byte> bytes(fs::file_size(file));
  in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

inline void write_bytes(const fs::path& file, const std::vector<std::byte>& bytes) {
  std::ofstream out(file, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

inline void write_text(const fs::path& file, const std::string& text) {
  std::ofstream(file, std::ios::binary) << text;
}

/// Where the record lies in a plugin's bytes.
inline std::size_t record_offset(const std::vector<std::byte>& file) {
  const auto* magic = reinterpret_cast<const std::byte*>(kAbiMagic);
  const auto it = std::search(file.begin(), file.end(), magic, magic + sizeof kAbiMagic);
  if (it == file.end()) throw std::runtime_error("no record in the file");
  return static_cast<std::size_t>(it - file.begin());
}

/// The good plugin with its record changed by `change(record)`.
template <class F>
std::vector<std::byte> with_record(std::vector<std::byte> file, F&& change) {
  AbiRecord record;
  const std::size_t at = record_offset(file);
  std::memcpy(&record, file.data() + at, sizeof record);
  change(record);
  std::memcpy(file.data() + at, &record, sizeof record);
  return file;
}

/// Replaces a text field of a record.
template <std::size_t N>
void put_text(char (&field)[N], const std::string& text) {
  std::memset(field, 0, N);
  std::memcpy(field, text.data(), std::min(text.size(), N));
}

/// A new empty folder, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (fs::temp_directory_path() / "tenon-plugins-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = pattern;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;  // a leftover of a test is not its failure
    fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }
  fs::path operator/(const std::string& name) const { return path_ / name; }

 private:
  fs::path path_;
};

}  // namespace tenon::test
