#include "medical/io/dicom_count.hpp"

#include "medical/io/dicom.hpp"
#include "medical/test_data.hpp"

using namespace tenon;
using namespace tenon::medical;
using namespace tenon::medical_test;
namespace fs = std::filesystem;

namespace {

/// A series of `n` slices, "slice_0001.dcm" the lowest, without a count as scanners often write them. Its files can be
/// renumbered and given counts.
class Series {
 public:
  Series(const TempFolder& folder, const std::string& name, std::int64_t n) : path_(folder / name) {
    Volume v;
    v.geometry.size = {2, 2, n};
    std::vector<std::int16_t> values(std::size_t(n) * 4);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::int16_t(i);
    v.values = Tensor::from(values, {n, 2, 2});
    write_dicom(path_, v);
    for (const auto& f : fs::directory_iterator(path_)) edit(f.path(), drop_count);
  }

  const fs::path& path() const { return path_; }
  fs::path file(int z) const { return path_ / ("slice_000" + std::to_string(z) + ".dcm"); }
  void remove(int z) const { fs::remove(file(z)); }

  /// New instance numbers, lowest slice first.
  void number(const std::vector<int>& numbers) const {
    for (std::size_t z = 0; z < numbers.size(); ++z) {
      edit(int(z) + 1, [&](std::string& text) {
        const std::size_t at = text.find(std::string("\x20\0\x13\0IS", 6));
        REQUIRE(at != std::string::npos);
        text.replace(at, 8 + std::size_t(text[at + 6]), element(0x0013, "IS", std::to_string(numbers[z])));
      });
    }
  }
  /// Sets SliceThickness or SpacingBetweenSlices of every slice that is there; "" takes it out.
  void length(int element_number, const std::string& millimetres) const {
    for (const auto& f : fs::directory_iterator(path_)) {
      edit(f.path(), [&](std::string& text) {
        const std::size_t at = text.find(std::string{'\x18', '\0', char(element_number), '\0', 'D', 'S'});
        REQUIRE(at != std::string::npos);
        text.replace(at, 8 + std::size_t(text[at + 6]),
                     millimetres.empty() ? std::string() : element(element_number, "DS", millimetres, '\x18'));
      });
    }
  }
  /// Adds an element of group 0020 to every slice that is there.
  void add(int element_number, const std::string& value) const {
    for (const auto& f : fs::directory_iterator(path_)) {
      edit(f.path(), [&](std::string& text) { text.insert(text.find(std::string("\x28\0\x02\0US", 6)), element(element_number, "IS", value)); });
    }
  }

 private:
  static void drop_count(std::string& text) {
    if (const std::size_t at = text.find(std::string("\x20\0\x02\x10IS", 6)); at != std::string::npos) text.erase(at, 8 + std::size_t(text[at + 6]));
  }
  static std::string element(int number, const std::string& vr, std::string value, char group = '\x20') {
    if (value.size() % 2) value += ' ';
    return std::string{group, '\0', char(number & 255), char(number >> 8)} + vr + char(value.size()) + '\0' + value;
  }
  template <class F> void edit(int z, F&& f) const { edit(file(z), f); }
  template <class F> void edit(const fs::path& path, F&& f) const {
    std::string text = read_text(path);
    f(text);
    auto* b = reinterpret_cast<const std::byte*>(text.data());
    write_bytes(path, Bytes(b, b + text.size()));
  }
  fs::path path_;
};

std::string code(const fs::path& path) {
  return code_of([&] { read_image(path); });
}

}  // namespace

TEST_CASE("dicom: a hole in the instance numbers tells of a slice missing at the end of the stack", "[medical][dicom]") {
  TempFolder folder;
  Series s(folder, "s", 6);
  s.number({1, 4, 2, 5, 6, 3});  // as they were taken: every other slice first
  CHECK(code(s.path()) == "");
  s.remove(6);
  CHECK(code(s.path()) == "dicom.missing_slice");
  std::string message = message_of([&] { read_image(s.path()); });
  for (const char* part : {"run from 1 to 6 without 3", "--regularise"}) CHECK(message.find(part) != std::string::npos);
  Volume v = read_dicom(s.path(), {"", false, true});
  CHECK(v.geometry.size[2] == 5);
  REQUIRE(v.warnings().size() == 1);
  CHECK(v.warnings()[0].find("without 3") != std::string::npos);
  CHECK(code(s.file(1)) == "");  // one file is not all of its series
}

TEST_CASE("dicom: a count in the headers above the number of files is refused", "[medical][dicom]") {
  TempFolder folder;
  Series s(folder, "s", 5);
  s.add(0x1002, "5");
  CHECK(code(s.path()) == "");
  s.remove(5);
  CHECK(code(s.path()) == "dicom.missing_slice");
  CHECK(message_of([&] { read_image(s.path()); }).find("ImagesInAcquisition is 5, here are 4") != std::string::npos);
  CHECK(read_dicom(s.path(), {"", false, true}).geometry.size[2] == 4);
  CHECK(code(s.file(1)) == "");
  s.add(0x0105, "2");  // of two times: the acquisition holds another stack
  CHECK(code(s.path()) == "");
}

TEST_CASE("dicom: numbers that do not count slices refuse nothing", "[medical][dicom]") {
  TempFolder folder;
  Series s(folder, "s", 6);
  for (const std::vector<int>& numbers : {std::vector<int>{7, 8, 9, 10, 11, 12}, {2, 4, 6, 8, 10, 12}, {3, 3, 3, 3, 3, 3}, {101, 102, 103, 201, 202, 203}, {1, 2, 4, 7, 11, 61}}) {
    s.number(numbers);
    INFO(numbers[0] << ", " << numbers[1] << "... " << numbers[5]);
    CHECK(code(s.path()) == "");
  }
  s.number({1, 2, 3, 7, 8, 9});
  CHECK(code(s.path()) == "dicom.missing_slice");
  for (int z : {1, 2, 3}) fs::rename(s.file(z), folder / (std::to_string(z) + ".dcm"));
  s.add(0x0012, "2");  // the numbers jump where another acquisition begins
  for (int z : {1, 2, 3}) fs::rename(folder / (std::to_string(z) + ".dcm"), s.file(z));
  CHECK(code(s.path()) == "");
}

TEST_CASE("dicom: a series that begins above 1 or ends early is accepted", "[medical][dicom]") {
  TempFolder folder;
  Series s(folder, "s", 6);
  s.remove(1);
  CHECK(code(s.path()) == "");
  s.remove(6);
  CHECK(read_image(s.path()).geometry.size[2] == 4);
}

TEST_CASE("dicom: slices missing evenly are refused by SpacingBetweenSlices", "[medical][dicom]") {
  TempFolder folder;
  for (const std::vector<int>& lost : {std::vector<int>{2}, {2, 4, 6, 8}, {2, 3, 5, 6, 8, 9}, {1, 3, 5, 7, 9}}) {
    INFO(lost.size() << " lost, the first is " << lost[0]);
    Series s(folder, "s", lost.size() == 1 ? 3 : 9);
    for (int z : lost) s.remove(z);
    CHECK(code(s.path()) == "dicom.missing_slice");
    const std::string message = message_of([&] { read_image(s.path()); });
    for (const char* part : {" mm apart, SpacingBetweenSlices is 1 mm", "--regularise"}) CHECK(message.find(part) != std::string::npos);
    const Volume v = read_dicom(s.path(), {"", false, true});
    CHECK(v.geometry.spacing()[2] == Approx(lost.size() == 6 ? 3 : 2));
    CHECK(v.warnings().size() == 1);
    fs::remove_all(s.path());
  }
}

TEST_CASE("dicom: slices farther apart than they are thick are a warning where nothing says how far they should be", "[medical][dicom]") {
  TempFolder folder;
  Series s(folder, "s", 9);
  constexpr int kThickness = 0x50, kBetween = 0x88;
  const auto warnings = [&] {
    CHECK(code(s.path()) == "");
    return read_image(s.path()).warnings();
  };
  s.length(kBetween, "-1");  // as nuclear medicine may sign it
  CHECK(warnings().empty());
  s.length(kBetween, "");
  CHECK(warnings().empty());
  for (int z : {2, 4, 6, 8}) s.remove(z);
  REQUIRE(warnings().size() == 1);
  CHECK(warnings()[0] ==
        "the slices lie 2 mm apart and are 1 mm thick: either the scan has gaps, or slices are missing evenly (the instance numbers go up "
        "by 2)");
  s.length(kThickness, "1.5");  // a gap that is usual
  CHECK(warnings().empty());
  s.length(kThickness, "");
  CHECK(warnings().empty());  // nothing to tell by
}

TEST_CASE("dicom: true gaps that the header declares are no finding, however it does", "[medical][dicom]") {
  TempFolder folder;
  Series s(folder, "s", 4);
  constexpr int kThickness = 0x50, kBetween = 0x88;
  s.length(kThickness, "0.4");  // and 1 mm between centres
  CHECK(code(s.path()) == "");
  CHECK(read_image(s.path()).warnings().empty());
  s.length(kThickness, "0.8");
  s.length(kBetween, "0.2");  // the gap that is left, which some scanners write
  CHECK(code(s.path()) == "");
  CHECK(read_image(s.path()).warnings().empty());
  s.remove(2);
  s.remove(4);
  CHECK(code(s.path()) == "dicom.missing_slice");
}

TEST_CASE("dicom: a series of our own is refused without its first or its last slice", "[medical][dicom]") {
  TempFolder folder;
  Volume v;
  v.geometry.size = {2, 2, 12};
  v.values = Tensor::zeros({12, 2, 2}, DType::i16);
  for (const char* absent : {"slice_0001.dcm", "slice_0012.dcm"}) {
    const fs::path path = folder / (std::string("without_") + absent);
    write_dicom(path, v);
    CHECK(code(path) == "");
    fs::remove(path / absent);
    CHECK(code(path) == "dicom.missing_slice");
    CHECK(message_of([&] { read_image(path); }).find("ImagesInAcquisition is 12, here are 11") != std::string::npos);
  }
}
