#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <vector>

#include "medical/io/bytes.hpp"
#include "medical/io/dicom.hpp"
#include "medical/io/dicom_file.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/io/sha256.hpp"

namespace tenon::medical {
namespace {

constexpr char kSecondaryCapture[] = "1.2.840.10008.5.1.4.1.1.7", kCt[] = "1.2.840.10008.5.1.4.1.1.2", kMr[] = "1.2.840.10008.5.1.4.1.1.4";
constexpr char kExplicitLittle[] = "1.2.840.10008.1.2.1";

/// "2.25." and 128 bits of a digest in decimal (PS3.5, B.2).
std::string uid_of(const std::string& text) {
  Sha256 sha;
  sha.update(text.data(), text.size());
  auto digest = sha.digest();
  __extension__ using u128 = unsigned __int128;
  u128 v = 0;
  for (std::size_t i = 0; i < 16; ++i) v = v << 8 | digest[i];
  std::string decimal;
  do {
    decimal.insert(decimal.begin(), char('0' + int(v % 10)));
    v /= 10;
  } while (v != 0);
  return "2.25." + decimal;
}

/// A decimal string holds at most 16 characters: as many digits as fit.
std::string decimal(double v) {
  if (v == 0) return "0";
  for (int digits = 16; digits > 1; --digits) {
    std::string text = fmt::format("{:.{}g}", v, digits);
    if (text.size() <= 16) return text;
  }
  return fmt::format("{:.3g}", v);
}

/// Elements of one data set, written in the order of their tags.
class DataSet {
 public:
  void text(DicomTag tag, const char* vr, std::string value) {
    if (value.size() % 2) value += std::strcmp(vr, "UI") == 0 ? '\0' : ' ';
    auto* bytes = reinterpret_cast<const std::byte*>(value.data());
    elements_[tag] = {vr, {bytes, bytes + value.size()}};
  }
  void number(DicomTag tag, std::uint16_t value) {
    std::vector<std::byte> bytes(2);
    put(std::span(bytes), 0, value);
    elements_[tag] = {"US", std::move(bytes)};
  }
  void bytes(DicomTag tag, const char* vr, std::vector<std::byte> value) {
    if (value.size() % 2) value.push_back(std::byte{});
    elements_[tag] = {vr, std::move(value)};
  }
  void append_to(std::vector<std::byte>& out) const {
    auto add = [&out]<class T>(T v) {
      auto* b = reinterpret_cast<const std::byte*>(&v);
      out.insert(out.end(), b, b + sizeof v);
    };
    for (const auto& [tag, e] : elements_) {
      add(std::uint16_t(tag >> 16));
      add(std::uint16_t(tag & 0xFFFF));
      for (int i = 0; i < 2; ++i) out.push_back(std::byte(e.vr[std::size_t(i)]));
      if (e.vr == "OB" || e.vr == "OW") {
        add(std::uint16_t(0));
        add(std::uint32_t(e.value.size()));
      } else {
        add(std::uint16_t(e.value.size()));
      }
      out.insert(out.end(), e.value.begin(), e.value.end());
    }
  }

 private:
  struct Element {
    std::string vr;
    std::vector<std::byte> value;
  };
  std::map<DicomTag, Element> elements_;
};

/// How values become 16-bit integers.
struct Scaling {
  bool is_signed = false;
  double slope = 1, intercept = 0;
};

Scaling scaling_of(const Tensor& values) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  bool whole = true;
  for (double v : values.to_vector()) {
    if (!std::isfinite(v)) throw Error(ErrorKind::data, "dicom.not_finite", "a NaN or infinite value cannot be stored in DICOM", "replace such voxels first");
    low = std::min(low, v);
    high = std::max(high, v);
    whole = whole && v == std::floor(v);
  }
  if (whole && low >= 0 && high <= 65535) return {};
  if (whole && low >= -32768 && high <= 32767) return {true};
  return {false, high > low ? (high - low) / 65535 : 1, low};
}

std::string kept(const Volume& v, DicomTag tag, const std::string& otherwise = {}) {
  auto found = v.attributes.find(fmt::format("dicom.{:08x}", tag));
  return found == v.attributes.end() ? otherwise : found->second;
}

std::vector<std::byte> file_of(const DataSet& set, const std::string& sop_class, const std::string& instance) {
  DataSet meta;
  meta.bytes(0x00020001, "OB", {std::byte{0}, std::byte{1}});
  meta.text(0x00020002, "UI", sop_class);
  meta.text(0x00020003, "UI", instance);
  meta.text(0x00020010, "UI", kExplicitLittle);
  meta.text(0x00020012, "UI", uid_of("tenon"));
  meta.text(0x00020013, "SH", "TENON");
  std::vector<std::byte> group;
  meta.append_to(group);
  std::vector<std::byte> out(128, std::byte{});
  for (char c : {'D', 'I', 'C', 'M'}) out.push_back(std::byte(c));
  // Group length (0002,0000) UL comes first and counts what follows it.
  const unsigned char length_head[8] = {2, 0, 0, 0, 'U', 'L', 4, 0};
  out.insert(out.end(), reinterpret_cast<const std::byte*>(length_head), reinterpret_cast<const std::byte*>(length_head) + 8);
  out.resize(out.size() + 4);
  put(std::span(out), out.size() - 4, std::uint32_t(group.size()));
  out.insert(out.end(), group.begin(), group.end());
  set.append_to(out);
  return out;
}

struct Frame {
  std::array<double, 3> row, column, step, origin;  ///< LPS
  std::array<double, 3> spacing;
};

Frame frame_of(const Geometry& g) {
  Frame f;
  auto d = g.direction();
  f.spacing = g.spacing();
  for (std::size_t r = 0; r < 3; ++r) {
    double sign = r < 2 ? -1 : 1;
    f.row[r] = sign * d[r][0];
    f.column[r] = sign * d[r][1];
    f.step[r] = sign * g.to_ras[r][2];
    f.origin[r] = sign * g.to_ras[r][3];
  }
  return f;
}

std::string joined(std::initializer_list<double> values) {
  std::string out;
  for (double v : values) out += (out.empty() ? "" : "\\") + decimal(v);
  return out;
}

void sync_parent(const std::filesystem::path& place) {
  files().sync_directory(place.has_parent_path() ? place.parent_path() : std::filesystem::path("."));
}

/// Puts the folder `whole` where another one is. That goes aside, for rename() replaces no folder that holds files, comes
/// back when anything fails, and is removed at the end.
void swap_in(const std::filesystem::path& whole, const std::filesystem::path& place) {
  auto aside = temporary_sibling(place);
  files().rename(place, aside);
  bool placed = false;
  try {
    files().rename(whole, place);
    placed = true;
    sync_parent(place);
  } catch (const Error&) {
    if (placed) files().rename(place, whole);
    files().rename(aside, place);
    throw;
  }
  std::error_code failed;
  std::filesystem::remove_all(aside, failed);
  if (failed) throw_io_error(failed.value(), "remove", aside);
}

}  // namespace

void write_dicom(const std::filesystem::path& folder, const Volume& volume, bool replace) {
  if (volume.values.rank() != 3) throw_usage("write_dicom", "takes one volume [z, y, x], got " + volume.values.str());
  const Geometry& g = volume.geometry;
  const bool there = file_exists(folder);
  if (there && !replace) throw Error(ErrorKind::usage, "dicom.exists", "the folder is there already", "give the name of a new folder", folder.string());
  auto d = g.direction();
  if (std::abs(d[0][0] * d[0][1] + d[1][0] * d[1][1] + d[2][0] * d[2][1]) > 1e-4) {
    throw Error(ErrorKind::data, "dicom.shear", "rows and columns of the grid are not orthogonal", "resample it first", folder.string());
  }
  if (g.size[0] > 65535 || g.size[1] > 65535) throw Error(ErrorKind::data, "dicom.size", "more than 65535 rows or columns", "crop it first", folder.string());
  Scaling scaling = scaling_of(volume.values);
  Tensor values = volume.values.to(DType::f64).contiguous();
  const double* data = values.data<double>();
  Sha256 sha;
  sha.update(data, values.nbytes());
  sha.update(&g, sizeof g);
  std::string identity = sha.hex_digest(), series = uid_of(identity + "series");
  std::string sop_class = kept(volume, 0x00080016);
  if (sop_class != kCt && sop_class != kMr) sop_class = kSecondaryCapture;
  Frame f = frame_of(g);

  DataSet common;
  common.text(0x00080005, "CS", kept(volume, 0x00080005, "ISO_IR 192"));
  common.text(0x00080008, "CS", "DERIVED\\SECONDARY");
  common.text(0x00080016, "UI", sop_class);
  const std::pair<DicomTag, const char*> identity_tags[] = {{0x00080020, "DA"}, {0x00080030, "TM"}, {0x00080050, "SH"}, {0x00080090, "PN"},
                                                            {0x00100010, "PN"}, {0x00100020, "LO"}, {0x00100030, "DA"}, {0x00100040, "CS"}, {0x00200010, "SH"}};
  for (auto [tag, vr] : identity_tags) common.text(tag, vr, kept(volume, tag));
  common.text(0x00080060, "CS", kept(volume, 0x00080060, "OT"));
  common.text(0x00080064, "CS", "WSD");
  common.text(0x0008103E, "LO", kept(volume, 0x0008103E));
  common.text(0x00180050, "DS", decimal(f.spacing[2]));
  common.text(0x00180088, "DS", decimal(f.spacing[2]));
  common.text(0x0020000D, "UI", kept(volume, 0x0020000D, uid_of(identity + "study")));
  common.text(0x0020000E, "UI", series);
  common.text(0x00200011, "IS", "1");
  common.text(0x00200037, "DS", joined({f.row[0], f.row[1], f.row[2], f.column[0], f.column[1], f.column[2]}));
  common.text(0x00200052, "UI", kept(volume, 0x00200052, uid_of(identity + "frame")));
  common.text(0x00201002, "IS", std::to_string(g.size[2]));  // so that a slice lost at either end is noticed
  common.text(0x00201040, "LO", "");
  common.number(0x00280002, 1);
  common.text(0x00280004, "CS", "MONOCHROME2");
  common.number(0x00280010, std::uint16_t(g.size[1]));
  common.number(0x00280011, std::uint16_t(g.size[0]));
  common.text(0x00280030, "DS", joined({f.spacing[1], f.spacing[0]}));
  common.number(0x00280100, 16);
  common.number(0x00280101, 16);
  common.number(0x00280102, 15);
  common.number(0x00280103, scaling.is_signed ? 1 : 0);
  common.text(0x00281052, "DS", decimal(scaling.intercept));
  common.text(0x00281053, "DS", decimal(scaling.slope));
  common.text(0x00281054, "LO", kept(volume, 0x00281054, "US"));

  // The folder appears whole or not at all: files go to a sibling that is renamed at the end.
  auto place = folder.lexically_normal();
  if (!place.has_filename()) place = place.parent_path();
  auto sibling = place.parent_path() / ("." + place.filename().string() + ".part-" + identity.substr(0, 12));
  try {
    files().make_directories(sibling);
    std::int64_t plane = g.size[0] * g.size[1];
    // What was rounded to 16 characters is what a reader gets: values are stored against the rounded slope.
    double slope = std::stod(decimal(scaling.slope)), intercept = std::stod(decimal(scaling.intercept));
    double least = scaling.is_signed ? -32768 : 0, most = scaling.is_signed ? 32767 : 65535;
    for (std::int64_t z = 0; z < g.size[2]; ++z) {
      DataSet set = common;
      std::string instance = uid_of(identity + "slice" + std::to_string(z));
      set.text(0x00080018, "UI", instance);
      set.text(0x00200013, "IS", std::to_string(z + 1));
      double k = double(z);
      set.text(0x00200032, "DS", joined({f.origin[0] + k * f.step[0], f.origin[1] + k * f.step[1], f.origin[2] + k * f.step[2]}));
      std::vector<std::byte> pixels(std::size_t(plane) * 2);
      for (std::int64_t i = 0; i < plane; ++i) {
        double v = std::clamp(std::nearbyint((data[z * plane + i] - intercept) / slope), least, most);
        put(std::span(pixels), std::size_t(i) * 2, std::uint16_t(std::int32_t(v)));
      }
      set.bytes(0x7FE00010, "OW", std::move(pixels));
      write_atomic(sibling / fmt::format("slice_{:04}.dcm", z + 1), file_of(set, sop_class, instance));
    }
    if (there) {
      swap_in(sibling, place);
    } else {
      files().rename(sibling, place);
      sync_parent(place);
    }
  } catch (const Error& e) {
    std::error_code ignored;
    std::filesystem::remove_all(sibling, ignored);
    throw e.at(folder.string());
  }
}

}  // namespace tenon::medical
