#include "finance/io/format.hpp"

#include "finance/io/csv.hpp"
#include "finance/panel/panel.hpp"
#include "tenon/error.hpp"

namespace tenon::finance {

FormatEntry csv_format() {
  FormatEntry e;
  e.name = "csv";
  e.help = "CSV, plain or gzip, typed and validated; its number columns by time";
  e.extensions = {".csv.gz", ".csv"};
  e.sniff = [extensions = e.extensions](const std::filesystem::path& path, std::span<const std::byte>) {
    const std::string name = path.filename().string();
    for (const auto& x : extensions)
      if (name.ends_with(x)) return true;
    return false;
  };
  e.read = [](const std::filesystem::path& path, const ParamValues&) { return to_labelled(panel_of(read_csv(path), {}, false)); };
  return e;
}

}  // namespace tenon::finance
