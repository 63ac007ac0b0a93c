/// Nucleotide letters: A 0, C 1, G 2, T 3; U counts as T; N and the other IUPAC codes are 4, which encodes to zeros.
///
/// Letters are taken in either case. An encoded sequence is one byte a base, in a `u8` tensor of `[N, L]`.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace tenon::genomics {

inline constexpr std::uint8_t kUnknownBase = 4;  ///< N and IUPAC codes of several bases
inline constexpr std::uint8_t kNoBase = 255;     ///< not a nucleotide letter

namespace detail {
constexpr std::array<std::uint8_t, 256> base_codes() {
  std::array<std::uint8_t, 256> t{};
  for (auto& v : t) v = kNoBase;
  for (char c : std::string_view("RYSWKMBDHVN")) t[std::uint8_t(c)] = t[std::uint8_t(c | 32)] = kUnknownBase;
  std::uint8_t code = 0;
  for (char c : std::string_view("ACGT")) t[std::uint8_t(c)] = t[std::uint8_t(c | 32)] = code++;
  t['U'] = t['u'] = 3;
  return t;
}
constexpr std::array<char, 256> complements() {
  std::array<char, 256> t{};
  constexpr std::string_view from = "ACGTURYSWKMBDHVN", to = "TGCAAYRSWMKVHDBN";
  for (std::size_t i = 0; i < from.size(); ++i) {
    t[std::uint8_t(from[i])] = to[i];
    t[std::uint8_t(from[i] | 32)] = char(to[i] | 32);
  }
  return t;
}
}  // namespace detail

inline constexpr std::array<std::uint8_t, 256> kBaseCode = detail::base_codes();
/// Complement of each letter by the full IUPAC table, case kept; 0 for what is no nucleotide.
inline constexpr std::array<char, 256> kComplement = detail::complements();

constexpr std::uint8_t base_code(char letter) { return kBaseCode[std::uint8_t(letter)]; }
constexpr char base_letter(std::uint8_t code) { return "ACGTN"[code < 4 ? code : 4]; }
/// 0..3 to its complement, 4 stays 4.
constexpr std::uint8_t complement_code(std::uint8_t code) { return code < 4 ? std::uint8_t(3 - code) : code; }

/// The other strand, read from its own start. Letters outside IUPAC are a usage error: check them first.
std::string reverse_complement(std::string_view sequence);

/// Throws genomics.letter at the first letter that is no nucleotide, naming it and its position counted from 1; sequences that
/// look like protein are said to. `where` names file and record.
void require_nucleotides(std::string_view sequence, const std::string& where);

}  // namespace tenon::genomics
