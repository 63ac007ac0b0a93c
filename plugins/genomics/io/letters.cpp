#include "genomics/io/letters.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "tenon/error.hpp"

namespace tenon::genomics {
namespace {

std::string shown(char c) {
  auto u = std::uint8_t(c);
  return u > 32 && u < 127 ? fmt::format("'{}'", c) : fmt::format("byte 0x{:02x}", u);
}

/// Letters that occur in proteins and never in nucleotide sequences.
bool looks_like_protein(std::string_view sequence) {
  auto only_protein = std::count_if(sequence.begin(), sequence.end(), [](char c) { return std::string_view("EFILPQefilpq").find(c) != std::string_view::npos; });
  bool letters = std::all_of(sequence.begin(), sequence.end(), [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '*' || c == '-'; });
  return letters && only_protein * 10 > std::int64_t(sequence.size());
}

}  // namespace

std::string reverse_complement(std::string_view sequence) {
  std::string out(sequence.size(), 'N');
  for (std::size_t i = 0; i < sequence.size(); ++i) {
    char c = kComplement[std::uint8_t(sequence[sequence.size() - 1 - i])];
    if (c == 0) throw_usage("reverse_complement", "position " + std::to_string(sequence.size() - i) + " holds no nucleotide letter", "check with require_nucleotides first");
    out[i] = c;
  }
  return out;
}

void require_nucleotides(std::string_view sequence, const std::string& where) {
  auto bad = std::find_if(sequence.begin(), sequence.end(), [](char c) { return base_code(c) == kNoBase; });
  if (bad == sequence.end()) return;
  auto position = bad - sequence.begin() + 1;
  if (looks_like_protein(sequence)) {
    throw Error(ErrorKind::data, "genomics.protein", fmt::format("{} at position {} is no nucleotide; the sequence looks like protein", shown(*bad), position),
                "give a nucleotide sequence (A C G T U and the IUPAC codes)", where);
  }
  throw Error(ErrorKind::data, "genomics.letter", fmt::format("{} at position {} is no nucleotide letter", shown(*bad), position),
              "only A C G T U and the IUPAC codes R Y S W K M B D H V N may stand in a sequence, in either case", where);
}

}  // namespace tenon::genomics
