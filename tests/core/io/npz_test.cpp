#include "tenon/io/npz.hpp"

#include <catch2/catch.hpp>
#include <cstring>

#include "faulty_files.hpp"
#include "fuzz/files.hpp"
#include "core/io/wide_archive.hpp"
#include "io/zip.hpp"
#include "temporary_folder.hpp"

using namespace tenon;

namespace {

using Named = std::vector<std::pair<std::string, Tensor>>;

std::string loading(const std::string& bytes, std::uint64_t limit = 1 << 20) {
  fuzz::MemoryFiles files;
  files["bad.npz"] = bytes;
  return code_of([&] { load_npz("bad.npz", limit); });
}

Named every_type() {
  Named all;
  for (DType t : {DType::f32, DType::f64, DType::f16, DType::i8, DType::i16, DType::i32, DType::i64, DType::u8, DType::boolean}) {
    Tensor x = Tensor::empty({2, 300}, t);
    for (std::size_t i = 0; i < x.nbytes(); ++i)
      static_cast<std::uint8_t*>(x.raw())[i] = std::uint8_t(t == DType::boolean ? i % 2 : i / 7 * 3);
    all.emplace_back(std::string(name_of(t)), x);
  }
  all.emplace_back("scalar", Tensor::full({}, 2.5));
  all.emplace_back("empty/n\xC3\xA4me", Tensor::zeros({0, 4}));
  all.emplace_back("view", Tensor::arange(6, DType::i32).reshape({2, 3}).transpose(0, 1));
  return all;
}

void check_same(const Named& got, const Named& expected) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    CHECK(got[i].first == expected[i].first);
    CHECK(got[i].second.dtype() == expected[i].second.dtype());
    CHECK(got[i].second.shape() == expected[i].second.shape());
    const Tensor dense = expected[i].second.contiguous();
    if (dense.nbytes() > 0) CHECK(std::memcmp(got[i].second.raw(), dense.raw(), dense.nbytes()) == 0);
  }
}

void put(std::string& bytes, std::size_t at, std::uint64_t value, int width) {
  for (int i = 0; i < width; ++i) bytes[at + std::size_t(i)] = char(value >> (8 * i));
}

}  // namespace

TEST_CASE(".npz round trip of every type, stored, deflated and in ZIP64", "[io][npz]") {
  TemporaryFolder folder("npz-round");
  const Named all = every_type();
  for (NpzCompression compression : {NpzCompression::stored, NpzCompression::deflated}) {
    save_npz(folder / "a.npz", all, compression);
    save_npz(folder / "b.npz", all, compression);
    CHECK(read_text(folder / "a.npz") == read_text(folder / "b.npz"));
    check_same(load_npz(folder / "a.npz"), all);
    save_wide(folder / "wide.npz", folder / "a.npz");
    CHECK(read_text(folder / "wide.npz").size() > read_text(folder / "a.npz").size());
    check_same(load_npz(folder / "wide.npz"), all);
  }
  CHECK(files().stat(folder / "a.npz")->size < 7000);  // deflated
  save_npz(folder / "none.npz", {});
  CHECK(load_npz(folder / "none.npz").empty());
}

TEST_CASE("numpy's own .npz files are read", "[io][npz]") {
  // written by tests/golden/make_npz.py
  const std::filesystem::path golden = TENON_SOURCE_DIR "/tests/golden";
  for (const char* name : {"numpy_stored.npz", "numpy_deflated.npz"}) {
    const Named all = load_npz(golden / name);
    REQUIRE(all.size() == 4);
    CHECK(all[0].first == "half");
    CHECK(all[0].second.dtype() == DType::f16);
    CHECK(all[0].second.to_vector() == std::vector<double>{0.5, -1, 65504});
    CHECK(all[1].first == "fortran");
    CHECK(all[1].second.shape() == Shape{2, 3});
    CHECK(all[1].second.to_vector() == std::vector<double>{0, 1, 2, 3, 4, 5});
    CHECK(all[2].second.dtype() == DType::boolean);
    CHECK(all[2].second.to_vector() == std::vector<double>{1, 0, 1});
    CHECK(all[3].first == "zeros");
    CHECK(all[3].second.shape() == Shape{100, 10});
    CHECK(all[3].second.to_vector() == std::vector<double>(1000, 0.0));
  }
}

TEST_CASE(".npz that is not exactly well formed is refused", "[io][npz]") {
  TemporaryFolder folder("npz-strict");
  save_npz(folder / "a.npz", {{"a", Tensor::full({4}, 1)}, {"b", Tensor::full({4}, 2)}});
  const std::string good = read_text(folder / "a.npz");
  const std::size_t end = good.size() - 22, central = good.find("PK\1\2"), second = good.find("PK\1\2", central + 1),
                    local = good.find("PK\3\4", 1);
  const auto changed = [&](std::size_t at, std::uint64_t value, int width) {
    std::string bytes = good;
    put(bytes, at, value, width);
    return loading(bytes);
  };
  REQUIRE(loading(good).empty());
  CHECK(loading("") == "npz.truncated");
  CHECK(loading(std::string(100, 'x')) == "npz.directory");
  CHECK(loading(good + "x") == "npz.directory");
  CHECK(loading("x" + good) == "npz.directory");
  CHECK(loading(good.substr(0, end) + good.substr(end, 20) + std::string("\2\0hi", 4)).empty());  // a comment is no harm
  CHECK(changed(end + 10, 3, 2) == "npz.split");
  CHECK(changed(end + 4, 1, 2) == "npz.split");
  CHECK(changed(end + 16, 5, 4) == "npz.directory");
  CHECK(changed(central, 0, 4) == "npz.directory");
  CHECK(changed(central + 8, 1, 2) == "npz.encrypted");
  CHECK(changed(central + 10, 12, 2) == "npz.method");
  CHECK(changed(central + 24, 5, 4) == "npz.size");  // stored, yet sizes differ
  CHECK(changed(central + 16, 5, 4) == "npz.checksum");
  CHECK(changed(second + 42, 0, 4) == "npz.overlap");  // the first member's place
  CHECK(changed(local + 8, 8, 2) == "npz.header");
  CHECK(changed(second + 42, local + 1, 4) == "npz.header");
  CHECK(changed(second + 42, 0xfffffff0u, 4) == "npz.truncated");
  CHECK(changed(local + 28, 0xffff, 2) == "npz.truncated");
  CHECK(changed(local + 30, 'z', 1) == "npz.header");
  CHECK(loading(good, 200) == "npz.too_large");
  {
    std::string bytes = good;  // both sizes of the first member reach into the second
    put(bytes, central + 20, 300, 4);
    put(bytes, central + 24, 300, 4);
    CHECK(loading(bytes) == "npz.overlap");
  }
  {
    std::string bytes = good;
    bytes[second + 46] = 'a';
    bytes[local + 30] = 'a';
    CHECK(loading(bytes) == "npz.duplicate");
  }
  {
    std::string bytes = good;
    bytes[local + 60 + 100] ^= 1;  // a byte of the second array
    CHECK(loading(bytes) != "");
  }
  {
    std::string bytes = good;
    bytes[second + 48] = 'x';
    bytes[local + 32] = 'x';
    CHECK(loading(bytes) == "npz.member");
  }
}

TEST_CASE("a zip bomb is refused by what it claims", "[io][npz]") {
  TemporaryFolder folder("npz-bomb");
  save_npz(folder / "a.npz", {{"a", Tensor::zeros({1 << 20})}}, NpzCompression::deflated);
  std::string bytes = read_text(folder / "a.npz");
  REQUIRE(bytes.size() < 10000);
  CHECK(load_npz(folder / "a.npz")[0].second.numel() == 1 << 20);
  const std::size_t central = bytes.find("PK\1\2");
  put(bytes, central + 24, 0xf0000000u, 4);
  CHECK(loading(bytes, ~0ull) == "npz.size");
  put(bytes, central + 24, (4 << 20) + 128 + 4, 4);  // possible, but the array says less
  CHECK(loading(bytes, ~0ull) == "npy.truncated");
  bytes = read_text(folder / "a.npz");
  for (std::size_t i = 0; i < 30; ++i) bytes[2000 + i] = char(0x55 + i);
  CHECK(loading(bytes, ~0ull).starts_with("npz."));
}

TEST_CASE("every cut of a .npz file is refused", "[io][npz]") {
  TemporaryFolder folder("npz-cuts");
  save_npz(folder / "a.npz", {{"a", Tensor::zeros({3})}}, NpzCompression::deflated);
  const std::string whole = read_text(folder / "a.npz");
  for (std::size_t n = 0; n < whole.size(); ++n) CHECK(loading(whole.substr(0, n)).starts_with("npz."));
}

TEST_CASE("save_npz refuses what it cannot write, before anything is written", "[io][npz]") {
  TemporaryFolder folder("npz-names");
  Tensor x = Tensor::zeros({1});
  CHECK_THROWS_WITH(save_npz(folder / "a", {{"x", x}, {"x", x}}), Catch::Contains("'x' stands twice"));
  CHECK_THROWS_WITH(save_npz(folder / "a", {{"", x}}), Catch::Contains("empty"));
  CHECK_THROWS_WITH(save_npz(folder / "a", {{"x", x}, {"y", Tensor::zeros({1}, DType::bf16)}}),
                    Catch::Contains("save_npz") && Catch::Contains("bf16"));
  CHECK(files().list(folder.path).empty());
  save_npz(folder / "a", {{"x", x}});
  const std::string before = read_text(folder / "a");
  for (int i = 0; i < 6; ++i) {
    FaultyFiles faulty(i);
    CHECK(code_of([&] { save_npz(folder / "a", {{"x", x}, {"y", x}}); }) == "io.no_space");
    CHECK(read_text(folder / "a") == before);
  }
}
