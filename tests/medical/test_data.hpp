/// What the tests of files and geometry share: folders that vanish, error codes, and NIfTI bytes made by hand.
#pragma once

#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "medical/shared_data.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"

namespace tenon::medical_test {

/// Folder `medical` of the shared data; nothing (and a line that says so) where it is absent.
inline std::optional<std::filesystem::path> medical_data() {
  if (auto path = test::medical_data(); !path.empty()) return path;
  WARN("skipped: needs the shared medical data (set TENON_DATA)");
  return {};
}

class TempFolder {
 public:
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "tenon-medical-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TempFolder() { std::filesystem::remove_all(path_); }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

using Bytes = std::vector<std::byte>;

template <class T> void put_at(Bytes& b, std::size_t at, T v, bool big = false) {
  auto* raw = reinterpret_cast<std::byte*>(&v);
  for (std::size_t i = 0; i < sizeof(T); ++i) b[at + i] = raw[big ? sizeof(T) - 1 - i : i];
}

/// A NIfTI-1 file of i16 values 0, 1, 2... on a 4 x 3 x 2 grid, sform diag(2, 3, 4) with origin (-10, 20, 30).
inline Bytes small_nifti(bool big = false) {
  Bytes b(352 + 24 * 2, std::byte{});
  put_at<std::int32_t>(b, 0, 348, big);
  const std::int16_t dim[8] = {3, 4, 3, 2, 1, 1, 1, 1};
  const float pixdim[8] = {1, 2, 3, 4, 1, 1, 1, 1};
  for (std::size_t i = 0; i < 8; ++i) put_at(b, 40 + 2 * i, dim[i], big), put_at(b, 76 + 4 * i, pixdim[i], big);
  put_at<std::int16_t>(b, 70, 4, big);
  put_at<std::int16_t>(b, 72, 16, big);
  put_at<float>(b, 108, 352, big);
  put_at<float>(b, 112, 1, big);
  b[123] = std::byte{10};
  put_at<std::int16_t>(b, 254, 1, big);
  const float srow[12] = {2, 0, 0, -10, 0, 3, 0, 20, 0, 0, 4, 30};
  for (std::size_t i = 0; i < 12; ++i) put_at(b, 280 + 4 * i, srow[i], big);
  std::memcpy(b.data() + 344, "n+1", 4);
  for (std::size_t i = 0; i < 24; ++i) put_at(b, 352 + 2 * i, std::int16_t(i), big);
  return b;
}

inline std::filesystem::path write_bytes(const std::filesystem::path& path, const Bytes& bytes) {
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), std::streamsize(bytes.size()));
  return path;
}

/// The code of the Error that `f` throws; "" when it throws none. Any other exception passes.
inline std::string code_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.code();
  }
  return {};
}

inline std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.message() + " | " + e.hint() + " | " + e.where();
  }
  return {};
}

}  // namespace tenon::medical_test
