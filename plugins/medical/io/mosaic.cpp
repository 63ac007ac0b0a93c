#include "medical/io/mosaic.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <string_view>

#include "medical/io/bytes.hpp"
#include "medical/io/text_header.hpp"
#include "tenon/error.hpp"

namespace tenon::medical {
namespace {

/// Values of one tag of a Siemens CSA header ("SV10": count at byte 8, tags from 16: name[64], int32 vm, vr[4],
/// int32 syngodt, int32 items, int32; an item is 4 int32, the second its length, then bytes padded to 4).
std::vector<double> csa_numbers(std::span<const std::byte> csa, std::string_view wanted) {
  if (csa.size() < 16 || std::memcmp(csa.data(), "SV10", 4) != 0) return {};
  auto tags = get<std::uint32_t>(csa, 8);
  std::size_t at = 16;
  for (std::uint32_t t = 0; t < tags && csa.size() - at >= 84; ++t) {
    std::string_view name(reinterpret_cast<const char*>(csa.data() + at), 64);
    name = name.substr(0, name.find('\0'));
    auto items = get<std::int32_t>(csa, at + 76);
    at += 84;
    std::vector<double> values;
    for (std::int32_t i = 0; i < items; ++i) {
      if (csa.size() - at < 16) return {};
      auto length = get<std::int32_t>(csa, at + 4);
      at += 16;
      if (length < 0 || std::size_t(length) > csa.size() - at) return {};
      std::string text(reinterpret_cast<const char*>(csa.data() + at), std::size_t(length));
      text = trimmed(text.substr(0, text.find('\0')));
      if (name == wanted && !text.empty()) {
        auto numbers = numbers_of(text);
        if (numbers.size() == 1) values.push_back(numbers[0]);
      }
      at += std::min((std::size_t(length) + 3) / 4 * 4, csa.size() - at);
    }
    if (name == wanted) return values;
  }
  return {};
}

[[noreturn]] void fail(const DicomSlice& s, const std::string& what) {
  throw Error(ErrorKind::data, "dicom.mosaic", what, "convert it with dcm2niix, or export it without anonymising private elements", s.path.string());
}

}  // namespace

Mosaic mosaic_of(const DicomSlice& s) {
  std::span<const std::byte> csa = s.file.value(0x00291010).value_or(std::span<const std::byte>{});
  Mosaic m;
  if (auto n = s.file.value(0x0019100A); n && n->size() >= 2) m.slices = get<std::uint16_t>(*n, 0);
  if (m.slices == 0) {
    auto n = csa_numbers(csa, "NumberOfImagesInMosaic");
    if (n.size() == 1 && n[0] >= 1 && n[0] < 65536) m.slices = std::int64_t(n[0]);
  }
  if (m.slices < 1) fail(s, "a mosaic without the number of its slices");
  m.tiles = std::int64_t(std::ceil(std::sqrt(double(m.slices))));
  if (s.rows % m.tiles || s.columns % m.tiles) fail(s, fmt::format("{} x {} pixels do not divide into {} x {} tiles", s.rows, s.columns, m.tiles, m.tiles));
  m.rows = s.rows / m.tiles;
  m.columns = s.columns / m.tiles;
  auto normal = csa_numbers(csa, "SliceNormalVector");
  if (normal.size() != 3 || !std::isfinite(normal[0] + normal[1] + normal[2])) fail(s, "a mosaic without SliceNormalVector: the order of its slices is unknown");
  Vec3 n{normal[0], normal[1], normal[2]};
  if (std::abs(std::abs(dot(n, s.normal())) - 1) > 1e-2) fail(s, "SliceNormalVector is not normal to the image plane");
  auto distance = s.file.decimals(0x00180088);
  if (distance.size() != 1 || !(distance[0] > 0)) fail(s, "a mosaic without SpacingBetweenSlices");
  if (!s.has_place || !s.has_spacing) fail(s, "a mosaic without position, orientation or spacing");

  m.geometry.size = {m.columns, m.rows, m.slices};
  for (std::size_t r = 0; r < 3; ++r) {
    double sign = r < 2 ? -1 : 1;  // LPS to RAS
    double origin = s.position[r] + s.row[r] * s.dx * double(s.columns - m.columns) / 2 + s.column[r] * s.dy * double(s.rows - m.rows) / 2;
    m.geometry.to_ras[r] = {sign * s.row[r] * s.dx, sign * s.column[r] * s.dy, sign * n[r] * distance[0], sign * origin};
  }
  return m;
}

void unpack_mosaic(const Mosaic& m, std::int64_t picture_columns, std::size_t width, const std::byte* bytes, std::byte* out) {
  std::size_t line = std::size_t(m.columns) * width;
  for (std::int64_t z = 0; z < m.slices; ++z) {
    std::int64_t tile_row = z / m.tiles, tile_column = z % m.tiles;
    for (std::int64_t y = 0; y < m.rows; ++y) {
      std::int64_t from = (tile_row * m.rows + y) * picture_columns + tile_column * m.columns;
      std::memcpy(out + std::size_t(z * m.rows + y) * line, bytes + std::size_t(from) * width, line);
    }
  }
}

}  // namespace tenon::medical
