#include <sys/mman.h>

#include "medical/image/volume.hpp"
#include "medical/test_data.hpp"

using namespace tenon;
using namespace tenon::medical;
using namespace tenon::medical_test;

TEST_CASE("dicom: compressed pixels are decoded however much the process has mapped", "[medical][dicom][data]") {
  auto data = medical_data();
  if (!data) return;
  const std::size_t much = std::size_t(64) << 30;  // of addresses: no page is ever touched
  void* at = ::mmap(nullptr, much, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  REQUIRE(at != MAP_FAILED);
  const std::string code = code_of([&] { read_image(*data / "dcm_qa/In/Orientation/AxInt36mb"); });
  ::munmap(at, much);
  CHECK(code == "");
}
