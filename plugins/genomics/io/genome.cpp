#include "genomics/io/genome.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "genomics/io/fasta.hpp"
#include "genomics/io/letters.hpp"
#include "tenon/error.hpp"
#include "tenon/kernel.hpp"
#include "tenon/params.hpp"

namespace tenon::genomics {
namespace {

/// First run that ends after `position`.
template <class Runs>
auto run_at(const Runs& runs, std::int64_t position) {
  return std::partition_point(runs.begin(), runs.end(), [&](const auto& run) { return run.end <= position; });
}

/// "chr1" of "1" and "1" of "chr1".
std::string other_name(std::string_view name) { return name.starts_with("chr") ? std::string(name.substr(3)) : "chr" + std::string(name); }

}  // namespace

void Genome::Contig::append(std::string_view letters) {
  for (char letter : letters) {
    const char upper = char(letter & ~32);
    std::uint8_t code = base_code(letter);
    if (code > 3 || upper == 'U') {
      if (!others.empty() && others.back().end == length && others.back().letter == upper) ++others.back().end;
      else others.push_back({length, length + 1, upper});
      code = 0;
    }
    if (letter & 32) {
      if (!lower.empty() && lower.back().end == length) ++lower.back().end;
      else lower.push_back({length, length + 1, ' '});
    }
    if (length % 32 == 0) words.push_back(0);
    words.back() |= std::uint64_t(code) << (2 * (length % 32));
    ++length;
  }
}

Genome Genome::read(const std::filesystem::path& fasta) {
  Genome genome;
  genome.path_ = fasta;
  FastaVisitor visitor;
  visitor.record = [&](std::string_view name, std::uint64_t) {
    genome.by_name_.emplace(std::string(name), genome.contigs_.size());
    genome.contigs_.emplace_back();
    genome.contigs_.back().name = std::string(name);
  };
  visitor.bases = [&](std::string_view letters) { genome.contigs_.back().append(letters); };
  visit_fasta(fasta, true, visitor);
  for (auto& contig : genome.contigs_) contig.words.shrink_to_fit();
  return genome;
}

bool Genome::has(std::string_view name, bool aliases) const {
  return by_name_.count(std::string(name)) != 0 || (aliases && by_name_.count(other_name(name)) != 0);
}

std::size_t Genome::find(std::string_view name, bool aliases) const {
  if (auto it = by_name_.find(std::string(name)); it != by_name_.end()) return it->second;
  const std::string other = other_name(name);
  auto alias = by_name_.find(other);
  if (aliases && alias != by_name_.end()) return alias->second;
  std::vector<std::string> names;
  for (const auto& contig : contigs_) names.push_back(contig.name);
  std::string hint = suggestion(name, names);
  if (alias != by_name_.end()) hint = "the genome has '" + other + "'; --aliases takes one for the other";
  throw Error(ErrorKind::data, "genomics.contig", fmt::format("there is no contig '{}'", name), hint, path_.string());
}

std::pair<std::int64_t, std::int64_t> Genome::inside(std::size_t contig, std::int64_t begin, std::int64_t end, Pad pad, std::int64_t* padded) const {
  const auto& c = contigs_.at(contig);
  if (begin > end) throw_usage("Genome", fmt::format("the window [{}, {}) ends before it begins", begin, end));
  if (begin >= 0 && end <= c.length) return {begin, end};
  if (pad == Pad::error) {
    throw Error(ErrorKind::data, "genomics.region", fmt::format("{}:{}-{} passes the end of the contig, which has {} bases", c.name, begin + 1, end, c.length),
                "ask for less, or give --pad=N to fill with N", path_.string());
  }
  const std::int64_t from = std::clamp<std::int64_t>(begin, 0, c.length), to = std::clamp(end, from, std::max(from, c.length));
  if (padded) *padded += (end - begin) - (to - from);
  return {from, to};
}

std::string Genome::letters(std::size_t contig, std::int64_t begin, std::int64_t end, Pad pad, std::int64_t* padded) const {
  const auto [from, to] = inside(contig, begin, end, pad, padded);
  const auto& c = contigs_[contig];
  std::string out(std::size_t(end - begin), 'N');
  char* p = out.data() - begin;
  for (std::int64_t i = from; i < to; ++i) p[i] = "ACGT"[c.words[std::size_t(i / 32)] >> (2 * (i % 32)) & 3];
  for (auto run = run_at(c.others, from); run != c.others.end() && run->begin < to; ++run)
    std::fill(p + std::max(from, run->begin), p + std::min(to, run->end), run->letter);
  for (auto run = run_at(c.lower, from); run != c.lower.end() && run->begin < to; ++run)
    for (std::int64_t i = std::max(from, run->begin); i < std::min(to, run->end); ++i) p[i] = char(p[i] | 32);
  return out;
}

void Genome::codes(std::size_t contig, std::int64_t begin, std::int64_t end, std::span<std::uint8_t> out, Pad pad, std::int64_t* padded) const {
  const auto [from, to] = inside(contig, begin, end, pad, padded);
  if (std::int64_t(out.size()) != end - begin) throw_usage("Genome::codes", fmt::format("room for {} codes, the window has {}", out.size(), end - begin));
  const auto& c = contigs_[contig];
  std::uint8_t* p = out.data() - begin;
  std::fill(p + begin, p + from, kUnknownBase);
  std::fill(p + to, p + end, kUnknownBase);
  for (std::int64_t i = from; i < to; ++i) p[i] = std::uint8_t(c.words[std::size_t(i / 32)] >> (2 * (i % 32)) & 3);
  for (auto run = run_at(c.others, from); run != c.others.end() && run->begin < to; ++run)
    std::fill(p + std::max(from, run->begin), p + std::min(to, run->end), base_code(run->letter));
}

std::int64_t Genome::memory() const noexcept {
  std::int64_t bytes = 0;
  for (const auto& c : contigs_) bytes += std::int64_t(c.words.size() * 8 + (c.others.capacity() + c.lower.capacity()) * sizeof(Run));
  return bytes;
}

WindowSampler::WindowSampler(const Genome& genome, std::int64_t length, Random random) : genome_(genome), length_(length), random_(random) {
  if (length < 1) throw_usage("WindowSampler", fmt::format("a window of {} bases", length));
  std::int64_t total = 0;
  for (std::size_t c = 0; c < genome.contigs(); ++c) {
    auto stretch = [&](std::int64_t begin, std::int64_t end) {
      if (end - begin < length) return;
      total += end - begin - length + 1;
      places_.push_back({total, c, begin});
    };
    std::int64_t begin = 0;
    for (const auto& run : genome.contigs_[c].others) {
      if (base_code(run.letter) != kUnknownBase) continue;
      stretch(begin, run.begin);
      begin = run.end;
    }
    stretch(begin, genome.length(c));
  }
  if (places_.empty()) {
    throw Error(ErrorKind::data, "genomics.region", fmt::format("no window of {} bases without N fits into the genome", length), "take shorter windows", genome.path_.string());
  }
}

Window WindowSampler::at(std::uint64_t index) const {
  const auto draw = std::int64_t(random_.below(index, std::uint64_t(places_.back().until)));
  const auto place = std::partition_point(places_.begin(), places_.end(), [&](const Place& p) { return p.until <= draw; });
  const std::int64_t before = place == places_.begin() ? 0 : std::prev(place)->until;
  const std::int64_t begin = place->begin + draw - before;
  return {place->contig, begin, begin + length_};
}

Tensor WindowSampler::codes(std::uint64_t first, std::int64_t count) const {
  Tensor out = Tensor::empty({count, length_}, DType::u8);
  auto* p = out.data<std::uint8_t>();
  parallel_blocks(count, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const Window w = at(first + std::uint64_t(i));
      genome_.codes(w.contig, w.begin, w.end, {p + i * length_, std::size_t(length_)});
    }
  });
  return out;
}

}  // namespace tenon::genomics
