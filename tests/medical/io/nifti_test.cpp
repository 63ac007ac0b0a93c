#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "medical/image/volume.hpp"
#include "medical/io/bytes.hpp"
#include "medical/io/gzip.hpp"
#include "medical/io/nifti.hpp"
#include "medical/test_data.hpp"
#include "tenon/random.hpp"

using namespace tenon;
using namespace tenon::medical;
using namespace tenon::medical_test;

namespace {

std::string code_of_header(const std::function<void(Bytes&)>& spoil) {
  TempFolder folder;
  Bytes b = small_nifti();
  spoil(b);
  auto path = write_bytes(folder / "a.nii", b);
  return code_of([&] { read_nifti(path); });
}

/// The same content as NIfTI-2, laid out by the standard's table.
Bytes small_nifti2() {
  Bytes b(544 + 48, std::byte{});
  put_at<std::int32_t>(b, 0, 540);
  const unsigned char magic[8] = {'n', '+', '2', 0, 0x0d, 0x0a, 0x1a, 0x0a};
  std::memcpy(b.data() + 4, magic, 8);
  put_at<std::int16_t>(b, 12, 4);
  put_at<std::int16_t>(b, 14, 16);
  const std::int64_t dim[8] = {3, 4, 3, 2, 1, 1, 1, 1};
  const double pixdim[8] = {1, 2, 3, 4, 1, 1, 1, 1}, srow[12] = {2, 0, 0, -10, 0, 3, 0, 20, 0, 0, 4, 30};
  for (std::size_t i = 0; i < 8; ++i) put_at(b, 16 + 8 * i, dim[i]), put_at(b, 104 + 8 * i, pixdim[i]);
  put_at<std::int64_t>(b, 168, 544);
  put_at<std::int32_t>(b, 348, 1);
  for (std::size_t i = 0; i < 12; ++i) put_at(b, 400 + 8 * i, srow[i]);
  put_at<std::int32_t>(b, 500, 10);
  for (std::size_t i = 0; i < 24; ++i) put_at(b, 544 + 2 * i, std::int16_t(i));
  return b;
}

}  // namespace

TEST_CASE("nifti: both versions and byte orders give the same volume", "[medical][nifti]") {
  TempFolder folder;
  for (const Bytes& bytes : {small_nifti(), small_nifti(true), small_nifti2()}) {
    Volume v = read_nifti(write_bytes(folder / "a.nii", bytes));
    REQUIRE(v.values.shape() == Shape{2, 3, 4});
    CHECK(v.values.dtype() == DType::i16);
    auto values = v.values.to_vector();
    for (std::size_t i = 0; i < 24; ++i) CHECK(values[i] == double(i));
    CHECK(v.geometry.size == std::array<std::int64_t, 3>{4, 3, 2});
    CHECK(v.geometry.point(1, 1, 1) == std::array<double, 3>{-8, 23, 34});
    CHECK(v.geometry.orientation() == "RAS");
    CHECK(v.warnings().empty());
  }
}

TEST_CASE("nifti: qform, handedness and pixdim alone", "[medical][nifti]") {
  TempFolder folder;
  Bytes b = small_nifti();
  put_at<std::int16_t>(b, 254, 0);
  put_at<std::int16_t>(b, 252, 1);
  put_at<float>(b, 264, float(std::sqrt(0.5)));  // 90 degrees about z: x to y, y to -x
  put_at<float>(b, 76, -1);
  put_at<float>(b, 268, 5);
  Geometry g = read_nifti(write_bytes(folder / "a.nii", b)).geometry;
  auto p = g.point(1, 0, 0), q = g.point(0, 1, 0), r = g.point(0, 0, 1);
  CHECK(p[0] == Approx(5).margin(1e-6));
  CHECK(p[1] == Approx(2).margin(1e-6));
  CHECK(q[0] == Approx(2).margin(1e-6));
  CHECK(r[2] == Approx(-4).margin(1e-6));

  put_at<std::int16_t>(b, 252, 0);
  Volume v = read_nifti(write_bytes(folder / "b.nii", b));
  CHECK(v.geometry.point(1, 1, 1) == std::array<double, 3>{2, 3, 4});
  CHECK(v.warnings().size() == 1);
}

TEST_CASE("nifti: sform wins over qform, with a warning in mm, units are honoured", "[medical][nifti]") {
  TempFolder folder;
  Bytes b = small_nifti();
  put_at<std::int16_t>(b, 252, 1);
  put_at<float>(b, 268, -13);
  put_at<float>(b, 272, 20);
  put_at<float>(b, 276, 34);
  Volume v = read_nifti(write_bytes(folder / "a.nii", b));
  CHECK(v.geometry.origin() == std::array<double, 3>{-10, 20, 30});
  REQUIRE(v.warnings().size() == 1);
  CHECK(v.warnings()[0].find("5.00 mm") != std::string::npos);
  b = small_nifti();
  b[123] = std::byte{1};
  CHECK(read_nifti(write_bytes(folder / "b.nii", b)).geometry.spacing() == std::array<double, 3>{2000, 3000, 4000});
}

TEST_CASE("nifti: fields that say nothing valid are warned of where others give the geometry", "[medical][nifti]") {
  TempFolder folder;
  const auto warnings_of = [&](const std::function<void(Bytes&)>& spoil) {
    Bytes b = small_nifti();
    spoil(b);
    return read_nifti(write_bytes(folder / "a.nii", b)).warnings();
  };
  const auto warned = [&](const std::string& words, const std::function<void(Bytes&)>& spoil) {
    const auto all = warnings_of(spoil);
    INFO(words);
    CHECK(std::any_of(all.begin(), all.end(), [&](const std::string& w) { return w.find(words) != w.npos; }));
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(warnings_of([](Bytes&) {}).empty());
  for (float v : {0.0f, -2.0f, nan, std::numeric_limits<float>::infinity()})
    warned("are no spacings; those of the sform are used", [v](Bytes& b) { put_at(b, 80, v); });
  for (std::int16_t code : {std::int16_t(99), std::int16_t(-1)}) warned("qform_code = " + std::to_string(code), [code](Bytes& b) { put_at(b, 252, code); });
  warned("sform_code = 99", [](Bytes& b) { put_at(b, 254, std::int16_t(99)); });
  for (float v : {5.0f, nan})
    warned("handedness of the qform", [v](Bytes& b) {
      put_at(b, 252, std::int16_t(1));
      put_at(b, 76, v);
    });
  warned("is no rotation; the sform is used", [nan](Bytes& b) {
    put_at(b, 252, std::int16_t(1));
    put_at(b, 256, nan);
  });
  warned("scl_slope is not a number", [nan](Bytes& b) { put_at(b, 112, nan); });
}

TEST_CASE("nifti: scaling", "[medical][nifti]") {
  TempFolder folder;
  Bytes b = small_nifti();
  put_at<float>(b, 112, 0.5f);
  put_at<float>(b, 116, -3);
  Volume v = read_nifti(write_bytes(folder / "a.nii", b));
  CHECK(v.values.dtype() == DType::f32);
  CHECK(v.values.to_vector()[5] == -0.5);
  put_at<float>(b, 112, std::numeric_limits<float>::quiet_NaN());  // unscaled, whatever the intercept
  CHECK(read_nifti(write_bytes(folder / "b.nii", b)).values.to_vector()[5] == 5);
}

TEST_CASE("nifti: a header that lies is refused before data is allocated", "[medical][nifti]") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  CHECK(code_of_header([](Bytes& b) { put_at<std::int32_t>(b, 0, 1234); }) == "nifti.magic");
  CHECK(code_of_header([](Bytes& b) { b[345] = std::byte{'x'}; }) == "nifti.magic");
  CHECK(code_of_header([](Bytes& b) { b[345] = std::byte{'i'}; }) == "nifti.pair");
  CHECK(code_of_header([](Bytes& b) { put_at<std::int16_t>(b, 40, 0); }) == "nifti.dim");
  CHECK(code_of_header([](Bytes& b) { put_at<std::int16_t>(b, 40, 8); }) == "nifti.dim");
  CHECK(code_of_header([](Bytes& b) { put_at<std::int16_t>(b, 44, -3); }) == "nifti.dim");
  CHECK(code_of_header([](Bytes& b) { put_at<std::int16_t>(b, 44, 0); }) == "nifti.dim");
  CHECK(code_of_header([](Bytes& b) {
          put_at<std::int16_t>(b, 40, 4);
          for (std::size_t a = 1; a <= 4; ++a) put_at<std::int16_t>(b, 40 + 2 * a, 32767);
        }) == "nifti.truncated");
  CHECK(code_of_header([](Bytes& b) {
          for (std::size_t a = 1; a <= 3; ++a) put_at<std::int16_t>(b, 40 + 2 * a, 32767);
        }) == "nifti.truncated");
  CHECK(code_of_header([](Bytes& b) { put_at<std::int16_t>(b, 40, 5), put_at<std::int16_t>(b, 50, 3); }) == "nifti.dim");
  CHECK(code_of_header([](Bytes& b) { put_at<std::int16_t>(b, 70, 128); }) == "nifti.datatype");
  CHECK(code_of_header([](Bytes& b) { put_at<std::int16_t>(b, 72, 32); }) == "nifti.bitpix");
  for (float offset : {nan, inf, -352.0f, 0.0f, 348.0f, 352.5f, 1e30f}) {
    CHECK(code_of_header([&](Bytes& b) { put_at<float>(b, 108, offset); }) == "nifti.vox_offset");
  }
  CHECK(code_of_header([](Bytes& b) { put_at<float>(b, 108, 1e9f); }) == "nifti.truncated");
  CHECK(code_of_header([&](Bytes& b) { put_at<float>(b, 112, inf); }) == "nifti.scale");
  CHECK(code_of_header([&](Bytes& b) { put_at<float>(b, 112, 1), put_at<float>(b, 116, nan); }) == "nifti.scale");
  CHECK(code_of_header([&](Bytes& b) { put_at<float>(b, 284, nan); }) == "nifti.affine");
  CHECK(code_of_header([&](Bytes& b) { put_at<float>(b, 292, inf); }) == "nifti.affine");
  CHECK(code_of_header([](Bytes& b) { put_at<float>(b, 280, 0); }) == "nifti.affine");
  CHECK(code_of_header([](Bytes& b) { put_at<std::int16_t>(b, 254, 0), put_at<std::int16_t>(b, 252, 1), put_at<float>(b, 256, 1.5f); }) == "nifti.affine");
  CHECK(code_of_header([&](Bytes& b) { put_at<std::int16_t>(b, 254, 0), put_at<std::int16_t>(b, 252, 1), put_at<float>(b, 260, nan); }) == "nifti.affine");
  for (float p : {0.0f, -1.0f, nan, inf}) {
    CHECK(code_of_header([&](Bytes& b) { put_at<std::int16_t>(b, 254, 0), put_at<float>(b, 84, p); }) == "nifti.pixdim");
  }
  CHECK(code_of_header([](Bytes& b) { b[123] = std::byte{5}; }) == "nifti.units");
  // NIfTI-2, whose 64-bit sizes can ask for anything.
  TempFolder folder;
  Bytes b = small_nifti2();
  for (std::size_t a = 1; a <= 3; ++a) put_at<std::int64_t>(b, 16 + 8 * a, std::int64_t(1) << 40);
  CHECK(code_of([&] { read_nifti(write_bytes(folder / "a.nii", b)); }) == "nifti.dim");
  b = small_nifti2();
  put_at<std::int64_t>(b, 16, 9);
  CHECK(code_of([&] { read_nifti(write_bytes(folder / "b.nii", b)); }) == "nifti.dim");
}

TEST_CASE("nifti: cut at any byte, or longer than announced", "[medical][nifti]") {
  TempFolder folder;
  const Bytes whole = small_nifti();
  for (std::size_t n = 0; n < whole.size(); ++n) {
    auto path = write_bytes(folder / "cut.nii", Bytes(whole.begin(), whole.begin() + std::ptrdiff_t(n)));
    std::string code = code_of([&] { read_nifti(path); });
    INFO("cut to " << n);
    if (n >= 4) CHECK(code == "nifti.truncated");
    else CHECK(code == "nifti.magic");
  }
  Bytes longer = whole;
  longer.push_back(std::byte{});
  auto path = write_bytes(folder / "long.nii", longer);
  CHECK(code_of([&] { read_nifti(path); }) == "nifti.trailing");
  std::string message = message_of([&] { read_nifti(path); });
  CHECK(message.find("400") != std::string::npos);
  CHECK(message.find("401") != std::string::npos);
  CHECK(message.find("long.nii") != std::string::npos);
}

TEST_CASE("nifti.gz: cut at any byte, wrong checksum, wrong length, trailing bytes", "[medical][nifti][gzip]") {
  TempFolder folder;
  const Bytes whole = gzip(small_nifti());
  CHECK(read_nifti(write_bytes(folder / "a.nii.gz", whole)).values.to_vector()[23] == 23);
  for (std::size_t n = 0; n < whole.size(); ++n) {
    auto path = write_bytes(folder / "cut.nii.gz", Bytes(whole.begin(), whole.begin() + std::ptrdiff_t(n)));
    std::string code = code_of([&] { read_nifti(path); });
    INFO("cut to " << n << " of " << whole.size() << ": " << code);
    bool expected = code == "gzip.truncated" || code == "nifti.truncated" || code == "nifti.magic" || code == "gzip.size";
    CHECK(expected);
    if (n >= whole.size() - 8) CHECK(code == "gzip.truncated");
  }
  auto spoiled = [&](std::size_t from_end, std::byte flip) {
    Bytes b = whole;
    b[b.size() - from_end] ^= flip;
    return code_of([&] { read_nifti(write_bytes(folder / "bad.nii.gz", b)); });
  };
  CHECK(spoiled(7, std::byte{1}) == "gzip.crc");
  CHECK(spoiled(4, std::byte{1}) == "gzip.length");
  Bytes b = whole;
  b.push_back(std::byte{});
  CHECK(code_of([&] { read_nifti(write_bytes(folder / "trail.nii.gz", b)); }) == "gzip.trailing");
  Bytes content = small_nifti();
  content.push_back(std::byte{1});
  CHECK(code_of([&] { read_nifti(write_bytes(folder / "long.nii.gz", gzip(content))); }) == "gzip.size");
  content.resize(390);
  CHECK(code_of([&] { read_nifti(write_bytes(folder / "short.nii.gz", gzip(content))); }) == "gzip.size");
  content = small_nifti();
  for (std::size_t a = 1; a <= 3; ++a) put_at<std::int16_t>(content, 40 + 2 * a, 32767);
  CHECK(code_of([&] { read_nifti(write_bytes(folder / "bomb.nii.gz", gzip(content))); }) == "gzip.size");
}

TEST_CASE("gzip: several members are one stream", "[medical][gzip]") {
  TempFolder folder;
  Bytes content = small_nifti();
  Bytes joined = gzip(std::span(content).first(200)), second = gzip(std::span(content).subspan(200));
  joined.insert(joined.end(), second.begin(), second.end());
  Tensor out = gunzip(joined, content.size());
  CHECK(std::memcmp(out.raw(), content.data(), content.size()) == 0);
  joined[joined.size() - 8] ^= std::byte{1};
  CHECK(code_of([&] { gunzip(joined, content.size()); }) == "gzip.crc");
}

TEST_CASE("nifti: random damage never does worse than an error", "[medical][nifti][fuzz]") {
  TempFolder folder;
  Random random(7, 1);
  Bytes plain = small_nifti(), packed = gzip(plain);
  std::uint64_t at = 0;
  int refused = 0, rounds = 1500;
  for (int round = 0; round < rounds; ++round) {
    Bytes b = round % 2 ? plain : packed;
    for (std::uint64_t k = 0, n = 1 + random.below(at++, 4); k < n; ++k) {
      std::size_t place = random.below(at++, b.size());
      b[place] = std::byte(random.below(at++, 256));
    }
    if (random.below(at++, 4) == 0) b.resize(random.below(at++, b.size() + 1));
    auto path = write_bytes(folder / (round % 2 ? "m.nii" : "m.nii.gz"), b);
    try {
      Volume v = read_nifti(path);
      CHECK(v.values.numel() <= 4096);
      CHECK(std::isfinite(v.geometry.determinant()));
    } catch (const Error& e) {
      CHECK((e.kind() == ErrorKind::data));
      ++refused;
    }
  }
  CHECK(refused > rounds / 3);
}

TEST_CASE("nifti: what is written keeps the input's header and reads back equal", "[medical][nifti]") {
  TempFolder folder;
  Bytes source = small_nifti();
  put_at<std::int16_t>(source, 252, 3);
  put_at<std::int16_t>(source, 254, 2);
  put_at<float>(source, 80, 2.0000002f);
  put_at<float>(source, 96, 7.5f);
  std::memcpy(source.data() + 148, "a description", 13);
  Volume v = read_nifti(write_bytes(folder / "in.nii", source));
  for (const char* name : {"out.nii", "out.nii.gz"}) {
    Tensor labels = Tensor::full({2, 3, 4}, 2, DType::u8);
    write_labels(folder / name, labels, v);
    Volume back = read_labels(folder / name);
    CHECK(back.geometry.to_ras == v.geometry.to_ras);
    CHECK(back.values.to_vector() == labels.to_vector());
    Bytes head = from_hex(back.attributes["nifti.header"]);
    REQUIRE(head.size() == 348);
    for (std::size_t i = 0; i < 348; ++i) {
      bool may_change = (i >= 40 && i < 56) || (i >= 70 && i < 74) || (i >= 108 && i < 120) || (i >= 124 && i < 132);
      if (!may_change) CHECK(head[i] == source[i]);
    }
  }
  CHECK_THROWS_AS(write_labels(folder / "x.nii", Tensor::zeros({2, 3, 5}, DType::u8), v), Error);
  CHECK_FALSE(std::filesystem::exists(folder / "x.nii"));

  // A big-endian header is written back little-endian, with the same numbers.
  Volume big = read_nifti(write_bytes(folder / "big.nii", small_nifti(true)));
  write_image(folder / "little.nii", big);
  CHECK((read_file(folder / "little.nii") == small_nifti()));
}

TEST_CASE("nifti: a plane and trailing ones keep their number of dimensions", "[medical][nifti]") {
  TempFolder folder;
  auto geometry_of = [](Volume& v) {
    const std::string& hex = v.attributes.at("nifti.header");  // dim, pixdim, both forms
    return hex.substr(2 * 40, 2 * 16) + hex.substr(2 * 76, 2 * 32) + hex.substr(2 * 252, 2 * 76);
  };
  std::vector<Bytes> inputs;
  for (std::size_t form : {0, 252, 254}) {  // a plane by pixdim alone, by qform, by sform; pixdim[3] counts for nothing
    Bytes plane = small_nifti();
    plane.resize(352 + 24);
    put_at<std::int16_t>(plane, 40, 2);
    put_at<std::int16_t>(plane, 46, 1);
    put_at<float>(plane, 88, 0);
    put_at<std::int16_t>(plane, 254, 0);
    if (form > 0) put_at<std::int16_t>(plane, form, 1);
    inputs.push_back(plane);
  }
  for (std::int16_t rank : {4, 7}) {
    inputs.push_back(small_nifti());
    put_at<std::int16_t>(inputs.back(), 40, rank);
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    INFO("input " << i);
    Volume v = read_nifti(write_bytes(folder / "in.nii", inputs[i]));
    write_image(folder / "copy.nii", v);
    write_labels(folder / "labels.nii.gz", Tensor::zeros(v.values.shape(), DType::u8), v);
    for (const char* name : {"copy.nii", "labels.nii.gz"}) {
      Volume back = read_nifti(folder / name);
      CHECK(geometry_of(back) == geometry_of(v));
      CHECK(back.geometry.to_ras == v.geometry.to_ras);
    }
  }

  // Other numbers of volumes than the header's: a plane's header cannot hold a series.
  Volume series = read_nifti(write_bytes(folder / "in.nii", inputs[0]));
  series.values = Tensor::zeros({2, 1, 3, 4}, DType::i16);
  write_image(folder / "series.nii", series);
  CHECK(read_nifti(folder / "series.nii").values.shape() == Shape{2, 1, 3, 4});
  write_labels(folder / "one.nii", Tensor::zeros({1, 3, 4}, DType::u8), read_nifti(folder / "series.nii"));
  CHECK(read_labels(folder / "one.nii").values.shape() == Shape{1, 3, 4});
}

TEST_CASE("nifti: extensions of a big-endian file are written with the header's byte order", "[medical][nifti]") {
  TempFolder folder;
  const auto file = [](bool big) {  // extensions of 16 and 32 bytes, then 16 of padding
    Bytes b = small_nifti(big);
    b.insert(b.begin() + 352, 64, std::byte{});
    put_at<float>(b, 108, 352 + 64, big);
    b[348] = std::byte{1};
    put_at<std::int32_t>(b, 352, 16, big);
    put_at<std::int32_t>(b, 356, 6, big);
    std::memcpy(b.data() + 360, "comment", 7);
    put_at<std::int32_t>(b, 368, 32, big);
    put_at<std::int32_t>(b, 372, 4, big);
    std::memcpy(b.data() + 376, "<AFNI_attributes/>", 18);
    return b;
  };
  const Volume big = read_nifti(write_bytes(folder / "big.nii", file(true))),
               little = read_nifti(write_bytes(folder / "little.nii", file(false)));
  write_image(folder / "from_big.nii", big);
  write_image(folder / "from_little.nii", little);
  CHECK((read_file(folder / "from_big.nii") == read_file(folder / "from_little.nii")));
  CHECK((read_file(folder / "from_little.nii") == file(false)));

  for (const std::int32_t size : {0, 7, -16, 100, INT32_MAX}) {  // of an extension that is none
    Bytes b = file(true);
    put_at<std::int32_t>(b, 368, size, true);
    write_image(folder / "odd.nii", read_nifti(write_bytes(folder / "in.nii", b)));
    const Bytes out = read_file(folder / "odd.nii");
    CHECK(std::equal(b.begin() + 368, b.begin() + 416, out.begin() + 368));
  }
}

TEST_CASE("nifti: a new header carries any orthogonal grid in both forms", "[medical][nifti]") {
  TempFolder folder;
  double c = std::cos(0.3), s = std::sin(0.3);
  for (double handed : {1.0, -1.0}) {
    for (int turn = 0; turn < 4; ++turn) {
      Volume v;
      v.values = Tensor::zeros({2, 3, 4}, DType::f32);
      std::array<std::array<double, 3>, 3> d{{{c, -s, 0}, {s, c, 0}, {0, 0, handed}}};
      for (int i = 0; i < turn; ++i) {
        std::swap(d[0], d[2]);
        for (double& x : d[0]) x = -x;
      }
      v.geometry = Geometry::from_parts({4, 3, 2}, {1.5, 2.5, 3.5}, d, {-11, 7, 3});
      write_image(folder / "a.nii", v);
      Volume back = read_nifti(folder / "a.nii");
      CHECK(back.warnings().empty());  // the forms agree to .01 mm
      CHECK(corner_difference(back.geometry, v.geometry) < 1e-5);
      Bytes b = read_file(folder / "a.nii");
      put_at<std::int16_t>(b, 254, 0);
      CHECK(corner_difference(read_nifti(write_bytes(folder / "q.nii", b)).geometry, v.geometry) < 1e-5);
    }
  }
  Volume wide;
  wide.values = Tensor::zeros({1, 1, 40000}, DType::u8);
  wide.geometry.size = {40000, 1, 1};
  write_image(folder / "wide.nii.gz", wide);
  CHECK(read_nifti(folder / "wide.nii.gz").geometry.size[0] == 40000);
}

TEST_CASE("nifti: element types survive a round trip", "[medical][nifti]") {
  TempFolder folder;
  const std::pair<int, int> types[] = {{2, 8}, {4, 16}, {8, 32}, {16, 32}, {64, 64}, {256, 8}, {512, 16}, {768, 32}, {1024, 64}, {1280, 64}};
  for (auto [code, bits] : types) {
    Bytes b = small_nifti();
    b.resize(352 + std::size_t(3 * bits));
    put_at<std::int16_t>(b, 70, std::int16_t(code));
    put_at<std::int16_t>(b, 72, std::int16_t(bits));
    for (std::size_t i = 352; i < b.size(); ++i) b[i] = std::byte(i % 61);
    Volume v = read_nifti(write_bytes(folder / "t.nii", b));
    write_image(folder / "back.nii", v);
    INFO("datatype " << code);
    CHECK((read_file(folder / "back.nii") == b));
  }
}

TEST_CASE("labels: fractions, NaN and values outside 0..255 are refused", "[medical][labels]") {
  TempFolder folder;
  Volume v;
  v.geometry.size = {2, 1, 1};
  for (float bad : {0.5f, -1.0f, 256.0f, std::numeric_limits<float>::quiet_NaN()}) {
    v.values = Tensor::from(std::vector<float>{1, bad}, {1, 1, 2});
    write_image(folder / "l.nii", v);
    CHECK(code_of([&] { read_labels(folder / "l.nii"); }) == "medical.label_value");
  }
  v.values = Tensor::from(std::vector<float>{1, 255}, {1, 1, 2});
  write_image(folder / "l.nii", v);
  Tensor labels = read_labels(folder / "l.nii").values;
  CHECK(labels.dtype() == DType::u8);
  CHECK(labels.to_vector() == std::vector<double>{1, 255});
}

TEST_CASE("read_image: unknown, empty and absent files", "[medical]") {
  TempFolder folder;
  CHECK(code_of([&] { read_image(folder / "none.nii"); }) == "io.not_found");
  write_bytes(folder / "empty.nii", {});
  CHECK(code_of([&] { read_image(folder / "empty.nii"); }) == "medical.empty_file");
  write_bytes(folder / "text.txt", Bytes(200, std::byte{'a'}));
  CHECK(code_of([&] { read_image(folder / "text.txt"); }) == "medical.unknown_format");
  CHECK(code_of([&] { write_image(folder / "a.jpg", Volume{Tensor::zeros({1, 1, 1}), {}, {}}); }) == "medical.unknown_extension");
}

TEST_CASE("read_image: what a gzip stream holds is told by content, whatever the name", "[medical]") {
  TempFolder folder;
  Bytes packed = gzip(small_nifti());
  for (const char* name : {"a.nii", "a", "a.dat", "a.NII.GZ"}) {
    INFO(name);
    CHECK(code_of([&] { CHECK(read_image(write_bytes(folder / name, packed)).values.numel() == 24); }) == "");
    CHECK(code_of([&] { CHECK(read_geometry(folder / name).size[0] == 4); }) == "");
  }
  write_bytes(folder / "plain.nii.gz", small_nifti());
  CHECK(read_image(folder / "plain.nii.gz").values.numel() == 24);
  Bytes other = gzip(Bytes(5000, std::byte{'a'}));
  CHECK(code_of([&] { read_image(write_bytes(folder / "b", other)); }) == "medical.unknown_format");
  CHECK(code_of([&] { read_image(write_bytes(folder / "b.nii", other)); }) == "nifti.magic");
  CHECK(code_of([&] { read_image(write_bytes(folder / "c.nii", Bytes(packed.begin(), packed.begin() + 20))); }) == "nifti.truncated");
}

TEST_CASE("read_image: a pipe is refused at once, also among the files of a folder", "[medical]") {
  TempFolder folder;
  REQUIRE(mkfifo((folder / "a.nii").c_str(), 0600) == 0);
  CHECK(code_of([&] { read_image(folder / "a.nii"); }) == "io.not_a_file");
  CHECK(code_of([&] { read_geometry(folder / "a.nii"); }) == "io.not_a_file");
  CHECK(code_of([&] { read_image(folder.path()); }) == "dicom.no_images");
}

TEST_CASE("nifti: real scans agree with nibabel 5", "[medical][nifti][data]") {
  auto data = medical_data();
  if (!data) return;
  auto sum_of = [](const Tensor& t) {
    double sum = 0;
    for (double v : t.to_vector()) sum += v;
    return sum;
  };
  Volume a = read_volume(*data / "hippocampus/imagesTr/hippocampus_001.nii.gz");
  CHECK(a.values.shape() == Shape{35, 51, 35});
  CHECK(sum_of(a.values) == 3968524);
  CHECK(a.values.to_vector()[std::size_t((17 * 51 + 25) * 35 + 17)] == 29);
  CHECK(a.geometry.to_ras == std::array<std::array<double, 4>, 3>{{{1, 0, 0, 1}, {0, 1, 0, 1}, {0, 0, 1, 1}}});
  Volume b = read_volume(*data / "hippocampus/imagesTr/hippocampus_003.nii.gz");
  CHECK(sum_of(b.values) == Approx(29866089.86869049).epsilon(1e-12));
  CHECK(b.values.to_vector()[std::size_t((17 * 52 + 26) * 34 + 17)] == Approx(464.79965).epsilon(1e-6));

  Volume sheared = read_image(*data / "nifti_shear/shear.nii.gz");
  CHECK(sheared.geometry.shear() == Approx(0.3173).margin(1e-4));
  CHECK(sheared.geometry.to_ras[2] == std::array<double, 4>{0, 0.1530747413635254, 2.370809316635132, -102.20355224609375});
  CHECK(sum_of(sheared.values) == Approx(-5577896244.733097).epsilon(1e-5));
  auto warnings = sheared.warnings();
  REQUIRE(warnings.size() == 2);
  CHECK(warnings[0].find("35.64 mm") != std::string::npos);
}
