#include "genomics/io/fastq.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "genomics/io/letters.hpp"
#include "genomics/io/text_input.hpp"
#include "tenon/error.hpp"

namespace tenon::genomics {

std::uint64_t visit_fastq(const std::filesystem::path& path, const std::function<void(const FastqRecord&)>& visit) {
  TextInput text(path);
  std::string header, sequence;
  std::string_view line;
  std::uint64_t records = 0;
  auto fail = [&](const std::string& what, const std::string& hint = "the file is damaged or was cut: copy or write it again") {
    throw Error(ErrorKind::data, "genomics.fastq", fmt::format("record {}: {}", records + 1, what), hint, text.where());
  };
  auto next = [&](const char* wanted) {
    if (!text.next(line)) fail(fmt::format("the file ends where {} must stand", wanted));
  };
  while (text.next(line)) {
    if (line.empty()) {  // blank lines may end the file
      const auto blank = text.line_number();
      while (text.next(line))
        if (!line.empty()) throw Error(ErrorKind::data, "genomics.fastq", fmt::format("record {}: a blank line where '@' must stand", records + 1), "remove it", text.where(blank));
      break;
    }
    if (line.front() != '@') fail(fmt::format("the header begins with '{}' in place of '@'", line.substr(0, 1)), records ? "is the record before it four lines long?" : "is it FASTQ?");
    header = line.substr(1);
    next("the sequence");
    sequence = line;
    require_nucleotides(sequence, fmt::format("{}: record {}", text.where(), records + 1));
    next("the '+' line");
    if (line.empty() || line.front() != '+') fail("the third line does not begin with '+'", "each record is four lines: @name, sequence, +, qualities");
    if (line.size() > 1 && line.substr(1) != header) fail("the '+' line repeats another name than the header's", "each record is four lines: @name, sequence, +, qualities");
    next("the qualities");
    if (line.size() != sequence.size()) fail(fmt::format("{} qualities for {} bases", line.size(), sequence.size()));
    if (auto bad = std::find_if(line.begin(), line.end(), [](unsigned char c) { return c < 33 || c > 126; }); bad != line.end()) {
      fail(fmt::format("quality byte {} in column {} is outside 33 to 126 ({})", int(std::uint8_t(*bad)), bad - line.begin() + 1, text.place(std::size_t(bad - line.begin()))));
    }
    ++records;
    if (visit) {
      const std::string_view name = std::string_view(header).substr(0, header.find_first_of(" \t"));
      visit({name, sequence, line, records});
    }
  }
  if (records == 0) throw Error(ErrorKind::data, "genomics.fastq", "the file holds no record", "", path.string());
  return records;
}

}  // namespace tenon::genomics
