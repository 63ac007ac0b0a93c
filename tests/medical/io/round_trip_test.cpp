#include <sys/resource.h>

#include <cmath>
#include <csignal>

#include "core/io/faulty_files.hpp"
#include "medical/io/metaimage.hpp"
#include "medical/io/nifti.hpp"
#include "medical/io/nrrd.hpp"
#include "medical/test_data.hpp"
#include "tenon/random.hpp"

using namespace tenon;
using namespace tenon::medical;
using namespace tenon::medical_test;

namespace {

Volume oblique(DType dtype) {
  Volume v;
  std::vector<float> values(3 * 4 * 5);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = float(i * 3 % 251);
  v.values = Tensor::from(values, {3, 4, 5}).to(dtype);
  double c = std::cos(0.4), s = std::sin(0.4);
  v.geometry = Geometry::from_parts({5, 4, 3}, {0.7, 1.1, 2.9}, {{{-c, 0, s}, {s, 0, c}, {0, 1, 0}}}, {-123.456789, 45.25, 1000.125});
  return v;
}

Bytes text(const std::string& s) {
  auto* b = reinterpret_cast<const std::byte*>(s.data());
  return {b, b + s.size()};
}

}  // namespace

TEST_CASE("round trip: NIfTI, NRRD, MetaImage and back keep values, type and place", "[medical][formats]") {
  TempFolder folder;
  for (DType dtype : {DType::u8, DType::i8, DType::i16, DType::i32, DType::i64, DType::f32, DType::f64}) {
    Volume v = oblique(dtype);
    write_image(folder / "a.nii.gz", v);
    Volume a = read_image(folder / "a.nii.gz");
    write_image(folder / "b.nrrd", a);
    Volume b = read_image(folder / "b.nrrd");
    write_image(folder / "c.mha", b);
    Volume c = read_image(folder / "c.mha");
    write_image(folder / "d.mhd", c);
    Volume d = read_image(folder / "d.mhd");
    write_image(folder / "e.nii", d);
    Volume e = read_image(folder / "e.nii");
    for (const Volume* w : {&a, &b, &c, &d, &e}) {
      CHECK(w->values.dtype() == dtype);
      CHECK(w->values.to_vector() == v.values.to_vector());
      CHECK(corner_difference(w->geometry, a.geometry) < 1e-6);
      CHECK(w->geometry.size == v.geometry.size);
    }
    CHECK(corner_difference(v.geometry, a.geometry) < 1e-3);  // NIfTI-1 rounds the affine to f32
  }
  std::size_t files_left = 0;
  for ([[maybe_unused]] const auto& f : std::filesystem::directory_iterator(folder.path())) ++files_left;
  CHECK(files_left == 6);  // five images and one .raw: no scratch file stays
}

TEST_CASE("round trip: shear survives NRRD and MetaImage", "[medical][formats]") {
  TempFolder folder;
  Volume v = oblique(DType::i16);
  for (std::size_t r = 0; r < 3; ++r) v.geometry.to_ras[r][2] += 0.3 * v.geometry.to_ras[r][1];
  for (const char* name : {"a.nrrd", "a.mha"}) {
    write_image(folder / name, v);
    Volume w = read_image(folder / name);
    CHECK(w.geometry.shear() == Approx(v.geometry.shear()).epsilon(1e-9));
    CHECK(corner_difference(w.geometry, v.geometry) < 1e-6);
  }
}

TEST_CASE("a disk that is full is told as such by every format, and nothing is left", "[medical][formats]") {
  TempFolder folder;
  Volume v;
  v.geometry.size = {32, 32, 8};
  std::vector<float> noise(32 * 32 * 8);
  for (std::size_t i = 0; i < noise.size(); ++i) noise[i] = Random(1, 0).uniform(i);
  v.values = Tensor::from(noise, {8, 32, 32});
  for (const char* name : {"a.nii", "a.nii.gz", "a.nrrd", "a.mha", "a.mhd", "series"}) {
    INFO(name);
    rlimit before{};
    REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
    auto handler = std::signal(SIGXFSZ, SIG_IGN);
    rlimit small{1024, before.rlim_max};
    REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
    std::string code = medical_test::code_of([&] { write_image(folder / name, v); });
    setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    CHECK(code == "io.no_space");
    CHECK(files().list(folder.path()).empty());
  }
}

TEST_CASE("metaimage: whichever change of the disk fails, a .mhd is there with its data or not at all", "[medical][metaimage]") {
  std::string code = "none";
  int calls = 0;
  for (; !code.empty(); ++calls) {
    TempFolder folder;
    {
      FaultyFiles faults(calls);
      code = medical_test::code_of([&] { write_image(folder / "a.mhd", oblique(DType::i16)); });
    }
    INFO("change " << calls << ": " << code);
    CHECK((code.empty() || code == "io.no_space"));
    const std::size_t left = files().list(folder.path()).size();
    CHECK((left == 0 || left == 2));
    if (left == 2) CHECK(read_image(folder / "a.mhd").values.numel() == 60);
  }
  CHECK(calls > 10);
}

TEST_CASE("round trip: labelled arrays hold the same volume, in either world", "[medical][formats]") {
  Volume v = oblique(DType::f32);
  v.attributes["note"] = "kept";
  LabelledArray a = to_labelled(v);
  CHECK(a.axes.size() == 3);
  CHECK(a.axes[0].name == "z");
  Volume w = from_labelled(a);
  CHECK(w.geometry.to_ras == v.geometry.to_ras);
  CHECK(w.geometry.size == v.geometry.size);
  CHECK(w.attributes == v.attributes);
  for (std::size_t r = 0; r < 2; ++r) {
    for (double& x : a.affine->m[r]) x = -x;
  }
  a.affine->world = "LPS";
  CHECK(from_labelled(a).geometry.to_ras == v.geometry.to_ras);
  a.affine->world = "XYZ";
  CHECK(medical_test::code_of([&] { from_labelled(a); }) == "medical.labelled");
  a.affine.reset();
  CHECK(medical_test::code_of([&] { from_labelled(a); }) == "medical.labelled");
}

TEST_CASE("nrrd: a file that does not hold what it says is refused", "[medical][nrrd]") {
  TempFolder folder;
  const std::string head = "NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: 2 2 2\n"
                           "space directions: (1,0,0) (0,1,0) (0,0,1)\nkinds: domain domain domain\nendian: little\nencoding: raw\nspace origin: (1,2,3)\n\n";
  auto code = [&](const std::string& content) {
    write_bytes(folder / "a.nrrd", text(content));
    return medical_test::code_of([&] { read_image(folder / "a.nrrd"); });
  };
  auto with = [&](const std::string& from, const std::string& to) {
    std::string h = head;
    h.replace(h.find(from), from.size(), to);
    return h + std::string(16, '\1');
  };
  CHECK(code(head + std::string(16, '\1')) == "");
  Volume v = read_image(folder / "a.nrrd");
  CHECK(v.geometry.origin() == std::array<double, 3>{-1, -2, 3});
  CHECK(v.values.to_vector()[0] == 257);
  CHECK(code(head + std::string(15, '\1')) == "nrrd.truncated");
  CHECK(code(head + std::string(17, '\1')) == "nrrd.trailing");
  CHECK(code(head.substr(0, 60)) == "nrrd.truncated");
  CHECK(code(with("sizes: 2 2 2", "sizes: 2 2 99999999")) == "nrrd.truncated");
  for (auto [from, to] : {std::pair{"sizes: 2 2 2", "sizes: 2 2"}, {"sizes: 2 2 2", "sizes: 2 2 -2"}, {"sizes: 2 2 2", "sizes: 9999999999 9999999999 9999999999"},
                          {"type: short", "type: block"}, {"encoding: raw", "encoding: hex"}, {"dimension: 3", "dimension: 4"}, {"(1,0,0)", "(0,0,0)"},
                          {"(1,0,0)", "(nan,0,0)"}, {"(1,2,3)", "(1,inf,3)"}, {"endian: little", "data file: /etc/passwd"}, {"endian: little", "byte skip: -1"}, {"endian: little", "endian: \xfflittle"}}) {
    INFO(to);
    CHECK(code(with(from, to)) == "nrrd.header");
  }
}

TEST_CASE("metaimage: a file that does not hold what it says is refused", "[medical][metaimage]") {
  TempFolder folder;
  const std::string head = "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nCompressedData = False\n"
                           "TransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = 1 2 3\nElementSpacing = 1 1 1\nDimSize = 2 2 2\nElementType = MET_SHORT\nElementDataFile = LOCAL\n";
  auto code = [&](const std::string& content) {
    write_bytes(folder / "a.mha", text(content));
    return medical_test::code_of([&] { read_image(folder / "a.mha"); });
  };
  auto with = [&](const std::string& from, const std::string& to) {
    std::string h = head;
    h.replace(h.find(from), from.size(), to);
    return h + std::string(16, '\1');
  };
  CHECK(code(head + std::string(16, '\1')) == "");
  CHECK(read_image(folder / "a.mha").geometry.origin() == std::array<double, 3>{-1, -2, 3});
  CHECK(code(head + std::string(15, '\1')) == "metaimage.truncated");
  CHECK(code(head + std::string(17, '\1')) == "metaimage.trailing");
  CHECK(code(head.substr(0, 80)) == "metaimage.truncated");
  CHECK(code(with("CompressedData = False", "CompressedData = True")) == "metaimage.corrupt");
  CHECK(code(with("LOCAL", "absent.raw")) == "io.not_found");
  for (auto [from, to] : {std::pair{"DimSize = 2 2 2", "DimSize = 2 0 2"}, {"DimSize = 2 2 2", "DimSize = 9999999999 9999999999 9999999999"},
                          {"ElementType = MET_SHORT", "ElementType = MET_OTHER"}, {"1 0 0 0 1 0 0 0 1", "1 0 0 1 0 0 0 0 1"}, {"Offset = 1 2 3", "Offset = 1 nan 3"},
                          {"ElementSpacing = 1 1 1", "ElementSpacing = 1 0 1"}, {"LOCAL", "../a.raw"}, {"LOCAL", "LIST"}, {"NDims = 3", "NDims = 4"}, {"NDims = 3\n", ""}, {"ObjectType", "ObjectType\1"}}) {
    INFO(to);
    CHECK(code(with(from, to)) == "metaimage.header");
  }
}
