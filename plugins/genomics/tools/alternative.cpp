#include "genomics/tools/alternative.hpp"

#include <algorithm>

#include "genomics/io/letters.hpp"
#include "tenon/error.hpp"

namespace tenon::genomics {
namespace {

std::string upper(std::string s) {
  for (char& c : s) c = char(c & ~32);
  return s;
}

bool stands_at(const Genome& genome, const Allele& allele, std::string_view letters) {
  const std::int64_t end = allele.position + std::int64_t(letters.size());
  if (allele.position < 0 || end > genome.length(allele.contig)) return false;
  return upper(genome.letters(allele.contig, allele.position, end)) == upper(std::string(letters));
}

}  // namespace

RefMatch match_reference(const Genome& genome, Allele& allele, bool flip) {
  if (stands_at(genome, allele, allele.ref)) return RefMatch::equal;
  if (!flip) return RefMatch::none;
  if (stands_at(genome, allele, reverse_complement(allele.ref))) {
    allele.ref = reverse_complement(allele.ref);
    allele.alt = reverse_complement(allele.alt);
    return RefMatch::strand;
  }
  if (stands_at(genome, allele, allele.alt)) {
    std::swap(allele.ref, allele.alt);
    return RefMatch::swap;
  }
  return RefMatch::none;
}

std::string reference_window(const Genome& genome, const Allele& allele, std::int64_t length, Pad pad, std::int64_t* padded) {
  const Window w = window_about(allele.contig, allele.position, length);
  return upper(genome.letters(w.contig, w.begin, w.end, pad, padded));
}

std::string alternative_window(const Genome& genome, const Allele& allele, std::int64_t length, Pad pad, std::int64_t* padded) {
  if (length < 1) throw_usage("alternative_window", "a window needs at least one base");
  const Window w = window_about(allele.contig, allele.position, length);
  std::string out = genome.letters(w.contig, w.begin, allele.position, pad, padded) + allele.alt;
  if (std::int64_t(out.size()) < length) {
    const std::int64_t from = allele.position + std::int64_t(allele.ref.size());
    out += genome.letters(w.contig, from, from + length - std::int64_t(out.size()), pad, padded);
  }
  out.resize(std::size_t(length));
  return upper(std::move(out));
}

std::string apply_allele(std::string_view sequence, const Allele& allele) {
  const auto at = std::size_t(allele.position);
  if (allele.position < 0 || at + allele.ref.size() > sequence.size()) throw_usage("apply_allele", "the variant lies outside the sequence");
  return std::string(sequence.substr(0, at)) + allele.alt + std::string(sequence.substr(at + allele.ref.size()));
}

}  // namespace tenon::genomics
