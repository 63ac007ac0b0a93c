/// A folder of scans with labels, and how they are split: read, checked case by case, brought to the model's grid.
///
/// Layout: <root>/<images>/<id><ext> and <root>/<labels>/<id><ext>; with several channels <id>_0000<ext>, <id>_0001<ext>...
/// The split is a JSON file (split.hpp); without one every image is a case and the folds are drawn by a fixed seed.
///
/// Every rule of the data check has one code ("medical.unlabelled"); `problems` of a case lists all that fail, loading
/// throws the first. Not thread-safe; reading runs in parallel inside.
#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "medical/image/normalise.hpp"
#include "medical/tasks/model_space.hpp"
#include "medical/tasks/split.hpp"
#include "tenon/error.hpp"
#include "tenon/params.hpp"
#include "tenon/task.hpp"

namespace tenon::medical {

struct DataSettings {
  std::filesystem::path root;
  std::string images, labels, folds;  ///< below root; `folds` empty: drawn
  std::int64_t fold = 0, fold_count = 5;
  std::vector<std::string> label_names;  ///< entry v names label value v; 0 is background
  std::int64_t channels = 1;
  std::vector<std::string> extensions;
  std::string normalisation;  ///< "zscore", "ct", "none"
  double foreign_factor = 3;  ///< size or spacing this many times the median's, or less than its inverse, is refused; 0: off
  bool allow_leak = false, allow_empty = false;
};

/// Declared parameters of the recipe's [data] section, and their values.
const ParamSpec& data_params();
DataSettings data_settings(const ParamValues& values, const std::filesystem::path& recipe_directory);

/// Usage errors, with the recipe's key as their `where`, for what of root, folders and split file is not there. Nothing is looked
/// for below a root that is not there.
std::vector<Error> absent_below_root(const DataSettings& settings);
/// Throws the first of these; where all is there, the same for a fold that the split does not have.
void require_below_root(const DataSettings& settings);

/// How grey values are brought to the model: each scan by its own statistics, or all by the training set's.
struct NormalisationRule {
  std::string name = "zscore";
  std::vector<Normalisation> fixed;  ///< "ct": one a channel
  Tensor apply(const Tensor& image, std::size_t channel) const;
};

struct CaseFiles {
  std::string id;
  std::vector<std::filesystem::path> images;  ///< one a channel; empty path: absent
  std::filesystem::path label;                ///< empty: absent
  std::vector<std::pair<std::filesystem::path, std::filesystem::path>> doubled;  ///< two files where one is expected
};

/// A case in memory, on the model's grid.
struct LoadedCase {
  CaseFiles files;
  std::string digest;  ///< SHA-256 of the first channel's size and voxels
  Geometry geometry;  ///< as on disk
  SpacePath path;
  Tensor image;  ///< f32 [channels, z, y, x], normalised
  Tensor label;  ///< u8 [z, y, x]
};

class Dataset {
 public:
  explicit Dataset(DataSettings settings);

  /// Every defect of the split's cases, and of files in the folders that belong to no case, in one pass. A folder or split that
  /// is not there or cannot be used is one of them: what can be read without it is checked all the same.
  std::vector<Problem> check(const Monitor& monitor);
  Split current_split() const;                    ///< as written or drawn
  bool has_split(const std::string& name) const;  ///< whether the split names cases for it
  /// Reads everything; throws the first defect of a case of the split. Grid and grey-value rule are chosen from the training cases,
  /// or, where a trained model's are given, those.
  void load(const Monitor& monitor, const ModelSpace* space = nullptr, const NormalisationRule* rule = nullptr);

  const DataSettings& settings() const { return settings_; }
  const ModelSpace& space() const { return space_; }
  const NormalisationRule& normalisation() const { return normalisation_; }
  /// "train" or "validation"; throws a usage error with the names there are.
  const std::vector<LoadedCase>& split(const std::string& name) const;
  std::vector<std::string> splits() const;  ///< those with cases
  std::map<std::string, std::string> digests() const;  ///< of the split's files: path below root -> SHA-256

 private:
  struct Facts;
  struct Pass;
  CaseFiles find(const std::string& id) const;
  std::vector<std::string> ids_in(const std::string& folder, bool images) const;
  void survey(Pass& pass) const;
  void list_strays(Pass& pass, const std::set<std::string>& known) const;
  Facts inspect(const CaseFiles& files, const Pass& pass) const;
  Pass read_all(bool keep, const Monitor& monitor) const;
  void compare(Pass& pass) const;
  void choose_normalisation(const Pass& pass);

  DataSettings settings_;
  ModelSpace space_;
  NormalisationRule normalisation_;
  std::map<std::string, std::vector<LoadedCase>> splits_;
};

/// What a scan looked like to a user: the files of one input for prediction.
std::vector<std::filesystem::path> channel_files(const std::filesystem::path& first, std::int64_t channels,
                                                 const std::vector<std::string>& extensions);
/// The name without any of the known extensions.
std::string stem_of(const std::filesystem::path& file, const std::vector<std::string>& extensions);

}  // namespace tenon::medical
