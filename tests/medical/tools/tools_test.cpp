#include "medical/tools/tools.hpp"

#include <limits>
#include <map>

#include "core/io/faulty_files.hpp"
#include "medical/image/volume.hpp"
#include "medical/test_data.hpp"

using namespace tenon;
using namespace tenon::medical;
using namespace tenon::medical_test;

namespace {

class Recorder : public ToolContext {
 public:
  void print(const std::string& text) override { out += text + "\n"; }
  void status(const std::string& text) override { err += text + "\n"; }
  void progress(std::int64_t done, std::int64_t) override { seen = done; }
  bool json() const override { return as_json; }
  bool interrupted() const override { return seen >= stop_after; }
  std::string out, err;
  bool as_json = false;
  std::int64_t seen = 0, stop_after = std::numeric_limits<std::int64_t>::max();
};

struct Call {
  int status = 0;
  std::string out, err;
};

Call call(const ToolEntry& tool, const std::vector<std::string>& inputs, const std::vector<std::pair<std::string, std::string>>& given = {}, bool json = false) {
  ParamValues values(tool.params);
  for (const auto& [name, text] : given) values.set_from_text(tool.params, name, text, "test");
  Recorder recorder;
  recorder.as_json = json;
  Call c;
  c.status = tool.run(inputs, values, recorder);
  c.out = recorder.out;
  c.err = recorder.err;
  return c;
}

/// Every file below `folder` with its bytes.
std::map<std::string, Bytes> contents(const std::filesystem::path& folder) {
  std::map<std::string, Bytes> out;
  for (const auto& f : std::filesystem::recursive_directory_iterator(folder)) {
    out[std::filesystem::relative(f.path(), folder).string()] = f.is_regular_file() ? read_file(f.path()) : Bytes();
  }
  return out;
}

}  // namespace

TEST_CASE("tools: info, convert, orient, resample on one scan", "[medical][tools]") {
  TempFolder folder;
  std::string in = write_bytes(folder / "in.nii", small_nifti()).string();
  Call info = call(info_tool(), {in});
  CHECK(info.out.find("4 x 3 x 2 voxels, 2 x 3 x 4 mm, axes RAS, i16") != std::string::npos);
  CHECK(info.out.find("values 0 to 23") != std::string::npos);
  CHECK(call(info_tool(), {in}, {}, true).out.find("\"spacing_mm\"") != std::string::npos);

  std::string nrrd = (folder / "a.nrrd").string(), turned = (folder / "t.nii.gz").string(), fine = (folder / "f.nii").string();
  CHECK(call(convert_tool(), {in, nrrd}).status == 0);
  CHECK(read_image(nrrd).values.to_vector() == read_image(in).values.to_vector());
  CHECK(call(orient_tool(), {nrrd, turned}, {{"to", "LPS"}}).status == 0);
  CHECK(read_image(turned).geometry.orientation() == "LPS");
  CHECK(read_image(turned).values.to_vector().back() == 12);
  CHECK(call(resample_tool(), {in, fine}, {{"spacing", "1,1.5,4"}, {"order", "0"}}).status == 0);
  Volume f = read_image(fine);
  CHECK(f.geometry.size == std::array<std::int64_t, 3>{8, 6, 2});
  CHECK(f.values.dtype() == DType::i16);
  CHECK(f.values.to_vector()[1] == 0);
  CHECK(f.values.to_vector()[2] == 1);
}

TEST_CASE("tools: JSON is whole whatever the files are called", "[medical][tools]") {
  TempFolder folder;
  const std::string latin1 = write_bytes(folder / "caf\xe9.nii", small_nifti()).string(), shown = "caf\xef\xbf\xbd.nii";
  CHECK(call(info_tool(), {latin1}, {}, true).out.find(shown) != std::string::npos);
  CHECK(call(convert_tool(), {latin1, (folder / "a.nrrd").string()}, {}, true).out.find(shown) != std::string::npos);
  Bytes cut = small_nifti();
  cut.pop_back();
  write_bytes(latin1, cut);
  const Call bad = call(validate_tool(), {latin1}, {}, true);
  CHECK(bad.status == 3);
  CHECK(bad.out.find(shown) != std::string::npos);
}

TEST_CASE("tools: validate stops between two images when asked to", "[medical][tools]") {
  TempFolder folder;
  const std::string in = write_bytes(folder / "in.nii", small_nifti()).string();
  Recorder recorder;
  recorder.stop_after = 1;
  try {
    validate_tool().run({in, in, in}, ParamValues(validate_tool().params), recorder);
    FAIL("it went on");
  } catch (const Error& e) {
    CHECK(e.code() == "run.interrupted");
    CHECK(e.message() == "stopped after 1 of 3 images");
  }
}

TEST_CASE("tools: nothing is overwritten or half written", "[medical][tools]") {
  TempFolder folder;
  std::string in = write_bytes(folder / "in.nii", small_nifti()).string(), out = (folder / "out.nii").string();
  CHECK(call(convert_tool(), {in, out}).status == 0);
  CHECK(code_of([&] { call(convert_tool(), {in, out}); }) == "medical.exists");
  CHECK(call(convert_tool(), {in, out}, {{"overwrite", "true"}}).status == 0);
  Bytes cut = small_nifti();
  cut.pop_back();
  std::string broken = write_bytes(folder / "cut.nii", cut).string(), never = (folder / "never.nii").string();
  CHECK(code_of([&] { call(convert_tool(), {broken, never}); }) == "nifti.truncated");
  CHECK_FALSE(std::filesystem::exists(never));
  CHECK_THROWS_AS(call(convert_tool(), {in}), Error);
  CHECK(code_of([&] { call(convert_tool(), {in, (folder / "a.jpg").string()}); }) == "medical.unknown_extension");
  CHECK(code_of([&] { call(orient_tool(), {in, never}, {{"to", "XYZ"}}); }) == "medical.orientation");
  CHECK_FALSE(std::filesystem::exists(never));
}

TEST_CASE("tools: convert to a DICOM folder and over it", "[medical][tools]") {
  TempFolder folder;
  std::string in = write_bytes(folder / "in.nii", small_nifti()).string(), out = (folder / "series").string();
  CHECK(call(convert_tool(), {in, out}).status == 0);
  CHECK(call(info_tool(), {out}).out.find("dicom, 4 x 3 x 2 voxels") != std::string::npos);
  CHECK(call(convert_tool(), {in, out}, {{"overwrite", "true"}}).status == 0);
  write_bytes(folder / "series" / "mine.txt", Bytes(3));
  CHECK(code_of([&] { call(convert_tool(), {in, out}, {{"overwrite", "true"}}); }) == "medical.exists");
}

TEST_CASE("tools: a DICOM folder gives way only to a whole one", "[medical][tools]") {
  TempFolder folder;
  const std::vector<std::pair<std::string, std::string>> overwrite{{"overwrite", "true"}};
  std::string in = write_bytes(folder / "in.nii", small_nifti()).string(), out = (folder / "series").string(), nan = (folder / "nan.mha").string();
  Volume v;
  v.geometry.size = {2, 1, 1};
  v.values = Tensor::from(std::vector<float>{1, std::numeric_limits<float>::quiet_NaN()}, {1, 1, 2});
  write_image(nan, v);
  REQUIRE(call(convert_tool(), {in, out}).status == 0);
  const auto before = contents(folder.path());
  std::string message = message_of([&] { call(convert_tool(), {nan, out}, overwrite); });
  CHECK(message.find("NaN") != std::string::npos);
  CHECK((contents(folder.path()) == before));

  // In place, with every change of the disk failing once: the old folder, all of it, and nothing beside it.
  auto turn = [&] { return call(orient_tool(), {out, out + "/"}, {{"overwrite", "true"}, {"to", "LPI"}}).status; };
  int failed = 0;
  for (std::string code = "none"; !code.empty(); ++failed) {
    {
      FaultyFiles faults(failed);
      code = medical_test::code_of([&] { turn(); });
    }
    if (code.empty()) break;
    INFO("change " << failed << ": " << code);
    REQUIRE(code == "io.no_space");
    REQUIRE((contents(folder.path()) == before));
  }
  CHECK(failed > 10);
  const auto after = contents(folder.path());
  CHECK(after.size() == before.size());
  CHECK((after != before));
  CHECK(call(info_tool(), {out}).out.find("dicom, 4 x 3 x 2 voxels") != std::string::npos);
}

TEST_CASE("tools: the data file of a .mhd is an output too", "[medical][tools]") {
  TempFolder folder;
  std::string in = write_bytes(folder / "in.nii", small_nifti()).string(), out = (folder / "x.mhd").string();
  write_bytes(folder / "x.raw", Bytes(5));
  CHECK(medical_test::code_of([&] { call(convert_tool(), {in, out}); }) == "medical.exists");
  CHECK(message_of([&] { call(convert_tool(), {in, out}); }).find("x.raw") != std::string::npos);
  CHECK((read_file(folder / "x.raw") == Bytes(5)));
  CHECK_FALSE(std::filesystem::exists(out));
  CHECK(call(convert_tool(), {in, (folder / "x.mha").string()}).status == 0);  // holds its data itself
  CHECK(call(convert_tool(), {in, out}, {{"overwrite", "true"}}).status == 0);
  CHECK(read_image(out).values.to_vector() == read_image(in).values.to_vector());
}

TEST_CASE("tools: validate lists every bad image and goes on", "[medical][tools]") {
  TempFolder folder;
  write_bytes(folder / "good.nii", small_nifti());
  Bytes cut = small_nifti();
  cut.pop_back();
  write_bytes(folder / "cut.nii", cut);
  Volume v;
  v.geometry.size = {2, 1, 1};
  v.values = Tensor::full({1, 1, 2}, 4);
  write_image(folder / "constant.nii.gz", v);
  v.values = Tensor::from(std::vector<float>{1, std::numeric_limits<float>::quiet_NaN()}, {1, 1, 2});
  write_image(folder / "nan.mha", v);
  Call c = call(validate_tool(), {folder.path().string()});
  CHECK(c.status == 3);
  CHECK(c.out.find("nifti.truncated") != std::string::npos);
  CHECK(c.out.find("medical.constant") != std::string::npos);
  CHECK(c.out.find("medical.not_finite") != std::string::npos);
  CHECK(c.out.find("4 images: 3 bad") != std::string::npos);
  CHECK(call(validate_tool(), {(folder / "good.nii").string()}).status == 0);
}

TEST_CASE("tools: a sheared scan is resampled only when asked", "[medical][tools][data]") {
  auto data = medical_data();
  if (!data) return;
  TempFolder folder;
  std::string in = (*data / "nifti_shear/shear.nii.gz").string(), out = (folder / "o.nii").string();
  CHECK(code_of([&] { call(resample_tool(), {in, out}, {{"spacing", "4,4,4"}, {"order", "1"}}); }) == "medical.shear");
  CHECK(call(resample_tool(), {in, out}, {{"spacing", "4,4,4"}, {"order", "1"}, {"allow_shear", "resample"}}).status == 0);
  CHECK(read_image(out).geometry.shear() == Approx(0.3173).margin(1e-4));
}
