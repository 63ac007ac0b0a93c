#include "tenon/io/npy.hpp"

#include <catch2/catch.hpp>
#include <cstring>

#include "faulty_files.hpp"
#include "temporary_folder.hpp"

using namespace tenon;

namespace {

std::string npy(const std::string& dictionary, const std::string& data, int major = 1) {
  std::string header = dictionary;
  while ((10 + header.size() + 1) % 64) header += ' ';
  header += '\n';
  std::string out = "\x93NUMPY";
  out += char(major);
  out += '\0';
  for (int i = 0; i < (major == 1 ? 2 : 4); ++i) out += char(header.size() >> (8 * i));
  return out + header + data;
}

std::string loading(const TemporaryFolder& folder, const std::string& bytes) {
  write_atomic(folder / "bad.npy", bytes);
  return code_of([&] { load_npy(folder / "bad.npy"); });
}

}  // namespace

TEST_CASE(".npy bytes are numpy's", "[io]") {
  TemporaryFolder folder("npy-golden");
  save_npy(folder / "a.npy", Tensor::from(std::vector<std::int16_t>{1, -1, 258}, {3}));
  // numpy.save of np.array([1, -1, 258], '<i2')
  std::string golden = std::string("\x93NUMPY\x01\x00\x76\x00", 10) + "{'descr': '<i2', 'fortran_order': False, 'shape': (3,), }";
  golden.resize(127, ' ');
  golden += "\n";
  golden += std::string("\x01\x00\xff\xff\x02\x01", 6);
  CHECK(read_text(folder / "a.npy") == golden);
}

TEST_CASE(".npy round trip of every type it has", "[io]") {
  TemporaryFolder folder("npy-round");
  for (DType t : {DType::f32, DType::f64, DType::f16, DType::i8, DType::i16, DType::i32, DType::i64, DType::u8, DType::boolean, DType::c64, DType::c128}) {
    for (const Shape& shape : {Shape{2, 3, 4}, Shape{5}, Shape{}, Shape{0, 2}}) {
      Tensor x = Tensor::empty(shape, t);
      for (std::size_t i = 0; i < x.nbytes(); ++i)
        static_cast<std::uint8_t*>(x.raw())[i] = std::uint8_t(t == DType::boolean ? i % 2 : i * 3);
      save_npy(folder / "x.npy", x);
      Tensor y = load_npy(folder / "x.npy");
      CHECK(y.dtype() == t);
      CHECK(y.shape() == shape);
      if (x.nbytes() > 0) CHECK(std::memcmp(x.raw(), y.raw(), x.nbytes()) == 0);
    }
  }
}

TEST_CASE(".npy in Fortran order and in version 2 reads to the same values", "[io]") {
  TemporaryFolder folder("npy-fortran");
  // np.arange(6).reshape(2, 3), columns first: 0 3 1 4 2 5
  write_atomic(folder / "f.npy", npy("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }", std::string("\0\3\1\4\2\5", 6), 2));
  CHECK(load_npy(folder / "f.npy").to_vector() == std::vector<double>{0, 1, 2, 3, 4, 5});
  std::string data(24, '\0');
  for (std::size_t i = 0; i < 2; ++i)
    for (std::size_t j = 0; j < 3; ++j)
      for (std::size_t k = 0; k < 4; ++k) data[i + 2 * j + 6 * k] = char(12 * i + 4 * j + k);
  write_atomic(folder / "g.npy", npy("{\"shape\": (2, 3, 4), 'fortran_order': True, 'descr': '|i1'}", data));
  std::vector<double> counting(24);
  for (std::size_t i = 0; i < 24; ++i) counting[i] = double(i);
  CHECK(load_npy(folder / "g.npy").to_vector() == counting);
}

TEST_CASE(".npy that is not exactly well formed is refused", "[io]") {
  TemporaryFolder folder("npy-strict");
  auto head = [](const std::string& descr, const std::string& shape) {
    return "{'descr': " + descr + ", 'fortran_order': False, 'shape': " + shape + ", }";
  };
  REQUIRE(loading(folder, npy(head("'<f4'", "(1,)"), "abcd")).empty());
  CHECK(loading(folder, "") == "npy.truncated");
  CHECK(loading(folder, "not a numpy file at all") == "npy.magic");
  CHECK(loading(folder, npy(head("'<f4'", "(1,)"), "abcd", 9)) == "npy.version");
  CHECK(loading(folder, npy(head("'<f4'", "(1,)"), "abc")) == "npy.truncated");
  CHECK(loading(folder, npy(head("'<f4'", "(1,)"), "abcde")) == "npy.truncated");
  CHECK(loading(folder, npy(head("'>f4'", "(1,)"), "abcd")) == "npy.dtype");
  CHECK(loading(folder, npy(head("'|O'", "(1,)"), "abcd")) == "npy.dtype");
  CHECK(loading(folder, npy(head("[('a', '<f4')]", "(1,)"), "abcd")) == "npy.dtype");
  CHECK(loading(folder, npy(head("'<f4'", "(-1,)"), "abcd")) == "npy.shape");
  CHECK(loading(folder, npy(head("'<f4'", "(9999999999, 9999999999)"), "abcd")) == "npy.shape");
  CHECK(loading(folder, npy(head("'<f4'", "(99999999999999999999,)"), "abcd")) == "npy.shape");
  CHECK(loading(folder, npy(head("'<f4'", "(0, 99999999999, 99999999999)"), "")) == "npy.shape");  // empty, and no number holds the rest
  CHECK(loading(folder, npy("{'descr': '<f4', 'fortran_order': True, 'shape': (0, 99999999999, 99999999999), }", "")) == "npy.shape");
  CHECK(loading(folder, npy(head("'<f4'", "(1,1,1,1,1,1,1,1,1)"), "abcd")) == "npy.shape");
  CHECK(loading(folder, npy(head("'|b1'", "(1,)"), "\2")) == "npy.bool");
  CHECK(loading(folder, npy("{'descr': '<f4', 'shape': (1,)}", "abcd")) == "npy.header");
  CHECK(loading(folder, npy("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", "abcd")) == "npy.header");
  CHECK(loading(folder, npy("{'descr': '<f4", "abcd")) == "npy.header");
  CHECK(loading(folder, npy(head("'<f4'", "(1,)") + " x", "abcd")) == "npy.header");
  CHECK_THROWS_WITH(save_npy(folder / "x.npy", Tensor::zeros({1}, DType::bf16)), Catch::Contains("bf16"));
  CHECK_THROWS_AS(save_npy(folder / "x.npy", Tensor()), Error);
  CHECK(!file_exists(folder / "x.npy"));
}

TEST_CASE("every cut of a .npy file is refused", "[io]") {
  TemporaryFolder folder("npy-cuts");
  save_npy(folder / "a.npy", Tensor::zeros({3}));
  std::string whole = read_text(folder / "a.npy");
  for (std::size_t n = 0; n < whole.size(); ++n) CHECK(loading(folder, whole.substr(0, n)).starts_with("npy."));
}
