#include <sys/mman.h>

#include "medical/io/dicom.hpp"
#include "medical/test_data.hpp"

using namespace tenon;
using namespace tenon::medical;
using namespace tenon::medical_test;

namespace {

/// A DICOM file of rows x columns pixels of 0x0102, run-length encoded (PS3.5, annex G); columns are a multiple of 128.
std::filesystem::path write_rle(const TempFolder& folder, std::uint16_t rows, std::uint16_t columns) {
  Volume v;
  v.geometry.size = {2, 1, 1};
  v.values = Tensor::from(std::vector<std::int16_t>{-1, 1}, {1, 1, 2});
  write_dicom(folder / "plain", v);
  Bytes b = read_file(folder / "plain" / "slice_0001.dcm");
  std::string text(reinterpret_cast<const char*>(b.data()), b.size());
  const std::string plain = "1.2.840.10008.1.2.1";
  text[text.find(plain, text.find(std::string("\2\0\x10\0UI", 6))) + plain.size() - 1] = '5';
  auto little = [](std::uint32_t n, int bytes) {
    std::string out;
    for (int i = 0; i < bytes; ++i) out += char(n >> 8 * i & 255);
    return out;
  };
  text.replace(text.find(std::string("\x28\0\x10\0US", 6)) + 8, 2, little(rows, 2));
  text.replace(text.find(std::string("\x28\0\x11\0US", 6)) + 8, 2, little(columns, 2));
  const std::size_t pixels = text.rfind(std::string("\xe0\x7f\x10\0OW", 6));
  REQUIRE(pixels != std::string::npos);
  text.resize(pixels);
  const std::uint32_t runs = std::uint32_t(rows) * columns / 128;
  std::string frame = little(2, 4) + little(64, 4) + little(64 + 2 * runs, 4);
  frame.resize(64);
  for (char value : {'\1', '\2'}) {  // the high bytes of all pixels, then the low ones
    for (std::uint32_t i = 0; i < runs; ++i) (frame += '\x81') += value;
  }
  const std::string item("\xfe\xff\0\xe0", 4), end("\xfe\xff\xdd\xe0", 4);
  text += std::string("\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff", 12) + item + little(0, 4) + item + little(std::uint32_t(frame.size()), 4) + frame + end + little(0, 4);
  auto* data = reinterpret_cast<const std::byte*>(text.data());
  return write_bytes(folder / "rle.dcm", Bytes(data, data + text.size()));
}

}  // namespace

TEST_CASE("dicom: compressed pixels are decoded however much the process has mapped", "[medical][dicom][slow]") {
  TempFolder folder;
  // Above the 64 MiB that glibc may still have in an arena: the decoder must map more.
  const auto path = write_rle(folder, 4608, 8192);
  const std::size_t much = std::size_t(64) << 30;  // of addresses: no page is ever touched
  void* at = ::mmap(nullptr, much, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  REQUIRE(at != MAP_FAILED);
  Volume v;
  const std::string message = message_of([&] { v = read_image(path); });
  ::munmap(at, much);
  REQUIRE(message == "");
  CHECK(v.geometry.size == std::array<std::int64_t, 3>{8192, 4608, 1});
  CHECK(v.values.dtype() == DType::i16);
  const auto* values = v.values.data<std::int16_t>();
  CHECK(values[0] == 0x0102);
  CHECK(values[v.values.numel() - 1] == 0x0102);
}
