#include "medical/io/dicom_slice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "medical/io/dicom_decode.hpp"
#include "tenon/error.hpp"

namespace tenon::medical {
namespace {

[[noreturn]] void fail(const char* code, const std::string& what, const char* hint, const std::filesystem::path& path) {
  throw Error(ErrorKind::data, code, what, hint, path.string());
}

std::uint32_t required(const DicomFile& file, DicomTag tag, const char* name, const std::filesystem::path& path) {
  auto v = file.number(tag);
  if (!v) fail("dicom.missing_tag", std::string(name) + " is missing", "export the file again", path);
  return *v;
}

bool finite(const std::vector<double>& v) {
  return std::all_of(v.begin(), v.end(), [](double x) { return std::isfinite(x); });
}

void read_place(DicomSlice& s) {
  auto position = s.file.decimals(0x00200032), orientation = s.file.decimals(0x00200037), spacing = s.file.decimals(0x00280030);
  if (spacing.empty()) spacing = s.file.decimals(0x00181164);  // ImagerPixelSpacing: at the detector, of projections
  if (!spacing.empty()) {
    if (spacing.size() != 2 || !finite(spacing) || !(spacing[0] > 0) || !(spacing[1] > 0)) {
      fail("dicom.geometry", "PixelSpacing '" + s.file.text(0x00280030) + "' is not two positive numbers", "export the file again", s.path);
    }
    s.dy = spacing[0];
    s.dx = spacing[1];
    s.has_spacing = true;
  }
  if (position.empty() || orientation.empty()) return;
  if (position.size() != 3 || orientation.size() != 6 || !finite(position) || !finite(orientation)) {
    fail("dicom.geometry", "ImagePositionPatient or ImageOrientationPatient is not 3 and 6 numbers", "export the file again", s.path);
  }
  s.position = {position[0], position[1], position[2]};
  s.row = {orientation[0], orientation[1], orientation[2]};
  s.column = {orientation[3], orientation[4], orientation[5]};
  double r = std::sqrt(dot(s.row, s.row)), c = std::sqrt(dot(s.column, s.column));
  if (std::abs(r - 1) > 1e-2 || std::abs(c - 1) > 1e-2 || std::abs(dot(s.row, s.column)) > 1e-2) {
    fail("dicom.geometry", "ImageOrientationPatient '" + s.file.text(0x00200037) + "' is not two orthogonal unit vectors", "export the file again", s.path);
  }
  for (std::size_t i = 0; i < 3; ++i) s.row[i] /= r, s.column[i] /= c;
  s.has_place = true;
}

double single(const DicomSlice& s, DicomTag tag, double absent, const char* name) {
  auto v = s.file.decimals(tag);
  if (v.empty()) return absent;
  if (v.size() != 1 || !std::isfinite(v[0])) fail("dicom.rescale", std::string(name) + " '" + s.file.text(tag) + "' is no number", "export the file again", s.path);
  return v[0];
}

}  // namespace

Element DicomSlice::element() const {
  switch (bits_allocated) {
    case 8: return is_signed ? Element::i8 : Element::u8;
    case 16: return is_signed ? Element::i16 : Element::u16;
    default: return is_signed ? Element::i32 : Element::u32;
  }
}

Tensor DicomSlice::stored() const {
  Tensor out = Tensor::empty({std::int64_t(pixel_bytes())}, DType::u8);
  auto* to = static_cast<std::byte*>(out.raw());
  if (file.compressed()) {
    decode_dicom_pixels(path, std::span(to, pixel_bytes()));
  } else {
    std::memcpy(to, file.pixels().data(), pixel_bytes());
  }
  // Bits above BitsStored may hold overlays (old ACR-NEMA practice): sign- or zero-extend from the stored ones.
  int spare = bits_allocated - bits_stored;
  if (spare == 0) return out;
  auto extend = [&]<class U, class S>(U, S) {
    auto* v = reinterpret_cast<U*>(to);
    for (std::size_t i = 0, n = pixel_bytes() / sizeof(U); i < n; ++i) {
      U raised = U(v[i] << spare);
      v[i] = is_signed ? U(S(raised) >> spare) : U(raised >> spare);
    }
  };
  if (bits_allocated == 8) extend(std::uint8_t{}, std::int8_t{});
  if (bits_allocated == 16) extend(std::uint16_t{}, std::int16_t{});
  if (bits_allocated == 32) extend(std::uint32_t{}, std::int32_t{});
  return out;
}

DicomSlice make_slice(const std::filesystem::path& path, DicomFile file) {
  DicomSlice s{path, std::move(file)};
  const DicomFile& f = s.file;
  s.rows = required(f, 0x00280010, "Rows", path);
  s.columns = required(f, 0x00280011, "Columns", path);
  if (s.rows < 1 || s.columns < 1 || s.rows > 65535 || s.columns > 65535) {
    fail("dicom.geometry", fmt::format("Rows x Columns = {} x {}", s.rows, s.columns), "export the file again", path);
  }
  std::uint32_t bits = required(f, 0x00280100, "BitsAllocated", path), stored = required(f, 0x00280101, "BitsStored", path);
  std::uint32_t high = f.number(0x00280102).value_or(stored - 1);
  if ((bits != 8 && bits != 16 && bits != 32) || stored < 1 || stored > bits || high != stored - 1) {
    fail("dicom.unsupported", fmt::format("{} bits allocated, {} stored, high bit {}", bits, stored, high), "convert it to 8, 16 or 32 bits allocated", path);
  }
  s.bits_allocated = int(bits);
  s.bits_stored = int(stored);
  s.is_signed = f.number(0x00280103).value_or(0) == 1;
  std::string photometric = f.text(0x00280004);
  if (f.number(0x00280002).value_or(1) != 1 || (photometric != "MONOCHROME1" && photometric != "MONOCHROME2")) {
    fail("dicom.unsupported", "a colour image (" + photometric + ")", "only grey-scale images are read", path);
  }
  auto frames = f.decimals(0x00280008);
  if (!frames.empty() && frames[0] != 1) {
    fail("dicom.multiframe", "an enhanced multi-frame image of " + f.text(0x00280008) + " frames is not read",
         "convert it to one file a slice, for example with dcm2niix or emf2sf", path);
  }
  if (!f.compressed() && f.pixels().size() != s.pixel_bytes() && f.pixels().size() != s.pixel_bytes() + s.pixel_bytes() % 2) {
    fail("dicom.pixel_length", fmt::format("the pixel data has {} bytes, Rows x Columns x bits ask for {}", f.pixels().size(), s.pixel_bytes()),
         "copy or export the file again", path);
  }
  read_place(s);
  s.slope = single(s, 0x00281053, 1, "RescaleSlope");
  s.intercept = single(s, 0x00281052, 0, "RescaleIntercept");
  if (s.slope == 0) fail("dicom.rescale", "RescaleSlope is 0", "export the file again", path);
  s.rescale_type = f.text(0x00281054);
  s.series = f.text(0x0020000E);
  s.mosaic = f.text(0x00080008).find("MOSAIC") != std::string::npos;
  auto acquisition = f.decimals(0x00200012), instance = f.decimals(0x00200013);
  s.number = !acquisition.empty() && std::isfinite(acquisition[0]) ? acquisition[0]
             : !instance.empty() && std::isfinite(instance[0])     ? instance[0]
                                                                   : 0;
  return s;
}

std::map<std::string, std::string> identity_of(const DicomFile& file) {
  std::map<std::string, std::string> out;
  for (DicomTag tag : {0x00080005u, 0x00080016u, 0x00080020u, 0x00080030u, 0x00080050u, 0x00080060u, 0x00080090u, 0x0008103Eu, 0x00100010u,
                       0x00100020u, 0x00100030u, 0x00100040u, 0x0020000Du, 0x0020000Eu, 0x00200010u, 0x00200052u, 0x00281054u}) {
    std::string text = file.text(tag);
    if (!text.empty()) out[fmt::format("dicom.{:08x}", tag)] = text;
  }
  return out;
}

}  // namespace tenon::medical
