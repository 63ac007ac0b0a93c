/// Catalogue of data sets: which are known, where they come from, and where they lie on this machine.
///
/// Read once from `catalogue.toml` in the shared folder of the installation (or of the build tree); TENON_SHARE names
/// another one. Nothing here uses the network. Thread-safe after the first call.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tenon/export.hpp"

namespace tenon {

struct DataSet {
  std::string name, title, about, page, licence, licence_url;
  std::string size;                 ///< for people: "28 MB"
  std::filesystem::path path;       ///< below TENON_DATA; of a sample: below the catalogue's folder
  bool sample = false;              ///< ships with the toolkit
  std::string url, md5;             ///< the source's archive and its digest; empty for a sample, and for a set whose files are got by hand
  std::string archive_root;         ///< the archive's folder that becomes the data set
  std::vector<std::string> exclude;  ///< patterns of archive members that are no data
  std::filesystem::path checksums;  ///< absolute path of the SHA256SUMS file; empty: none
  std::vector<std::filesystem::path> add;  ///< absolute paths of files put beside the extracted ones
};

/// Every data set, by name. Throws data.no_catalogue, data.catalogue.
TENON_API const std::vector<DataSet>& data_sets();
/// Throws data.unknown with the nearest names.
TENON_API const DataSet& data_set(std::string_view name);

/// Where `tenon data fetch` puts a set: $XDG_DATA_HOME/tenon/data/NAME, by default below ~/.local/share.
TENON_API std::filesystem::path fetched_path(const DataSet& set);
/// Where the set lies: below TENON_DATA, else where it was fetched to; a sample: beside the catalogue. Nothing if absent.
TENON_API std::optional<std::filesystem::path> locate(const DataSet& set);
/// "data:NAME" or "data:NAME/file" to a path. Throws data.absent with the command that gets the set.
TENON_API std::filesystem::path resolve_data_path(std::string_view reference);
inline bool is_data_path(std::string_view text) { return text.starts_with("data:"); }

struct Checksum {
  std::string path, sha256;
};
/// The lines of a SHA256SUMS file. Throws data.checksums for a malformed one.
TENON_API std::vector<Checksum> read_checksums(const std::filesystem::path& file);

}  // namespace tenon
