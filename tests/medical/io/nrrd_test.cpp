#include "medical/io/nrrd.hpp"

#include "medical/test_data.hpp"

using namespace tenon;
using namespace tenon::medical;
using namespace tenon::medical_test;

TEST_CASE("nrrd: a field is told from a key with its value as Teem tells them", "[medical][nrrd]") {
  TempFolder folder;
  const std::string head = "NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: 2 2 2\n"
                           "space directions: (1,0,0) (0,1,0) (0,0,1)\nendian: little\nencoding: raw\nspace origin: (1,2,3)\n\n";
  auto code = [&](const std::string& from, const std::string& to) {
    std::string text = head;
    text.replace(text.find(from), from.size(), to);
    text += std::string(16, '\1');
    auto* b = reinterpret_cast<const std::byte*>(text.data());
    write_bytes(folder / "a.nrrd", Bytes(b, b + text.size()));
    return code_of([&] { read_image(folder / "a.nrrd"); });
  };
  for (const char* fine : {"key:=value", "key:=a: b", "key:=once\nkey:=twice", "# data file: x", "ENDIAN: little", "SpaceUnits: \"mm\" \"mm\" \"mm\""}) {
    INFO(fine);
    const bool endian = std::string(fine).starts_with("ENDIAN");
    CHECK(code("endian: little", endian ? fine : std::string("endian: little\n") + fine) == "");
    CHECK(read_image(folder / "a.nrrd").geometry.origin() == std::array<double, 3>{-1, -2, 3});
  }
  const std::string directions = "space directions: (1,0,0) (0,1,0) (0,0,1)";
  for (auto [from, to] : {std::pair<std::string, std::string>{directions, "space directions: (nan,0,0) (0,1,0) (0,0,1) := x"},
                          {directions, "spacedirections: (nan,0,0) (0,1,0) (0,0,1)"},
                          {directions, directions + "\nspacedirections: (1,0,0) (0,1,0) (0,0,1)"},
                          {"space origin: (1,2,3)", "space origin: (1,inf,3) := x"},
                          {"endian: little", "endian: little\ndata file: x :="},
                          {"endian: little", "endian: little\nDataFile: x :="},
                          {"endian: little", "endian: little\nbyte skip: 4 :="},
                          {"endian: little", "endian: little\nshape: round"},
                          {"endian: little", "endian: little\nkey: with a colon:=value"},
                          {"sizes: 2 2 2", "sizes: 1e0 4 2"}}) {
    INFO(to);
    CHECK(code(from, to) == "nrrd.header");
  }
}
