#include "medical/image/orient.hpp"

#include <cmath>
#include <set>

#include "medical/io/bytes.hpp"
#include "medical/test_data.hpp"
#include "tenon/io/sha256.hpp"

using namespace tenon;
using namespace tenon::medical;
using namespace tenon::medical_test;

namespace {

Volume counted(const Shape& shape) {
  Volume v;
  std::vector<float> values(std::size_t(shape.numel()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = float(i);
  v.values = Tensor::from(values, shape);
  v.geometry.size = {shape[-1], shape[-2], shape[-3]};
  v.geometry.to_ras = {{{0.1, -2, 0.2, 5}, {0.1, 0.1, -3, 7}, {1.5, 0, 0.1, -9}}};
  return v;
}

}  // namespace

TEST_CASE("orient: every voxel keeps its place in the patient, for all 48 targets", "[medical][orient]") {
  Volume v = counted({2, 3, 4});
  std::set<std::string> seen;
  for (std::string perm : {"RAS", "RSA", "ARS", "ASR", "SRA", "SAR"}) {
    for (int signs = 0; signs < 8; ++signs) {
      std::string codes = perm;
      for (std::size_t a = 0; a < 3; ++a) {
        if (signs >> a & 1) codes[a] = codes[a] == 'R' ? 'L' : codes[a] == 'A' ? 'P' : 'I';
      }
      seen.insert(codes);
      Orientation how = orientation_to(v.geometry, codes);
      Volume w = reorient(v, how);
      CHECK(w.geometry.orientation() == codes);
      auto n = w.geometry.size;
      auto values = w.values.to_vector();
      for (std::int64_t k = 0; k < n[2]; ++k) {
        for (std::int64_t j = 0; j < n[1]; ++j) {
          for (std::int64_t i = 0; i < n[0]; ++i) {
            auto value = std::int64_t(values[std::size_t((k * n[1] + j) * n[0] + i)]);
            auto p = w.geometry.point(double(i), double(j), double(k));
            auto q = v.geometry.point(double(value % 4), double(value / 4 % 3), double(value / 12));
            for (std::size_t r = 0; r < 3; ++r) CHECK(p[r] == Approx(q[r]).margin(1e-12));
          }
        }
      }
      Volume back = reorient(w, how.inverse());
      CHECK(back.values.to_vector() == v.values.to_vector());
      CHECK(corner_difference(back.geometry, v.geometry) < 1e-12);
    }
  }
  CHECK(seen.size() == 48);
}

TEST_CASE("orient: time series, other element types, wrong codes", "[medical][orient]") {
  Volume v = counted({5, 2, 3, 4});
  Orientation how = orientation_to(v.geometry, "LAS");
  Tensor all = reorient(v.values, how), third = reorient(v.values.select(0, 2), how);
  CHECK(all.select(0, 2).to_vector() == third.to_vector());
  for (DType t : {DType::u8, DType::i16, DType::i64, DType::f64}) {
    CHECK(reorient(v.values.to(t), how).to_vector() == all.to_vector());
  }
  for (const char* bad : {"", "RA", "RAX", "RRS", "RLS", "ras"}) CHECK(code_of([&] { orientation_to(v.geometry, bad); }) == "medical.orientation");
  CHECK(reorient(v.values, Orientation{}).storage() == v.values.storage());
}

TEST_CASE("orient: the 48 files of one head become one array", "[medical][orient][data]") {
  auto data = medical_data();
  if (!data) return;
  int count = 0;
  std::optional<Geometry> first;
  for (const auto& file : std::filesystem::directory_iterator(*data / "nifti_orientation")) {
    Volume v = read_image(file.path());
    CHECK(v.geometry.orientation() == file.path().filename().string().substr(0, 3));
    Volume ras = reorient(v, orientation_to(v.geometry));
    REQUIRE(ras.values.shape() == Shape{67, 79, 64});
    // The published digest is of the values as doubles: stored byte times slope.
    double slope = get<float>(from_hex(v.attributes["nifti.header"]), 112);
    auto values = ras.values.to_vector();
    for (double& x : values) x = std::nearbyint(x / slope) * slope;
    CHECK(sha256_hex(std::as_bytes(std::span<const double>(values))) == "0935162a53827ea0463f130d3486ecf06db988bd849f5ca4ecafc898c47acc33");
    if (!first) first = ras.geometry;
    CHECK(describe_difference(*first, ras.geometry).empty());
    ++count;
  }
  CHECK(count == 48);
}
