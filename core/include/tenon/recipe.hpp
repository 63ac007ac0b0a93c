/// Recipe: one TOML file is the whole run.
///
///     name = "hippocampus"
///     task = "medical.segmentation"
///     seed = 1
///     [data]        # the task's own sections, declared by its plugin
///     [augment]
///     [model]       # name = "medical.unet3d" and that model's declared parameters
///     [train]       # steps or minutes, batch, precision, validation, checkpoints (declared in run.hpp)
///     [optimizer]   # declared in optim.hpp
///     [schedule]
///
/// Every key is declared somewhere; an unknown key, a wrong type or a value out of range is a usage error with
/// file:line and the nearest known key. Keys may be overridden from the command line as `section.key=value`.
///
/// Paths: relative ones start at the recipe's folder (at the working directory when given on the command line);
/// "data:NAME" is looked up in the catalogue (catalogue.hpp). A loaded Recipe holds absolute paths only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tenon/params.hpp"

namespace tenon {

class TENON_API Recipe {
 public:
  /// Reads and checks a recipe, loading the plugins that it names. `overrides`: "train.steps=200".
  static Recipe load(const std::filesystem::path& file, const std::vector<std::string>& overrides = {});
  /// The same from text; `name` stands for the file in messages and `directory` is where relative paths start.
  static Recipe parse(const std::string& toml, const std::string& name, const std::filesystem::path& directory,
                      const std::vector<std::string>& overrides = {});

  std::string name, task, model;  ///< "hippocampus", "medical.segmentation", "medical.unet3d"
  std::uint64_t seed = 0;
  std::filesystem::path directory;
  std::map<std::string, ParamValues> sections;  ///< task's sections, "model", "train", "optimizer", "schedule"
  std::map<std::string, std::string> origins;   ///< "section.key" -> where the user set it: "recipe.toml:14", "command line"

  const ParamValues& section(const std::string& name) const;
  /// TOML with every value, defaults filled in and paths made absolute: parsing it gives an equal recipe. A comment
  /// ends each line that the user did not set ("# default").
  std::string resolved() const;
  /// Throws a usage error for the first declared, required path that does not exist. Not part of load(): a run's recipe
  /// must stay readable (report, predict) where its training data are gone.
  void require_paths() const;
};

}  // namespace tenon
