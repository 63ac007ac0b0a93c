// Every row of the tables of ops, every op without a gradient, and the further cases: the device against the CPU.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <set>
#include <stdexcept>

#include "core/op_table.hpp"
#include "cuda/cases.hpp"
#include "cuda/device.hpp"
#include "cuda/known_gaps.hpp"
#include "tenon/losses.hpp"
#include "tenon/ops.hpp"

using namespace tenon;
using namespace under_test;

namespace {

/// The host's own structures, which no device makes.
const std::set<std::string> kOfTheHost{"dlpack.hpp: from_dlpack(DLManagedTensor*)",
                                       "dlpack.hpp: from_dlpack(DLManagedTensorVersioned*,bool)"};

class Gaps {
 public:
  void saw(const std::string& name, Verdict v) {
    ran_.insert(name);
    if (v == Verdict::no_kernel) missing_.insert(name);
  }
  /// Against the list, of what was run.
  void judge(const std::string& of) const {
    std::string wanted, unwanted;
    for (const std::string& name : missing_)
      if (!kKnownGaps.count(name)) wanted += "    \"" + name + "\",\n";
    for (const std::string& name : kKnownGaps)
      if (ran_.count(name) && !missing_.count(name)) unwanted += "    \"" + name + "\",\n";
    if (!missing_.empty()) std::cout << "known gaps, " << of << ": " << missing_.size() << " of " << ran_.size() << " have no kernel yet\n";
    // to be copied, so printed as they are
    if (!wanted.empty()) std::cout << "without a kernel, and not in known_gaps.hpp:\n" << wanted;
    if (!unwanted.empty()) std::cout << "in known_gaps.hpp, but they work:\n" << unwanted;
    CHECK(wanted == "");
    CHECK(unwanted == "");
  }

 private:
  std::set<std::string> ran_, missing_;
};

/// TENON_CASES=WORD leaves only the cases whose name holds the word: one failing kernel can take the whole device with it.
bool selected(const std::string& name) {
  const char* word = std::getenv("TENON_CASES");
  return !word || name.find(word) != std::string::npos;
}

/// True where the CPU took it in every type.
bool compare_in(const std::string& name, const Case& run, const std::vector<DType>& types, Gaps& gaps, double tolerance = 0) {
  if (!selected(name)) return true;
  Verdict all = Verdict::agrees;
  bool taken = true;
  for (DType type : types) {
    const Verdict v = compare(name, run, type, tolerance);
    if (v == Verdict::no_kernel) all = Verdict::no_kernel;
    taken = taken && v != Verdict::not_for_this_type;
  }
  gaps.saw(name, all);
  return taken;
}

std::map<std::string, Extra>& extra_cases() {
  static std::map<std::string, Extra> all;
  return all;
}

/// f64 alone of a case that makes nothing in the type that it is run in: it would be the same again.
std::vector<DType> types_of(const Case& run) {
  const Outcome o = run_case(run, DType::f64, kCpu);
  return o.typed || !o.error.empty() ? std::vector{DType::f64, DType::f32, DType::bf16} : std::vector{DType::f64};
}

class ExtraTest final : public Catch::ITestInvoker {
 public:
  explicit ExtraTest(const Extra& e) : case_(e) {}
  void invoke() const override {
    TENON_NEEDS_DEVICE();
    Gaps gaps;
    CHECK_FALSE(case_.types.empty());
    INFO("a type that the CPU refuses: nothing was compared");
    CHECK(compare_in(case_.name, case_.run, case_.types, gaps, case_.tolerance));
    gaps.judge(case_.name);
  }

 private:
  Extra case_;
};

}  // namespace

namespace under_test {

Register::Register(const std::vector<Extra>& cases, const std::source_location& here) {
  for (const Extra& e : cases) {
    extra_cases().emplace(e.name, e);
    // a name that is there already ends the program (Catch2)
    const Catch::AutoReg test(new ExtraTest(e), Catch::SourceLineInfo(here.file_name(), here.line()), Catch::StringRef(),
                              Catch::NameAndTags("the same on the device: " + e.name, "[cuda][extra][slow]"));
  }
}

const Extra& extra_case(const std::string& name) {
  const auto found = extra_cases().find(name);
  if (found == extra_cases().end()) throw std::out_of_range("no further case is named " + name);
  return found->second;
}

}  // namespace under_test

TEST_CASE("every row of the tables of ops gives the same on the device", "[cuda][rows][slow]") {
  TENON_NEEDS_DEVICE();
  Gaps gaps;
  std::size_t rows = 0;
  for (const auto& [header, table] : op_table::tables())
    for (const auto& [op, row] : table.rows) {
      compare_in(header + ": " + op, row, {DType::f64, DType::f32, DType::bf16}, gaps);
      ++rows;
    }
  CHECK(rows > 100);
  gaps.judge("rows");
}

TEST_CASE("every op without a gradient gives the same values on the device", "[cuda][values]") {
  TENON_NEEDS_DEVICE();
  Gaps gaps;
  for (const auto& [name, run] : value_cases())
    if (selected(name)) compare_in(name, run, types_of(run), gaps);
  gaps.judge("values");
}

TEST_CASE("every op without a gradient has a case of values", "[cuda][values]") {
  std::set<std::string> wanted;
  for (const auto& [header, table] : op_table::tables())
    for (const std::string& op : table.without_gradient)
      if (!kOfTheHost.count(header + ": " + op)) wanted.insert(header + ": " + op);
  for (const std::string& name : wanted) {
    INFO(name);
    CHECK(value_cases().count(name) == 1);
  }
  for (const auto& [name, run] : value_cases()) {
    INFO(name << " stands in no table");
    CHECK(wanted.count(name) == 1);
  }
}

TEST_CASE("a label outside the classes is refused on the device, too", "[cuda][labels]") {
  TENON_NEEDS_DEVICE();
  for (std::int64_t classes : {3, 300}) {  // 300: rows of many classes
    const Tensor logits = Tensor::zeros({1, 3, classes}).to(kDevice), labels = Tensor::from(std::vector<std::int64_t>{0, 1, classes + 4}, {1, 3}).to(kDevice);
    const std::vector<std::pair<std::string, std::function<Tensor()>>> losses{
        {"cross_entropy", [&] { return cross_entropy(logits, labels); }},
        {"cross_entropy", [&] { return cross_entropy(logits, labels, CrossEntropyOptions{}); }},
        {"focal_loss", [&] { return focal_loss(logits, labels); }},
        {"dice_loss", [&] { return dice_loss(logits, labels); }},
    };
    for (const auto& [name, loss] : losses) {
      if (!selected("losses.hpp: " + name)) continue;
      begin_run(0);
      std::string said = "nothing";
      try {
        loss().item();
      } catch (const Error& e) {
        said = e.code() + " " + e.message();
      }
      end_run();
      CHECK(said == "loss.label_range " + name + ": label " + std::to_string(classes + 4) + " at element 2 is outside 0.." + std::to_string(classes - 1));
    }
    CrossEntropyOptions o;
    o.ignore_index = classes + 4;
    CHECK(cross_entropy(logits, labels, o).item() == Approx(std::log(double(classes))));
  }
}
