/// Labelled sequences of a recipe: read, cleared of duplicates, split without a leak, encoded.
///
/// Sources: one FASTA file a class (data.files, and data.test_files for a split that is fixed), or a table of class, name and sequence
/// (data.table, data.test_table). Without a fixed part the split is drawn by homology: clusters of near duplicates on either strand
/// (single linkage, Jaccard index of 8-mer sets >= 0.7) stay whole, classes are balanced. data.split = "random" draws single sequences, after
/// exact duplicates were dropped, to compare with figures of such splits. Whatever the split, it is audited before anything trains:
/// genomics.leak lists what training and scored part share; of a random split, a note tells it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tenon/params.hpp"
#include "tenon/task.hpp"

namespace tenon::genomics {

struct SetSettings {
  std::filesystem::path root;
  std::vector<std::string> classes, files, test_files;
  std::string table, test_table;
  bool drop_duplicates = false, pad = false, choose = false, random_split = false;
  std::int64_t length = 0;
  double test_share = 0.2;
  std::uint64_t seed = 0;  ///< of the split
  std::string allow_leak;
};

/// Declared parameters of the recipe's [data] section, and their values. Throws usage errors for combinations that make no data set.
const ParamSpec& data_params();
SetSettings set_settings(const ParamValues& values, const std::filesystem::path& recipe_directory, std::uint64_t run_seed);

struct SequenceSet {
  std::vector<std::string> ids;               ///< "file:name" made unique, in the order of the files
  std::vector<std::string> letters;           ///< upper case
  std::vector<std::int64_t> labels, lengths;  ///< lengths in bases, before padding
  std::vector<std::int64_t> train, scored;    ///< records of each part
  Tensor codes;                               ///< [records, length] u8
  std::int64_t length = 0;
  std::vector<std::string> notes;             ///< what was dropped, how it was split, what the audit found
  std::map<std::string, std::string> digests; ///< file below root -> SHA-256
};

/// Files below root that the settings name.
std::vector<std::string> files_of(const SetSettings& settings);
SequenceSet load_set(const SetSettings& settings, const Monitor& monitor);
/// Every defect there is, the leak included.
std::vector<Problem> check_set(const SetSettings& settings, const Monitor& monitor);

/// Letters to codes [length], in the middle of unknown bases where they are fewer; throws genomics.length where they are more, or fewer
/// and `pad` is false. `where` names the record.
///
/// A sequence and its reverse complement give the same row of codes or rows that are each other's reverse complements, as models that treat
/// both strands alike need. An odd unknown base therefore has no fixed side: it stands right of the strand that comes first in the order of
/// codes, left of the other; and right of a sequence that is its own reverse complement.
void encode_padded(std::string_view letters, std::int64_t length, bool pad, const std::string& where, std::uint8_t* codes);

}  // namespace tenon::genomics
