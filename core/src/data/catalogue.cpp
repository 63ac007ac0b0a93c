#include "tenon/catalogue.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <sstream>
#include <toml++/toml.h>

#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/params.hpp"

namespace tenon {
namespace fs = std::filesystem;
namespace {

const char* environment(const char* name) {
  const char* value = std::getenv(name);
  return value && *value ? value : nullptr;
}

// The shared folder is found from this library's own place, so that an installation can be moved: <prefix>/lib[/triplet]
// has <prefix>/share/tenon above it, and a build tree is laid out alike.
fs::path catalogue_directory() {
  if (const char* given = environment("TENON_SHARE")) return given;
  static const char in_this_library = 0;
  Dl_info info{};
  if (dladdr(&in_this_library, &info) && info.dli_fname) {
    std::error_code failed;
    fs::path folder = fs::weakly_canonical(info.dli_fname, failed).parent_path();
    for (int level = 0; level < 3 && folder.has_relative_path(); ++level) {
      folder = folder.parent_path();
      fs::path candidate = folder / "share" / "tenon" / "data";
      if (fs::exists(candidate / "catalogue.toml", failed)) return candidate;
    }
  }
  throw Error(ErrorKind::data, "data.no_catalogue", "the data catalogue (share/tenon/data/catalogue.toml) is not beside this installation",
              "install again, or set TENON_SHARE to the folder that holds catalogue.toml");
}

std::vector<std::string> strings(const toml::node_view<const toml::node>& node) {
  std::vector<std::string> out;
  if (const toml::array* array = node.as_array())
    for (const toml::node& item : *array)
      if (auto text = item.value<std::string>()) out.push_back(*text);
  return out;
}

DataSet read_entry(const std::string& name, const toml::table& table, const fs::path& folder, const std::string& where) {
  const auto text = [&](const char* key) { return table[key].value_or(std::string()); };
  DataSet set;
  set.name = name;
  set.title = text("title");
  set.about = text("about");
  set.page = text("page");
  set.licence = text("licence");
  set.licence_url = text("licence_url");
  set.size = text("size");
  set.path = text("path");
  set.sample = table["sample"].value_or(false);
  set.url = text("url");
  set.md5 = text("md5");
  set.archive_root = text("archive_root");
  set.exclude = strings(table["exclude"]);
  if (const std::string sums = text("checksums"); !sums.empty()) set.checksums = folder / sums;
  for (const std::string& file : strings(table["add"])) set.add.push_back(folder / file);
  // an archive is known by its digest; files that have none to come in are known one by one
  const bool obtainable = set.sample || (set.url.empty() ? !set.checksums.empty() : !set.md5.empty());
  if (set.title.empty() || set.licence.empty() || set.path.empty() || !obtainable)
    throw Error(ErrorKind::data, "data.catalogue",
                "data set '" + name + "' needs title, licence, path, and (unless sample = true) url and md5, or checksums alone",
                "mend the catalogue entry", where);
  return set;
}

std::vector<DataSet> read_catalogue() {
  const fs::path folder = catalogue_directory(), file = folder / "catalogue.toml";
  std::vector<DataSet> sets;
  try {
    const toml::table root = toml::parse(read_text(file), file.string());
    for (const auto& [key, node] : root)
      if (const toml::table* table = node.as_table())
        sets.push_back(read_entry(std::string(key.str()), *table, folder, file.string() + ":" + std::to_string(node.source().begin.line)));
  } catch (const toml::parse_error& e) {
    throw Error(ErrorKind::data, "data.catalogue", std::string(e.description()), "mend the catalogue",
                file.string() + ":" + std::to_string(e.source().begin.line));
  }
  return sets;
}

}  // namespace

const std::vector<DataSet>& data_sets() {
  static const std::vector<DataSet> sets = read_catalogue();
  return sets;
}

const DataSet& data_set(std::string_view name) {
  std::vector<std::string> known;
  for (const DataSet& set : data_sets()) {
    if (set.name == name) return set;
    known.push_back(set.name);
  }
  throw Error(ErrorKind::usage, "data.unknown", "no data set '" + std::string(name) + "' in the catalogue", suggestion(name, known));
}

fs::path fetched_path(const DataSet& set) {
  fs::path base;
  if (const char* data_home = environment("XDG_DATA_HOME")) {
    base = data_home;
  } else if (const char* home = environment("HOME")) {
    base = fs::path(home) / ".local" / "share";
  } else {
    throw Error(ErrorKind::usage, "data.no_home", "neither XDG_DATA_HOME nor HOME is set, so there is no folder for fetched data",
                "set one of them, or give a folder: tenon data fetch " + set.name + " --to DIR");
  }
  return base / "tenon" / "data" / set.name;
}

std::optional<fs::path> locate(const DataSet& set) {
  std::error_code failed;
  if (set.sample) {
    fs::path path = catalogue_directory() / set.path;
    return fs::is_directory(path, failed) ? std::optional(fs::weakly_canonical(path)) : std::nullopt;
  }
  if (const char* root = environment("TENON_DATA"))
    if (fs::path path = fs::path(root) / set.path; fs::is_directory(path, failed)) return fs::weakly_canonical(path);
  if (environment("XDG_DATA_HOME") || environment("HOME"))
    if (fs::path path = fetched_path(set); fs::is_directory(path, failed)) return fs::weakly_canonical(path);
  return std::nullopt;
}

fs::path resolve_data_path(std::string_view reference) {
  std::string_view rest = reference.substr(reference.find(':') + 1);
  const std::size_t slash = rest.find('/');
  const DataSet& set = data_set(rest.substr(0, slash));
  const std::optional<fs::path> root = locate(set);
  if (!root) {
    std::string hint = set.sample ? "install again: the sample ships with the toolkit"
                     : set.url.empty() ? "get its files from " + set.page + " (tenon data info " + set.name + ") and set TENON_DATA to a folder that holds " + set.path.string()
                                  : "get it with 'tenon data fetch " + set.name + "', or set TENON_DATA to a folder that holds " + set.path.string();
    for (const DataSet& other : data_sets())
      if (other.sample && other.name == set.name + "-sample") hint += "; for a first try there is data:" + other.name;
    throw Error(ErrorKind::data, "data.absent", "data set '" + set.name + "' is not on this machine", hint);
  }
  return slash == std::string_view::npos ? *root : *root / rest.substr(slash + 1);
}

std::vector<Checksum> read_checksums(const fs::path& file) {
  std::vector<Checksum> out;
  std::istringstream lines(read_text(file));
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    if (line.empty()) continue;
    const bool good = line.size() > 66 && line.find_first_not_of("0123456789abcdef") == 64 && line[64] == ' ' && (line[65] == ' ' || line[65] == '*');
    if (!good)
      throw Error(ErrorKind::data, "data.checksums", "not a line of SHA256SUMS: '" + line + "'", "install again, or make the file with sha256sum",
                  file.string() + ":" + std::to_string(number));
    out.push_back({line.substr(66), line.substr(0, 64)});
  }
  return out;
}

}  // namespace tenon
