#include "tenon/io/safetensors.hpp"

#include <catch2/catch.hpp>
#include <cstring>

#include "faulty_files.hpp"
#include "temporary_folder.hpp"

using namespace tenon;

namespace {

std::string file_of(const std::string& header, const std::string& data) {
  std::string out;
  for (int i = 0; i < 8; ++i) out += char(std::uint64_t(header.size()) >> (8 * i));
  return out + header + data;
}

std::string loading(const TemporaryFolder& folder, const std::string& bytes) {
  write_atomic(folder / "bad.safetensors", bytes);
  return code_of([&] { load_safetensors(folder / "bad.safetensors"); });
}

}  // namespace

TEST_CASE("safetensors bytes are those of the format", "[io]") {
  TemporaryFolder folder("golden");
  save_safetensors(folder / "a",
                   {{"b", Tensor::from(std::vector<std::uint8_t>{1, 2, 255}, {3})}, {"w", Tensor::from(std::vector<float>{1, -2}, {1, 2})}},
                   {{"k", "v"}});
  // The wider type first; header padded with spaces to a multiple of 8.
  std::string header =
      R"({"__metadata__":{"k":"v"},"w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}})";
  while (header.size() % 8) header += ' ';
  std::string golden = file_of(header, std::string("\x00\x00\x80\x3f\x00\x00\x00\xc0\x01\x02\xff", 11));
  CHECK(read_text(folder / "a") == golden);
}

TEST_CASE("safetensors round trip: every type, scalars, empty tensors, views, metadata", "[io]") {
  TemporaryFolder folder("round");
  std::vector<std::pair<std::string, Tensor>> tensors;
  for (DType t :
       {DType::f32, DType::f64, DType::f16, DType::bf16, DType::i8, DType::i16, DType::i32, DType::i64, DType::u8, DType::boolean, DType::c64}) {
    Tensor x = Tensor::empty({2, 3}, t);
    for (std::size_t i = 0; i < x.nbytes(); ++i)
      static_cast<std::uint8_t*>(x.raw())[i] = std::uint8_t(t == DType::boolean ? i % 2 : i * 5 + 1);
    tensors.emplace_back(std::string(name_of(t)), x);
  }
  tensors.emplace_back("scalar", Tensor::full({}, 2.5));
  tensors.emplace_back("empty", Tensor::zeros({0, 4}));
  tensors.emplace_back("a \"quoted\" n\xC3\xA4me", Tensor::full({1}, 3));
  tensors.emplace_back("view", Tensor::arange(6, DType::i32).reshape({2, 3}).transpose(0, 1));
  std::map<std::string, std::string> metadata{{"step", "12"}, {"text", "line\nline"}};
  save_safetensors(folder / "a", tensors, metadata);
  save_safetensors(folder / "b", tensors, metadata);
  CHECK(read_text(folder / "a") == read_text(folder / "b"));

  TensorFile back = load_safetensors(folder / "a");
  CHECK(back.metadata == metadata);
  REQUIRE(back.tensors.size() == tensors.size());
  for (const auto& [name, x] : tensors) {
    auto at = std::find_if(back.tensors.begin(), back.tensors.end(), [&, wanted = name](const auto& p) { return p.first == wanted; });
    REQUIRE(at != back.tensors.end());
    CHECK(at->second.dtype() == x.dtype());
    CHECK(at->second.shape() == x.shape());
    Tensor dense = x.contiguous();
    if (dense.nbytes() > 0) CHECK(std::memcmp(at->second.raw(), dense.raw(), dense.nbytes()) == 0);
  }
}

TEST_CASE("tensors of one type keep their order in the file", "[io]") {
  TemporaryFolder folder("order");
  save_safetensors(folder / "a", {{"z", Tensor::zeros({1})}, {"a", Tensor::zeros({1})}, {"m", Tensor::zeros({1})}});
  auto back = load_safetensors(folder / "a").tensors;
  CHECK(back[0].first == "z");
  CHECK(back[1].first == "a");
  CHECK(back[2].first == "m");
}

TEST_CASE("safetensors that are not exactly well formed are refused", "[io]") {
  TemporaryFolder folder("strict");
  const std::string eight(8, '\0');
  auto one = [](const std::string& offsets, const std::string& shape = "[2]", const std::string& dtype = "F32") {
    return R"({"a":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
  };
  REQUIRE(loading(folder, file_of(one("[0,8]"), eight)).empty());

  CHECK(loading(folder, "") == "safetensors.truncated");
  CHECK(loading(folder, "1234567") == "safetensors.truncated");
  CHECK(loading(folder, std::string(8, '\xff')) == "safetensors.header");
  CHECK(loading(folder, std::string("\x40\0\0\0\0\0\0\0{}", 10)) == "safetensors.truncated");
  CHECK(loading(folder, file_of(one("[0,8]"), eight.substr(1))) == "safetensors.truncated");
  CHECK(loading(folder, file_of(one("[0,8]"), eight + "x")) == "safetensors.gap");
  CHECK(loading(folder, file_of(one("[1,9]"), eight + "x")) == "safetensors.gap");
  CHECK(loading(folder, file_of(one("[0,7]"), eight)) == "safetensors.offsets");
  CHECK(loading(folder, file_of(one("[8,0]"), eight)) == "safetensors.offsets");
  CHECK(loading(folder, file_of(one("[-8,0]"), eight)) == "safetensors.header");
  CHECK(loading(folder, file_of(one("[0,8.0]"), eight)) == "safetensors.header");
  CHECK(loading(folder, file_of(one("[0,18446744073709551616]"), eight)) == "safetensors.header");
  CHECK(loading(folder, file_of(one("[0,8]", "[-2]"), eight)) == "safetensors.header");
  CHECK(loading(folder, file_of(one("[0,8]", "[4611686018427387904,8]"), eight)) == "safetensors.shape");
  CHECK(loading(folder, file_of(one("[0,0]", "[4611686018427387904,4611686018427387904,0]"), "")) == "safetensors.shape");
  CHECK(loading(folder, file_of(one("[0,8]", "[2,1,1,1,1,1,1,1,1]"), eight)) == "safetensors.shape");
  CHECK(loading(folder, file_of(one("[0,8]", "2"), eight)) == "safetensors.shape");
  CHECK(loading(folder, file_of(one("[0,8]", "[8]", "F8_E4M3"), eight)) == "safetensors.dtype");
  CHECK(loading(folder, file_of(one("[0,8]", "[8]", "BOOL"), "\1\2\1\1\1\1\1\1")) == "safetensors.bool");
  CHECK(loading(folder,
                file_of(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
                        "abc")) == "safetensors.overlap");
  CHECK(loading(folder,
                file_of(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
                        "ab")) == "safetensors.duplicate");
  CHECK(loading(folder, file_of(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"data_offsets":[0,1]}})", "a")) ==
        "safetensors.duplicate");
  CHECK(loading(folder, file_of(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"more":1}})", "a")) == "safetensors.header");
  CHECK(loading(folder, file_of(R"({"a":{"dtype":"U8","shape":[1]}})", "a")) == "safetensors.header");
  CHECK(loading(folder, file_of(R"({"__metadata__":{"k":1}})", "")) == "safetensors.header");
  CHECK(loading(folder, file_of("[]", "")) == "safetensors.header");
  CHECK(loading(folder, file_of("{", "")) == "safetensors.header");
  CHECK(loading(folder, file_of("{} {}", "")) == "safetensors.header");
  CHECK(loading(folder, file_of("{\"\xff\":1}", "")) == "safetensors.header");
  CHECK(loading(folder, file_of(R"({"a":)" + std::string(50000, '[') + "}", "")) == "safetensors.header");
}

TEST_CASE("a safetensors file of very many tensors", "[io]") {  // searched name by name 100,000 took minutes
  TemporaryFolder folder("many");
  std::vector<std::pair<std::string, Tensor>> tensors;
  for (int i = 0; i < 30'000; ++i) tensors.emplace_back("layer." + std::to_string(i) + ".weight", Tensor::full({1}, i));
  save_safetensors(folder / "many", tensors);
  const TensorFile back = load_safetensors(folder / "many");
  REQUIRE(back.tensors.size() == tensors.size());
  CHECK(back.tensors[15'000].first == "layer.15000.weight");
  CHECK(back.tensors.back().second.to_vector()[0] == 29'999);
}

TEST_CASE("every cut of a safetensors file is refused", "[io]") {
  TemporaryFolder folder("cuts");
  save_safetensors(folder / "a", {{"w", Tensor::zeros({5})}, {"x", Tensor::zeros({3}, DType::u8)}});
  std::string whole = read_text(folder / "a");
  for (std::size_t n = 0; n < whole.size(); ++n) {
    INFO(n << " bytes");
    CHECK(loading(folder, whole.substr(0, n)).starts_with("safetensors."));
  }
}

TEST_CASE("save_safetensors refuses names that cannot be told apart and undefined tensors", "[io]") {
  TemporaryFolder folder("names");
  Tensor x = Tensor::zeros({1});
  CHECK_THROWS_WITH(save_safetensors(folder / "a", {{"x", x}, {"x", x}}), Catch::Contains("'x'") && Catch::Contains("twice"));
  CHECK_THROWS_WITH(save_safetensors(folder / "a", {{"__metadata__", x}}), Catch::Contains("reserved"));
  CHECK_THROWS_WITH(save_safetensors(folder / "a", {{"x", Tensor()}}), Catch::Contains("undefined"));
  CHECK_THROWS_WITH(save_safetensors(folder / "a", {{"x", Tensor::zeros({1}, DType::c128)}}), Catch::Contains("c128 has no safetensors type"));
  CHECK_THROWS_WITH(save_safetensors(folder / "a", {{"\xff", x}}), Catch::Contains("UTF-8"));
  CHECK(files().list(folder.path).empty());
}

TEST_CASE("a disk that fills while a checkpoint is written leaves the previous one good", "[io]") {
  TemporaryFolder folder("full");
  save_safetensors(folder / "a", {{"w", Tensor::full({64}, 1)}});
  std::string before = read_text(folder / "a");
  for (int i = 0; i < 7; ++i) {
    {
      FaultyFiles faulty(i);
      CHECK(code_of([&] { save_safetensors(folder / "a", {{"w", Tensor::full({64}, 2)}}); }) == "io.no_space");
    }
    CHECK(read_text(folder / "a") == before);
    CHECK(files().list(folder.path).size() == 1);
  }
}
