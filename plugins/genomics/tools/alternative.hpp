/// The sequence that a variant makes of the reference.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "genomics/io/genome.hpp"

namespace tenon::genomics {

/// A variant of one allele: `ref` stands at 0-based `position` of `contig` and becomes `alt`. SNV, insertion, deletion, block.
struct Allele {
  std::size_t contig = 0;
  std::int64_t position = 0;
  std::string ref, alt;
};

/// How REF meets the genome.
enum class RefMatch {
  equal,
  strand,  ///< REF's reverse complement stands there: both alleles are read from the other strand
  swap,    ///< ALT stands there: the two are exchanged
  none
};
/// Letters compared without case. `flip`: also tries the other strand, then the exchange, and puts `allele` right.
RefMatch match_reference(const Genome& genome, Allele& allele, bool flip);

/// The window of the reference about the variant, [position - L/2, position - L/2 + L), as letters in upper case.
std::string reference_window(const Genome& genome, const Allele& allele, std::int64_t length, Pad pad, std::int64_t* padded = nullptr);
/// The same window with ALT in place of REF: its left edge stays, and the right is filled or cut from the reference so that it is as long.
std::string alternative_window(const Genome& genome, const Allele& allele, std::int64_t length, Pad pad, std::int64_t* padded = nullptr);
/// A whole haplotype: `sequence` with ALT in place of REF; its length changes with theirs.
std::string apply_allele(std::string_view sequence, const Allele& allele);

}  // namespace tenon::genomics
