#include "medical/io/metaimage.hpp"

#include "medical/test_data.hpp"

using namespace tenon;
using namespace tenon::medical;
using namespace tenon::medical_test;

namespace {

Bytes bytes_of(const std::string& s) {
  auto* b = reinterpret_cast<const std::byte*>(s.data());
  return {b, b + s.size()};
}

/// A zlib stream of one stored block (RFC 1950, 1951).
std::string zlib(const std::string& content) {
  std::uint32_t a = 1, b = 0;
  for (unsigned char c : content) a = (a + c) % 65521, b = (b + a) % 65521;
  const auto n = std::uint16_t(content.size());
  std::string out = {'\x78', '\x01', '\x01', char(n & 255), char(n >> 8), char(~n & 255), char(std::uint16_t(~n) >> 8)};
  out += content;
  for (int shift : {24, 16, 8, 0}) out += char((b << 16 | a) >> shift & 255);
  return out;
}

const std::string kContent(16, '\1');  // 2 x 2 x 2 of MET_SHORT

/// A header with `more` lines, and `data` in the file itself or in the file of that name.
std::string file_of(const std::string& more, const std::string& data, const std::string& data_file = "LOCAL") {
  return "ObjectType = Image\nNDims = 3\nBinaryData = True\n" + more + "ElementSpacing = 1 1 1\nDimSize = 2 2 2\nElementType = MET_SHORT\nElementDataFile = " +
         data_file + "\n" + data;
}

}  // namespace

TEST_CASE("metaimage: compressed data is read when all of it is announced", "[medical][metaimage]") {
  TempFolder folder;
  const std::string packed = zlib(kContent), size = "CompressedDataSize = " + std::to_string(packed.size()) + "\n";
  auto code = [&](const std::string& content) {
    write_bytes(folder / "a.mha", bytes_of(content));
    return code_of([&] { read_image(folder / "a.mha"); });
  };
  for (const char* yes : {"True", "true", "T", "t", "1"}) {
    INFO(yes);
    CHECK(code(file_of(std::string("CompressedData = ") + yes + "\n" + size, packed)) == "");
    CHECK(read_image(folder / "a.mha").values.to_vector() == std::vector<double>(8, 257));
  }
  for (const char* no : {"False", "F", "f", "0"}) CHECK(code(file_of(std::string("CompressedData = ") + no + "\n", kContent)) == "");
  CHECK(code(file_of("CompressedData = Yes\n" + size, packed)) == "metaimage.header");
  CHECK(code(file_of("BinaryDataByteOrderMSB = Yes\n", kContent)) == "metaimage.header");

  for (const char* wrong : {"26", "28", "0", "-1", "27.5", "1e12", ""}) {
    INFO(wrong);
    REQUIRE(packed.size() == 27);
    CHECK(code(file_of(std::string("CompressedData = True\nCompressedDataSize = ") + wrong + "\n", packed)) == "metaimage.header");
  }
  CHECK(code(file_of("CompressedData = True\n", packed)) == "metaimage.header");
  std::string message = message_of([&] { read_image(folder / "a.mha"); });
  for (const char* part : {"CompressedDataSize is absent", "27 bytes", "write the image again", "a.mha"}) CHECK(message.find(part) != std::string::npos);

  for (const std::string& bad : {zlib(kContent + '\1'), zlib(kContent.substr(1)), packed.substr(0, 26) + 'x', packed + 'x'}) {
    CHECK(code(file_of("CompressedData = True\nCompressedDataSize = " + std::to_string(bad.size()) + "\n", bad)) == "metaimage.corrupt");
  }
}

TEST_CASE("metaimage: compressed data beside the header needs no size, but no wrong one", "[medical][metaimage]") {
  TempFolder folder;
  write_bytes(folder / "a.zraw", bytes_of(zlib(kContent)));
  auto code = [&](const std::string& more) {
    write_bytes(folder / "a.mhd", bytes_of(file_of("CompressedData = True\n" + more, "", "a.zraw")));
    return code_of([&] { read_image(folder / "a.mhd"); });
  };
  CHECK(code("") == "");
  CHECK(read_image(folder / "a.mhd").values.to_vector() == std::vector<double>(8, 257));
  CHECK(code("CompressedDataSize = 27\n") == "");
  CHECK(code("CompressedDataSize = 20\n") == "metaimage.header");
}

TEST_CASE("metaimage: names and numbers end where MetaIO ends them", "[medical][metaimage]") {
  TempFolder folder;
  auto code = [&](const std::string& content) {
    write_bytes(folder / "a.mha", bytes_of(content));
    return code_of([&] { read_image(folder / "a.mha"); });
  };
  CHECK(code(file_of("Comment: a = b\nOffset : 1 2 3\n0008|0020 = 20200101\n", kContent)) == "");
  CHECK(read_image(folder / "a.mha").geometry.origin() == std::array<double, 3>{-1, -2, 3});
  CHECK(code(file_of("CompressedData: True = x\n", kContent)) == "metaimage.header");
  CHECK(code(file_of("Offset: nan nan nan = x\n", kContent)) == "metaimage.header");
  CHECK(code(file_of("Offset = 1 2\n0008|0020 = 20200101\n", kContent)) == "metaimage.header");
  CHECK(code(file_of("= Offset\n", kContent)) == "metaimage.header");
  // Data files that MetaIO would look for elsewhere.
  write_bytes(folder / "LISTED.raw", bytes_of(kContent));
  CHECK(code(file_of("", "", "LISTED.raw")) == "metaimage.header");
  CHECK(code(file_of("", "", "~a.raw")) == "metaimage.header");
  CHECK(code(file_of("", kContent, "lOCAL")) == "io.not_found");
}
