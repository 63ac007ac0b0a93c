#include "medical/io/dicom.hpp"

#include <cmath>

#include "medical/image/orient.hpp"
#include "medical/io/dicom_file.hpp"
#include "medical/io/nifti.hpp"
#include "medical/test_data.hpp"
#include "tenon/random.hpp"

using namespace tenon;
using namespace tenon::medical;
using namespace tenon::medical_test;
namespace fs = std::filesystem;

namespace {

Volume oblique(std::int64_t slices) {
  Volume v;
  std::vector<std::int16_t> values(std::size_t(slices) * 4 * 5);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::int16_t(int(i) * 7 - 300);
  v.values = Tensor::from(values, {slices, 4, 5});
  double c = std::cos(0.4), s = std::sin(0.4);
  v.geometry = Geometry::from_parts({5, 4, slices}, {0.7, 1.1, 2.5}, {{{-c, 0, s}, {s, 0, c}, {0, 1, 0}}}, {-23.456789, 45.25, 100.125});
  return v;
}

/// Names of slices to keep recognisable, files shuffled by name so that nothing but position can order them.
void shuffle_names(const fs::path& folder, std::int64_t n) {
  for (std::int64_t z = 1; z <= n; ++z) {
    char from[32], to[32];
    std::snprintf(from, sizeof from, "slice_%04d.dcm", int(z));
    std::snprintf(to, sizeof to, "f%02d_%d.dcm", int(z * 7 % 11), int(z));
    fs::rename(folder / from, folder / to);
  }
}

fs::path slice_file(const fs::path& folder, int z) {
  for (const auto& f : fs::directory_iterator(folder)) {
    if (f.path().stem().string().ends_with("_" + std::to_string(z))) return f.path();
  }
  FAIL("no slice " << z);
  return {};
}

fs::path series(const TempFolder& folder, const std::string& name, std::int64_t n = 9) {
  write_dicom(folder / name, oblique(n));
  shuffle_names(folder / name, n);
  return folder / name;
}

/// Replaces text of equal length in a file.
void patch(const fs::path& path, const std::string& from, const std::string& to) {
  REQUIRE(from.size() == to.size());
  Bytes b = read_file(path);
  std::string text(reinterpret_cast<const char*>(b.data()), b.size());
  std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  std::memcpy(b.data() + at, to.data(), to.size());
  write_bytes(path, b);
}

double sum_of(const Tensor& t) {
  double sum = 0;
  for (double v : t.to_vector()) sum += v;
  return sum;
}

}  // namespace

TEST_CASE("dicom: a series written is read back, ordered by position alone", "[medical][dicom]") {
  TempFolder folder;
  Volume v = oblique(9);
  auto path = series(folder, "s");
  Volume w = read_image(path);
  CHECK(w.values.dtype() == DType::i16);
  // The writer's third axis may point against row x column; the reader orders along it: compare in the patient.
  Volume a = reorient(v, orientation_to(v.geometry)), b = reorient(w, orientation_to(w.geometry));
  CHECK(a.values.to_vector() == b.values.to_vector());
  CHECK(describe_difference(a.geometry, b.geometry, 1e-6).empty());
  // Equal volumes give equal files.
  write_dicom(folder / "again", v);
  CHECK((read_file(folder / "again" / "slice_0001.dcm") == read_file(slice_file(path, 1))));
  CHECK(code_of([&] { write_dicom(folder / "again", v); }) == "dicom.exists");
}

TEST_CASE("dicom: fractional values keep their scale, labels stay whole", "[medical][dicom]") {
  TempFolder folder;
  Volume v = oblique(3);
  v.values = v.values.to(DType::f32);
  auto* data = v.values.data<float>();
  for (std::int64_t i = 0; i < v.values.numel(); ++i) data[i] *= 0.137f;
  write_dicom(folder / "f", v);
  Volume w = read_image(folder / "f");
  Volume a = reorient(v, orientation_to(v.geometry)), b = reorient(w, orientation_to(w.geometry));
  auto x = a.values.to_vector(), y = b.values.to_vector();
  double span = 0.137 * 7 * 59;
  for (std::size_t i = 0; i < x.size(); ++i) CHECK(x[i] == Approx(y[i]).margin(span / 65535));
  data[3] = std::nanf("");
  CHECK(code_of([&] { write_dicom(folder / "n", v); }) == "dicom.not_finite");
  CHECK_FALSE(fs::exists(folder / "n"));
}

TEST_CASE("dicom: a missing slice is refused by its neighbours' names, or interpolated on request", "[medical][dicom]") {
  TempFolder folder;
  auto path = series(folder, "s");
  auto gone = slice_file(path, 5), before = slice_file(path, 4), after = slice_file(path, 6);
  fs::remove(gone);
  CHECK(code_of([&] { read_image(path); }) == "dicom.missing_slice");
  std::string message = message_of([&] { read_image(path); });
  CHECK(message.find(before.filename().string()) != std::string::npos);
  CHECK(message.find(after.filename().string()) != std::string::npos);
  CHECK(message.find("--regularise") != std::string::npos);
  Volume fixed = read_dicom(path, {"", false, true});
  CHECK(fixed.geometry.size[2] == 9);
  CHECK(fixed.geometry.spacing()[2] == Approx(2.5).epsilon(1e-6));
  CHECK(fixed.warnings().size() == 1);
  Volume whole = oblique(9);
  Volume a = reorient(whole, orientation_to(whole.geometry)), b = reorient(fixed, orientation_to(fixed.geometry));
  auto x = a.values.to_vector(), y = b.values.to_vector();  // the values are linear from slice to slice
  for (std::size_t i = 0; i < x.size(); ++i) CHECK(x[i] == Approx(y[i]).margin(1e-2));
}

TEST_CASE("dicom: a duplicated slice is refused, or dropped on request", "[medical][dicom]") {
  TempFolder folder;
  auto path = series(folder, "s");
  fs::copy_file(slice_file(path, 3), path / "zz_copy.dcm");
  CHECK(code_of([&] { read_image(path); }) == "dicom.duplicate_slice");
  std::string message = message_of([&] { read_image(path); });
  CHECK(message.find("zz_copy.dcm") != std::string::npos);
  CHECK(message.find(slice_file(path, 3).filename().string()) != std::string::npos);
  Volume fixed = read_dicom(path, {"", true, false});
  CHECK(fixed.geometry.size[2] == 9);
  CHECK(fixed.warnings().size() == 1);
}

TEST_CASE("dicom: an uneven step is refused, naming both slices, a wrong frame too", "[medical][dicom]") {
  TempFolder folder;
  auto path = series(folder, "s");
  auto file = slice_file(path, 4);
  Bytes good = read_file(file);
  // A third of a step along the normal, in LPS.
  auto p = oblique(9).geometry.point(0, 0, 3.33);
  char moved[64];
  std::snprintf(moved, sizeof moved, "%.4f\\%.4f\\%.4f", -p[0], -p[1], p[2]);
  auto position = DicomFile::read(file).text(0x00200032);
  std::string text = moved;
  REQUIRE(text.size() <= position.size());
  text.resize(position.size(), ' ');
  patch(file, position, text);
  CHECK(code_of([&] { read_image(path); }) == "dicom.uneven_step");
  std::string message = message_of([&] { read_image(path); });
  for (int z : {3, 4, 5}) CHECK(message.find(slice_file(path, z).filename().string()) != std::string::npos);
  CHECK(read_dicom(path, {"", false, true}).geometry.size[2] == 9);
  write_bytes(file, good);

  auto orientation = DicomFile::read(file).text(0x00200037);
  std::string skewed = "1\\0\\0\\.5\\1\\0";
  skewed.resize(orientation.size(), ' ');
  patch(file, orientation, skewed);
  CHECK(code_of([&] { read_image(path); }) == "dicom.geometry");
}

TEST_CASE("dicom: several series ask for a choice", "[medical][dicom]") {
  TempFolder folder;
  auto path = series(folder, "s", 3);
  Volume other = oblique(2);
  other.geometry.to_ras[0][3] += 1;
  write_dicom(folder / "t", other);
  for (const auto& f : fs::directory_iterator(folder / "t")) fs::copy_file(f.path(), path / ("t_" + f.path().filename().string()));
  CHECK(code_of([&] { read_image(path); }) == "dicom.several_series");
  std::string uid = DicomFile::read(slice_file(path, 1)).text(0x0020000E);
  CHECK(message_of([&] { read_image(path); }).find(uid) != std::string::npos);
  CHECK(read_dicom(path, {uid, false, false}).geometry.size[2] == 3);
  CHECK(code_of([&] { read_dicom(path, {"1.2.3", false, false}); }) == "dicom.no_series");
}

TEST_CASE("dicom: a localiser, another size and another rescale type in one series are refused", "[medical][dicom]") {
  TempFolder folder;
  auto path = series(folder, "s", 3);
  auto file = slice_file(path, 2);
  Bytes good = read_file(file);
  // Rescale type "US" becomes "HU".
  patch(file, std::string("LO\2\0US", 6), std::string("LO\2\0HU", 6));
  CHECK(code_of([&] { read_image(path); }) == "dicom.mixed_rescale_type");
  write_bytes(file, good);
  // The frame turned about the patient's axis: cosines of .4 swapped in.
  auto orientation = DicomFile::read(file).text(0x00200037);
  std::string turned = "1\\0\\0\\0\\1\\0";
  turned.resize(orientation.size(), ' ');
  patch(file, orientation, turned);
  CHECK(code_of([&] { read_image(path); }) == "dicom.mixed_orientation");
  CHECK(message_of([&] { read_image(path); }).find(file.filename().string()) != std::string::npos);
}

TEST_CASE("dicom: junk in the folder is skipped and listed, nothing else is an error", "[medical][dicom]") {
  TempFolder folder;
  auto path = series(folder, "s", 3);
  write_bytes(path / "notes.txt", Bytes(40, std::byte{'x'}));
  Volume v = read_image(path);
  REQUIRE(v.warnings().size() == 1);
  CHECK(v.warnings()[0].find("notes.txt") != std::string::npos);
  fs::create_directory(folder / "empty");
  CHECK(code_of([&] { read_image(folder / "empty"); }) == "dicom.no_images");
}

TEST_CASE("dicom: cut at any byte, the file is refused and the process lives", "[medical][dicom]") {
  TempFolder folder;
  auto path = series(folder, "s", 1);
  Bytes whole = read_file(slice_file(path, 1));
  for (std::size_t n = 0; n < whole.size(); ++n) {
    auto cut = write_bytes(folder / "cut.dcm", Bytes(whole.begin(), whole.begin() + std::ptrdiff_t(n)));
    INFO("cut to " << n << " of " << whole.size());
    CHECK_FALSE(code_of([&] { read_image(cut); }).empty());
  }
}

TEST_CASE("dicom: random damage never does worse than an error", "[medical][dicom][fuzz]") {
  TempFolder folder;
  auto path = series(folder, "s", 1);
  Bytes whole = read_file(slice_file(path, 1));
  Random random(11, 3);
  std::uint64_t at = 0;
  int refused = 0;
  for (int round = 0; round < 1500; ++round) {
    Bytes b = whole;
    for (std::uint64_t k = 0, n = 1 + random.below(at++, 4); k < n; ++k) {
      std::size_t place = 128 + random.below(at++, b.size() - 128);
      b[place] = std::byte(random.below(at++, 256));
    }
    auto mutant = write_bytes(folder / "m.dcm", b);
    try {
      Volume v = read_image(mutant);
      CHECK(v.values.numel() == 20);
    } catch (const Error& e) {
      CHECK((e.kind() == ErrorKind::data));
      ++refused;
    }
  }
  CHECK(refused > 200);
}

TEST_CASE("dicom: nesting without end and lengths beyond the file are refused", "[medical][dicom]") {
  TempFolder folder;
  auto path = series(folder, "s", 1);
  Bytes b = read_file(slice_file(path, 1));
  auto add = [&b](std::initializer_list<int> bytes) {
    for (int x : bytes) b.push_back(std::byte(x));
  };
  for (int depth = 0; depth < 70; ++depth) {  // after the pixel data: (7FFF,0010) SQ of undefined length, one open item
    add({0xff, 0x7f, 0x10, 0x00, 'S', 'Q', 0, 0, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xff, 0x00, 0xe0, 0xff, 0xff, 0xff, 0xff});
  }
  CHECK(code_of([&] { read_image(write_bytes(folder / "deep.dcm", b)); }) == "dicom.depth");
  b = read_file(slice_file(path, 1));
  add({0xff, 0x7f, 0x10, 0x00, 'O', 'B', 0, 0, 0xf0, 0xff, 0xff, 0xff});
  CHECK(code_of([&] { read_image(write_bytes(folder / "long.dcm", b)); }) == "dicom.length");
}

TEST_CASE("dicom: Siemens mosaics agree with dcm2niix, axis flips aside", "[medical][dicom][mosaic][data]") {
  auto data = medical_data();
  if (!data) return;
  const std::pair<const char*, const char*> cases[] = {{"Orientation/axasc35", "ax_asc_35sl_6"},   {"Orientation/axint35", "ax_int_35sl_8"},
                                                       {"Orientation/axdesc36", "ax_desc_36sl_10"}, {"Orientation/corasc35", "cor_asc_35sl_16"},
                                                       {"Orientation/cordesc36", "cor_desc_36sl_14"}, {"Orientation/sagasc35", "sag_asc_35sl_22"},
                                                       {"Orientation/AxInt36mb", "fMRI_MB_int_26"},
                                                       {"EPI/NOPF_NOPAT_NOPOS_PERES100_ES0P59_BW2222_AP_0008", "noPF_noPAT_noPOS_PEres100_ES0p59_BW2222_AP_8"}};
  for (auto [in, ref] : cases) {
    INFO(in);
    Volume v = read_image(*data / "dcm_qa/In" / in), r = read_image(*data / "dcm_qa/Ref" / (std::string(ref) + ".nii.gz"));
    Volume a = reorient(v, orientation_to(v.geometry)), b = reorient(r, orientation_to(r.geometry));
    REQUIRE(a.values.shape() == b.values.shape());
    CHECK(describe_difference(a.geometry, b.geometry, 1e-4) == "");
    CHECK((a.values.to_vector() == b.values.to_vector()));
  }
}

TEST_CASE("dicom: a structured report is not an image, alone or among images", "[medical][dicom][data]") {
  auto data = medical_data();
  if (!data) return;
  CHECK(code_of([&] { read_image(*data / "bad/dicom_not_an_image"); }) == "dicom.no_images");
  CHECK(message_of([&] { read_image(*data / "bad/dicom_not_an_image"); }).find("not an image") != std::string::npos);
  TempFolder folder;
  auto path = series(folder, "s", 3);
  for (const auto& f : fs::directory_iterator(*data / "bad/dicom_not_an_image")) fs::copy_file(f.path(), path / f.path().filename());
  Volume v = read_image(path);
  CHECK(v.geometry.size[2] == 3);
  REQUIRE(v.warnings().size() == 1);
  CHECK(sum_of(v.values) == sum_of(oblique(3).values));
}

TEST_CASE("dicom: damaged compressed pixels end the decoder, not the process", "[medical][dicom][data]") {
  auto data = medical_data();
  if (!data) return;
  TempFolder folder;
  Bytes whole = read_file(*data / "dcm_qa/In/Orientation/AxInt36mb/jp2k1.dcm");
  std::string text(reinterpret_cast<const char*>(whole.data()), whole.size());
  std::size_t stream = text.find("\xff\x4f\xff\x51");  // JPEG 2000: SOC, SIZ
  REQUIRE(stream != std::string::npos);
  Random random(5, 5);
  std::uint64_t at = 0;
  int refused = 0;
  for (int round = 0; round < 12; ++round) {
    Bytes b = whole;
    for (int k = 0; k < 6; ++k) {
      std::size_t place = stream + 2 + random.below(at++, 100);
      b[place] = std::byte(random.below(at++, 256));
    }
    std::string code = code_of([&] { read_image(write_bytes(folder / "m.dcm", b)); });
    bool fine = code.empty() || code == "dicom.decode";
    CHECK(fine);
    refused += !code.empty();
  }
  CHECK(refused > 0);
}
