#include <cmath>
#include <limits>

#include "medical/image/crop.hpp"
#include "medical/image/normalise.hpp"
#include "medical/test_data.hpp"

using namespace tenon;
using namespace tenon::medical;
using namespace tenon::medical_test;

TEST_CASE("crop: to what is not zero, and back", "[medical][crop]") {
  std::vector<float> v(5 * 6 * 7);
  auto at = [&](std::size_t z, std::size_t y, std::size_t x) -> float& { return v[(z * 6 + y) * 7 + x]; };
  at(1, 2, 6) = 3;
  at(3, 2, 4) = std::numeric_limits<float>::quiet_NaN();
  at(2, 4, 5) = -1;
  Tensor t = Tensor::from(v, {5, 6, 7});
  Box box = nonzero_box(t);
  CHECK(box == Box{{1, 2, 4}, {4, 5, 7}});
  at(3, 2, 4) = 2;
  t = Tensor::from(v, {5, 6, 7});
  CHECK(uncrop(crop(t, box), box, {5, 6, 7}).to_vector() == t.to_vector());
  CHECK((nonzero_box(t.to(DType::i16)) == box));
  CHECK(nonzero_box(Tensor::zeros({2, 3, 4})) == Box{{0, 0, 0}, {2, 3, 4}});
  Volume volume{t, {}, {{"nifti.header", "00"}}};
  volume.geometry.size = {7, 6, 5};
  Volume small = crop(volume, box);
  CHECK(small.geometry.origin() == std::array<double, 3>{4, 2, 1});
  CHECK(small.geometry.size == std::array<std::int64_t, 3>{3, 3, 3});
  CHECK(small.attributes.count("nifti.header") == 0);
  CHECK(code_of([&] { crop(t, Box{{0, 0, 0}, {6, 6, 7}}); }) == "medical.box");
  CHECK(code_of([&] { crop(t, Box{{1, 0, 0}, {1, 6, 7}}); }) == "medical.box");
  CHECK_THROWS_AS(uncrop(t, box, {5, 6, 7}), Error);
}

TEST_CASE("normalise: statistics, z-score, CT, and back", "[medical][normalise]") {
  std::vector<float> v;
  for (int i = 0; i <= 200; ++i) v.push_back(float(i));
  Tensor t = Tensor::from(v, {1, 1, 201});
  auto s = intensity_statistics(t);
  CHECK(s.count == 201);
  CHECK(s.mean == 100);
  CHECK(s.deviation == Approx(std::sqrt((201.0 * 201 - 1) / 12)));  // discrete uniform
  CHECK(s.median == 100);
  CHECK(s.p005 == 1);
  CHECK(s.p995 == 199);
  Tensor z = normalise(t, z_score(t));
  auto zs = intensity_statistics(z);
  CHECK(zs.mean == Approx(0).margin(1e-7));
  CHECK(zs.deviation == Approx(1).margin(1e-6));
  auto back = denormalise(z, z_score(t)).to_vector();
  for (std::size_t i = 0; i < back.size(); ++i) CHECK(back[i] == Approx(double(i)).margin(1e-4));
  auto ct = normalise(t, ct_normalisation(10, 190, 100, 50)).to_vector();
  CHECK(ct.front() == Approx(-1.8));
  CHECK(ct.back() == Approx(1.8));
  CHECK(ct[100] == 0);

  std::vector<std::uint8_t> m(201, 0);
  m[50] = m[52] = 1;
  Tensor mask = Tensor::from(m, {1, 1, 201});
  CHECK(z_score(t, mask).shift == 51);
  CHECK(z_score(t, mask).scale == 1);
  auto masked = normalise(t, z_score(t, mask), mask).to_vector();
  CHECK(masked[50] == -1);
  CHECK(masked[51] == 0);

  v[3] = std::numeric_limits<float>::quiet_NaN();
  v[4] = std::numeric_limits<float>::infinity();
  CHECK(intensity_statistics(Tensor::from(v, {201})).not_finite == 2);
  CHECK(intensity_statistics(Tensor::from(v, {201})).maximum == 200);
  CHECK(z_score(Tensor::full({3, 3, 3}, 5)).scale == 1e-8);
  CHECK_THROWS_AS(z_score(t.to(DType::i16)), Error);
  CHECK_THROWS_AS(normalise(t, {}, Tensor::zeros({2}, DType::u8)), Error);
}
