/// A made data set of two classes in a folder of its own: class 1 holds TATAAT, class 0 does not.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "genomics/tasks/classification.hpp"
#include "tenon/random.hpp"

namespace tenon::test {

class MadeSet {
 public:
  explicit MadeSet(const std::string& name, int each = 60) : root_(std::filesystem::temp_directory_path() / ("tenon-genomics-" + name + "-" + std::to_string(::getpid()))) {
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
    for (int label : {0, 1}) {
      std::string text;
      for (int i = 0; i < each; ++i) text += ">s" + std::to_string(i) + "\n" + sequence(label, i) + "\n";
      write(label ? "one.fa" : "zero.fa", text);
    }
  }
  ~MadeSet() { std::filesystem::remove_all(root_); }
  const std::filesystem::path& root() const { return root_; }
  void write(const std::string& file, const std::string& text) const { std::ofstream(root_ / file, std::ios::binary) << text; }

  static std::string sequence(int label, int i, int length = 40) {
    std::string s;
    const Random random(std::uint64_t(label + 1), 4);
    for (int j = 0; j < length; ++j) s += "ACGT"[random.below(std::uint64_t(i * 1000 + j), 4)];
    for (std::size_t at; (at = s.find("TATAAT")) != std::string::npos;) s[at + 2] = 'C';
    if (label) s.replace(17, 6, "TATAAT");
    return s;
  }

  TaskContext context(const std::vector<std::pair<std::string, std::string>>& overrides = {}, const std::string& strand = "none") const {
    TaskContext c;
    c.recipe_directory = root_;
    c.seed = 3;
    c.batch_size = 8;
    for (const auto& [name, spec] : genomics::classification_task().sections) {
      ParamValues values(spec);
      auto set = [&](const std::string& key, const std::string& text) { values.set_from_text(spec, key, text, "test"); };
      if (name == "data") {
        set("root", root_.string());
        set("classes", "[\"background\", \"promoter\"]");
        set("files", "[\"zero.fa\", \"one.fa\"]");
      }
      for (const auto& [key, text] : overrides)
        if (key.starts_with(name + ".")) set(key.substr(name.size() + 1), text);
      c.sections.emplace(name, std::move(values));
    }
    ParamSpec model{genomics::strand_param()};
    ParamValues values(model);
    values.set(model, "strand", strand, "test");
    c.sections.emplace("model", std::move(values));
    return c;
  }

 private:
  std::filesystem::path root_;
};

}  // namespace tenon::test
