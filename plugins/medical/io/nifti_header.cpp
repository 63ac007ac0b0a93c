#include "medical/io/nifti_header.hpp"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <limits>

#include "medical/io/bytes.hpp"
#include "tenon/error.hpp"

namespace tenon::medical {
namespace {

/// Where the two versions keep the same fields.
struct Layout {
  std::size_t bytes, dim, datatype, bitpix, pixdim, vox_offset, slope, inter, units, cal, qform, sform, quatern, qoffset, srow, magic;
};
constexpr Layout kLayout1{kNifti1Bytes, 40, 70, 72, 76, 108, 112, 116, 123, 124, 252, 254, 256, 268, 280, 344};
constexpr Layout kLayout2{kNifti2Bytes, 16, 12, 14, 104, 168, 176, 184, 500, 192, 344, 348, 352, 376, 400, 4};

/// Runs of numbers of one width: what to swap in a big-endian header. Bytes outside are text.
struct Run {
  std::size_t offset, width, count;
};
constexpr Run kRuns1[] = {{0, 4, 1}, {32, 4, 1}, {36, 2, 1}, {40, 2, 8}, {56, 4, 3}, {68, 2, 4}, {76, 4, 11}, {120, 2, 1}, {124, 4, 4}, {140, 4, 2},
                          {252, 2, 2}, {256, 4, 18}};
constexpr Run kRuns2[] = {{0, 4, 1}, {12, 2, 2}, {16, 8, 8}, {80, 8, 3}, {104, 8, 8}, {168, 8, 1}, {176, 8, 6}, {224, 8, 2}, {344, 4, 2},
                          {352, 8, 18}, {496, 4, 3}};

struct TypeCode {
  int code;
  Element element;
};
constexpr TypeCode kTypes[] = {{2, Element::u8},    {4, Element::i16},   {8, Element::i32},   {16, Element::f32},   {64, Element::f64},
                               {256, Element::i8},  {512, Element::u16}, {768, Element::u32}, {1024, Element::i64}, {1280, Element::u64}};

[[noreturn]] void fail(const char* code, const std::string& what, const char* hint) { throw Error(ErrorKind::data, code, what, hint); }

constexpr char kRepair[] = "export the scan again, or repair the header with the tool that wrote it";

struct Fields {
  std::span<const std::byte> head;
  const Layout& at;
  bool two, big;
  double real(std::size_t offset, std::size_t i = 0) const {
    return two ? get<double>(head, offset + 8 * i, big) : double(get<float>(head, offset + 4 * i, big));
  }
  std::int64_t dim(std::size_t i) const {
    return two ? get<std::int64_t>(head, at.dim + 8 * i, big) : std::int64_t(get<std::int16_t>(head, at.dim + 2 * i, big));
  }
  int code(std::size_t offset) const { return two ? get<std::int32_t>(head, offset, big) : int(get<std::int16_t>(head, offset, big)); }
};

void read_sizes(const Fields& f, NiftiHeader& h) {
  std::int64_t rank = f.dim(0);
  if (rank < 1 || rank > 7) fail("nifti.dim", fmt::format("dim[0] = {} is not in 1..7", rank), kRepair);
  h.rank = rank;
  std::uint64_t total = 1;
  for (std::size_t a = 1; a <= std::size_t(rank); ++a) {
    std::int64_t n = f.dim(a);
    if (n < 1) fail("nifti.dim", fmt::format("dim[{}] = {} is not positive", a, n), kRepair);
    if (a > 4 && n > 1) {
      fail("nifti.dim", fmt::format("dim[{}] = {}: vector images and more than four dimensions are not read", a, n), "split the file by component");
    }
    if (std::uint64_t(n) > (std::uint64_t(1) << 60) / total) fail("nifti.dim", fmt::format("the product of dim[1..{}] overflows", a), kRepair);
    total *= std::uint64_t(n);
    if (a <= 4) h.size[a - 1] = n;
  }
  h.geometry.size = {h.size[0], h.size[1], h.size[2]};
}

void read_type(const Fields& f, NiftiHeader& h) {
  int code = get<std::int16_t>(f.head, f.at.datatype, f.big), bits = get<std::int16_t>(f.head, f.at.bitpix, f.big);
  for (const TypeCode& t : kTypes) {
    if (t.code != code) continue;
    h.element = t.element;
    if (std::size_t(bits) != 8 * size_of(t.element)) {
      fail("nifti.bitpix", fmt::format("bitpix = {} does not fit datatype {} ({} bits)", bits, code, 8 * size_of(t.element)), kRepair);
    }
    return;
  }
  fail("nifti.datatype", fmt::format("datatype {} is not read (complex, RGB, 1-bit and 128-bit images are not)", code), "convert it to a scalar type");
}

void read_offset_and_scale(const Fields& f, NiftiHeader& h) {
  double offset = f.two ? double(get<std::int64_t>(f.head, f.at.vox_offset, f.big)) : f.real(f.at.vox_offset);
  if (!(offset >= double(f.at.bytes + 4)) || offset > 4503599627370496.0 || offset != std::floor(offset)) {
    fail("nifti.vox_offset", fmt::format("vox_offset = {} is not a whole number of at least {}", offset, f.at.bytes + 4), kRepair);
  }
  h.data_offset = std::uint64_t(offset);
  double slope = f.real(f.at.slope), inter = f.real(f.at.inter);
  if (std::isinf(slope)) fail("nifti.scale", fmt::format("scl_slope = {}", slope), kRepair);
  if (std::isnan(slope)) h.warnings.push_back("scl_slope is not a number, which is taken as no scaling");
  if (slope == 0 || std::isnan(slope)) return;  // unscaled, by the standard
  if (!std::isfinite(inter)) fail("nifti.scale", fmt::format("scl_inter = {} with scl_slope = {}", inter, slope), kRepair);
  h.slope = slope;
  h.intercept = inter;
}

/// Columns of a singular matrix span less than this share of the volume of an orthogonal one.
bool singular(const Geometry& g) {
  auto s = g.spacing();
  double product = s[0] * s[1] * s[2];
  return !(product > 0) || !std::isfinite(product) || !(std::abs(g.determinant()) > 1e-6 * product);
}

void require_invertible(const Geometry& g, const char* form) {
  for (const auto& row : g.to_ras) {
    for (double v : row) {
      if (!std::isfinite(v)) fail("nifti.affine", fmt::format("the {} holds {}", form, v), kRepair);
    }
  }
  if (singular(g)) {
    auto s = g.spacing();
    fail("nifti.affine", fmt::format("the {} is singular (columns of {:.4g}, {:.4g}, {:.4g} mm, determinant {:.4g})", form, s[0], s[1], s[2], g.determinant()),
         kRepair);
  }
}

Geometry sform_of(const Fields& f, const Geometry& sized) {
  Geometry g = sized;
  for (std::size_t r = 0; r < 3; ++r) {
    for (std::size_t c = 0; c < 4; ++c) g.to_ras[r][c] = f.real(f.at.srow, 4 * r + c);
  }
  return g;
}

bool pixdim_valid(const Fields& f, std::int64_t rank) {
  for (std::size_t a = 1; a <= std::size_t(std::min<std::int64_t>(rank, 3)); ++a) {
    double v = f.real(f.at.pixdim, a);
    if (!(v > 0) || !std::isfinite(v)) return false;
  }
  return true;
}

double spacing_of(const Fields& f, std::size_t axis) {
  double v = f.real(f.at.pixdim, axis);
  return v > 0 && std::isfinite(v) ? v : 1;  // only reached for axes beyond dim[0]
}

/// nifti1.h, METHOD 2.
Geometry qform_of(const Fields& f, const Geometry& sized) {
  double b = f.real(f.at.quatern, 0), c = f.real(f.at.quatern, 1), d = f.real(f.at.quatern, 2);
  double squares = b * b + c * c + d * d;
  if (!std::isfinite(squares)) fail("nifti.affine", fmt::format("the quaternion of the qform is ({}, {}, {})", b, c, d), kRepair);
  if (squares > 1.001) fail("nifti.affine", fmt::format("the quaternion of the qform has length {:.6g} > 1", std::sqrt(squares)), kRepair);
  double a = 0;
  if (1 - squares < 1e-7) {
    double length = std::sqrt(squares);
    b /= length, c /= length, d /= length;
  } else {
    a = std::sqrt(1 - squares);
  }
  double r[3][3] = {{a * a + b * b - c * c - d * d, 2 * b * c - 2 * a * d, 2 * b * d + 2 * a * c},
                    {2 * b * c + 2 * a * d, a * a + c * c - b * b - d * d, 2 * c * d - 2 * a * b},
                    {2 * b * d - 2 * a * c, 2 * c * d + 2 * a * b, a * a + d * d - c * c - b * b}};
  double handed = f.real(f.at.pixdim) < 0 ? -1 : 1;
  Geometry g = sized;
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t col = 0; col < 3; ++col) g.to_ras[row][col] = r[row][col] * spacing_of(f, col + 1) * (col == 2 ? handed : 1);
    g.to_ras[row][3] = f.real(f.at.qoffset, row);
  }
  return g;
}

double millimetres_of_unit(int units) {
  switch (units & 7) {
    case 0:
    case 2: return 1;
    case 1: return 1000;
    case 3: return 1e-3;
    default: fail("nifti.units", fmt::format("xyzt_units = {} names no unit of length", units), kRepair);
  }
}

/// Fields that say nothing valid, where others give the geometry: they are kept as they are in what is written after this header.
void warn_of_odd_fields(const Fields& f, NiftiHeader& h, bool pixdim_ok) {
  for (const auto& [name, code] : {std::pair{"sform_code", h.sform_code}, std::pair{"qform_code", h.qform_code}})
    if (code < 0 || code > 5) h.warnings.push_back(fmt::format("{} = {} is none of 0 to 5; taken as {}", name, code, code > 0 ? "given" : "absent"));
  if (!pixdim_ok && h.sform_code > 0)
    h.warnings.push_back(fmt::format("pixdim[1..3] = {}, {}, {} are no spacings; those of the sform are used", f.real(f.at.pixdim, 1), f.real(f.at.pixdim, 2),
                                     f.real(f.at.pixdim, 3)));
  if (h.qform_code <= 0) return;
  if (const double handed = f.real(f.at.pixdim); !(handed == -1 || handed == 0 || handed == 1))
    h.warnings.push_back(fmt::format("pixdim[0], the handedness of the qform, is {} and none of -1, 0, 1; taken as {}", handed, handed < 0 ? -1 : 1));
  const double b = f.real(f.at.quatern, 0), c = f.real(f.at.quatern, 1), d = f.real(f.at.quatern, 2);
  if (h.sform_code > 0 && !(b * b + c * c + d * d <= 1.001))
    h.warnings.push_back(fmt::format("the quaternion of the qform, ({}, {}, {}), is no rotation; the sform is used", b, c, d));
}

void read_geometry_fields(const Fields& f, NiftiHeader& h) {
  h.sform_code = f.code(f.at.sform);
  h.qform_code = f.code(f.at.qform);
  bool pixdim_ok = pixdim_valid(f, f.dim(0));
  warn_of_odd_fields(f, h, pixdim_ok);
  double mm = millimetres_of_unit(f.two ? get<std::int32_t>(f.head, f.at.units, f.big) : int(f.head[f.at.units]));
  Geometry& g = h.geometry;
  if (h.sform_code > 0) {
    g = sform_of(f, g);
    require_invertible(g, "sform");
    if (h.qform_code > 0 && pixdim_ok) {
      double b = f.real(f.at.quatern, 0), c = f.real(f.at.quatern, 1), d = f.real(f.at.quatern, 2);
      if (b * b + c * c + d * d <= 1.001) {
        double apart = mm * corner_difference(g, qform_of(f, g));
        if (apart > 0.01) h.warnings.push_back(fmt::format("sform and qform differ by up to {:.2f} mm; the sform is used", apart));
      }
    }
  } else if (h.qform_code > 0 && pixdim_ok) {
    g = qform_of(f, g);
    require_invertible(g, "qform");
  } else if (pixdim_ok) {
    for (std::size_t a = 0; a < 3; ++a) g.to_ras[a][a] = spacing_of(f, a + 1);
    h.warnings.push_back("no sform and no qform: axes are taken as R, A, S and the origin as the first voxel");
  } else {
    fail("nifti.pixdim", fmt::format("no valid orientation, and pixdim[1..3] = {}, {}, {}", f.real(f.at.pixdim, 1), f.real(f.at.pixdim, 2), f.real(f.at.pixdim, 3)),
         kRepair);
  }
  if (mm != 1) {
    for (auto& row : g.to_ras) {
      for (double& v : row) v *= mm;
    }
  }
  if (double s = g.shear(); s > 1e-3) h.warnings.push_back(fmt::format("the grid is sheared: two axes have cosine {:.4f} (kept)", s));
}

void swap_header(std::span<std::byte> head, std::span<const Run> runs) {
  for (const Run& run : runs) {
    for (std::size_t i = 0; i < run.count; ++i) {
      auto* at = head.data() + run.offset + i * run.width;
      std::reverse(at, at + run.width);
    }
  }
}

/// Quaternion (b, c, d) and handedness of an orthonormal matrix (nifti_mat44_to_quatern of the standard's library).
std::array<double, 4> quaternion_of(const Geometry& g) {
  auto r = g.direction();
  double handed = g.determinant() < 0 ? -1 : 1;
  for (auto& row : r) row[2] *= handed;
  double a = 1 + r[0][0] + r[1][1] + r[2][2], b, c, d;
  if (a > 0.5) {
    a = 0.5 * std::sqrt(a);
    b = 0.25 * (r[2][1] - r[1][2]) / a, c = 0.25 * (r[0][2] - r[2][0]) / a, d = 0.25 * (r[1][0] - r[0][1]) / a;
  } else {
    double xd = 1 + r[0][0] - r[1][1] - r[2][2], yd = 1 + r[1][1] - r[0][0] - r[2][2], zd = 1 + r[2][2] - r[0][0] - r[1][1];
    if (xd > 1) {
      b = 0.5 * std::sqrt(xd), c = 0.25 * (r[0][1] + r[1][0]) / b, d = 0.25 * (r[0][2] + r[2][0]) / b, a = 0.25 * (r[2][1] - r[1][2]) / b;
    } else if (yd > 1) {
      c = 0.5 * std::sqrt(yd), b = 0.25 * (r[0][1] + r[1][0]) / c, d = 0.25 * (r[1][2] + r[2][1]) / c, a = 0.25 * (r[0][2] - r[2][0]) / c;
    } else {
      d = 0.5 * std::sqrt(zd), b = 0.25 * (r[0][2] + r[2][0]) / d, c = 0.25 * (r[1][2] + r[2][1]) / d, a = 0.25 * (r[1][0] - r[0][1]) / d;
    }
    if (a < 0) b = -b, c = -c, d = -d;
  }
  return {b, c, d, handed};
}

struct KeptHeader {
  std::vector<std::byte> bytes;  ///< little-endian; empty: none, or one of another grid
  std::int64_t times = 0;        ///< volumes that it describes
};

/// The kept header of `volume` when it is one and still describes the grid, with `times` volumes on it.
KeptHeader kept_header(const Volume& volume, std::int64_t times) {
  auto found = volume.attributes.find("nifti.header");
  if (found == volume.attributes.end()) return {};
  auto head = from_hex(found->second);
  try {
    NiftiHeader parsed = parse_nifti_header(head);
    if (parsed.geometry.size != volume.geometry.size || parsed.geometry.to_ras != volume.geometry.to_ras) return {};
    // In a header of a plane what is said of the third axis counts for nothing: it cannot be given more dimensions.
    if (parsed.size[3] != times && parsed.rank < 3) return {};
    if (parsed.big_endian) swap_header(head, parsed.version == 2 ? std::span<const Run>(kRuns2) : std::span<const Run>(kRuns1));
    return {std::move(head), parsed.size[3]};
  } catch (const Error&) {
    return {};  // an attribute that is no header is as good as none: the geometry itself is complete
  }
}

std::vector<std::byte> new_header(const Volume& volume, bool two) {
  const Layout& at = two ? kLayout2 : kLayout1;
  std::vector<std::byte> head(at.bytes, std::byte{});
  const Geometry& g = volume.geometry;
  auto real = [&](std::size_t offset, std::size_t i, double v) { two ? put(std::span(head), offset + 8 * i, v) : put(std::span(head), offset + 4 * i, float(v)); };
  auto code = [&](std::size_t offset, int v) { two ? put(std::span(head), offset, std::int32_t(v)) : put(std::span(head), offset, std::int16_t(v)); };
  put(std::span(head), 0, std::int32_t(at.bytes));
  if (!two) head[38] = std::byte{'r'};
  auto s = g.spacing();
  for (std::size_t a = 0; a < 3; ++a) real(at.pixdim, a + 1, s[a]);
  for (std::size_t a = 4; a < 8; ++a) real(at.pixdim, a, 1);
  for (std::size_t r = 0; r < 3; ++r) {
    for (std::size_t c = 0; c < 4; ++c) real(at.srow, 4 * r + c, g.to_ras[r][c]);
  }
  code(at.sform, 1);
  real(at.pixdim, 0, 1);
  if (g.shear() < 1e-5) {  // a qform cannot hold shear
    auto q = quaternion_of(g);
    for (std::size_t i = 0; i < 3; ++i) real(at.quatern, i, q[i]), real(at.qoffset, i, g.to_ras[i][3]);
    real(at.pixdim, 0, q[3]);
    code(at.qform, 1);
  }
  if (two) {
    put(std::span(head), at.units, std::int32_t(10));
    static constexpr unsigned char kMagic2[8] = {'n', '+', '2', 0, 0x0d, 0x0a, 0x1a, 0x0a};
    std::memcpy(head.data() + at.magic, kMagic2, 8);
  } else {
    head[at.units] = std::byte{10};
    std::memcpy(head.data() + at.magic, "n+1", 4);
  }
  return head;
}

}  // namespace

std::uint64_t NiftiHeader::data_bytes() const {
  std::uint64_t n = size_of(element);
  for (std::int64_t s : size) n *= std::uint64_t(s);
  return n;
}

std::size_t nifti_header_size(std::span<const std::byte> head) {
  if (head.size() < 4) return 0;
  for (bool big : {false, true}) {
    auto size = get<std::int32_t>(head, 0, big);
    if (size == std::int32_t(kNifti1Bytes)) return kNifti1Bytes;
    if (size == std::int32_t(kNifti2Bytes)) return kNifti2Bytes;
  }
  return 0;
}

bool is_nifti(std::span<const std::byte> head) {
  std::size_t size = nifti_header_size(head);
  std::size_t at = size == kNifti2Bytes ? kLayout2.magic : kLayout1.magic;
  if (size == 0 || head.size() < at + 4) return false;
  return head[at] == std::byte{'n'} && (head[at + 1] == std::byte{'+'} || head[at + 1] == std::byte{'i'});
}

NiftiHeader parse_nifti_header(std::span<const std::byte> head) {
  std::size_t size = nifti_header_size(head);
  if (size == 0) {
    std::int32_t found = head.size() < 4 ? 0 : get<std::int32_t>(head, 0);
    fail("nifti.magic", fmt::format("not a NIfTI file: its header size reads {}, not 348 or 540", found), "give a .nii or .nii.gz file");
  }
  if (head.size() < size) fail("nifti.truncated", fmt::format("the file ends within its header: {} of {} bytes", head.size(), size), "copy or download the file again");
  bool two = size == kNifti2Bytes;
  Fields f{head, two ? kLayout2 : kLayout1, two, get<std::int32_t>(head, 0) != std::int32_t(size)};
  const auto* magic = reinterpret_cast<const char*>(head.data() + f.at.magic);
  if (magic[0] == 'n' && magic[1] == 'i') fail("nifti.pair", "a header of a two-file NIfTI (.hdr and .img)", "convert the pair to one .nii file");
  if (std::memcmp(magic, two ? "n+2" : "n+1", 4) != 0) {
    fail("nifti.magic", fmt::format("the magic bytes are {}, not those of NIfTI-{}", to_hex(head.subspan(f.at.magic, 4)), two ? 2 : 1),
         "an ANALYZE file must be converted first; else copy the file again");
  }
  NiftiHeader h;
  h.version = two ? 2 : 1;
  h.big_endian = f.big;
  read_sizes(f, h);
  read_type(f, h);
  if (h.data_bytes() / size_of(h.element) > (std::uint64_t(1) << 60)) fail("nifti.dim", "the image is larger than 2^60 voxels", kRepair);
  read_offset_and_scale(f, h);
  read_geometry_fields(f, h);
  return h;
}

std::vector<std::byte> make_nifti_header(const Volume& volume, Element element, std::uint64_t data_offset) {
  std::array<std::int64_t, 4> size{volume.geometry.size[0], volume.geometry.size[1], volume.geometry.size[2],
                                   volume.values.rank() == 4 ? volume.values.size(0) : 1};
  auto [head, times] = kept_header(volume, size[3]);
  bool large = std::any_of(size.begin(), size.end(), [](std::int64_t n) { return n > std::numeric_limits<std::int16_t>::max(); });
  if (head.empty() || (large && head.size() == kNifti1Bytes)) {
    head = new_header(volume, large);
    times = 0;
  }
  bool two = head.size() == kNifti2Bytes;
  const Layout& at = two ? kLayout2 : kLayout1;
  std::span<std::byte> bytes(head);
  auto dim = [&](std::size_t i, std::int64_t v) { two ? put(bytes, at.dim + 8 * i, v) : put(bytes, at.dim + 2 * i, std::int16_t(v)); };
  if (times != size[3]) {  // otherwise the kept header has the same voxels: two dimensions stay two, trailing ones stay
    dim(0, size[3] > 1 ? 4 : 3);
    for (std::size_t a = 0; a < 7; ++a) dim(a + 1, a < 4 ? size[a] : 1);
  }
  int code = 0;
  for (const TypeCode& t : kTypes) {
    if (t.element == element) code = t.code;
  }
  put(bytes, at.datatype, std::int16_t(code));
  put(bytes, at.bitpix, std::int16_t(8 * size_of(element)));
  auto real = [&](std::size_t offset, std::size_t i, double v) { two ? put(bytes, offset + 8 * i, v) : put(bytes, offset + 4 * i, float(v)); };
  if (two) {
    put(bytes, at.vox_offset, std::int64_t(data_offset));
  } else {
    put(bytes, at.vox_offset, float(data_offset));
  }
  real(at.slope, 0, 1);
  real(at.inter, 0, 0);
  real(at.cal, 0, 0);  // cal_max, cal_min: a display range of other values
  real(at.cal, 1, 0);
  return head;
}

}  // namespace tenon::medical
