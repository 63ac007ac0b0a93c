/// A genome in memory: two bits a base, and runs of what two bits cannot say (N and the other codes, lower case).
///
/// Read once from front to back; afterwards nothing seeks in a file, so any number of threads may cut windows. Human: about 0.8 GB.
/// Coordinates are 0-based and half-open, int64.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tenon/random.hpp"
#include "tenon/tensor.hpp"

namespace tenon::genomics {

/// What to do where a window passes the end of a contig.
enum class Pad { error, n };

class Genome {
 public:
  /// Errors: those of visit_fasta with random access; genomics.stale_index for a .fai or .gzi that is not the file's.
  static Genome read(const std::filesystem::path& fasta);

  std::size_t contigs() const noexcept { return contigs_.size(); }
  const std::string& name(std::size_t contig) const { return contigs_.at(contig).name; }
  std::int64_t length(std::size_t contig) const { return contigs_.at(contig).length; }
  /// Index of a contig; throws genomics.contig that names the nearest. `aliases`: "chr1" and "1" mean each other.
  std::size_t find(std::string_view name, bool aliases = false) const;
  bool has(std::string_view name, bool aliases = false) const;

  /// Letters of [begin, end) as the file has them, case and IUPAC codes included. What lies outside the contig is 'N' where `pad` says so, else
  /// an error (genomics.region). `padded`, if given, is raised by the number of those.
  std::string letters(std::size_t contig, std::int64_t begin, std::int64_t end, Pad pad = Pad::error, std::int64_t* padded = nullptr) const;
  /// The same as codes: 0..3, 4 for N and IUPAC codes and for padding. `out` holds end - begin.
  void codes(std::size_t contig, std::int64_t begin, std::int64_t end, std::span<std::uint8_t> out, Pad pad = Pad::error, std::int64_t* padded = nullptr) const;

  /// Bytes that the sequences take.
  std::int64_t memory() const noexcept;

 private:
  friend class WindowSampler;
  struct Run {
    std::int64_t begin = 0, end = 0;
    char letter = 'N';
  };
  struct Contig {
    std::string name;
    std::int64_t length = 0;
    std::vector<std::uint64_t> words;  ///< 32 bases each, first base in the low bits
    std::vector<Run> others;           ///< letters that are not A, C, G, T, in upper case
    std::vector<Run> lower;            ///< stretches in lower case
    void append(std::string_view letters);
  };
  std::pair<std::int64_t, std::int64_t> inside(std::size_t contig, std::int64_t begin, std::int64_t end, Pad pad, std::int64_t* padded) const;

  std::filesystem::path path_;
  std::vector<Contig> contigs_;
  std::unordered_map<std::string, std::size_t> by_name_;
};

struct Window {
  std::size_t contig = 0;
  std::int64_t begin = 0, end = 0;
};
/// The window of length L about position p: [p - L/2, p - L/2 + L), so that p stands at index L/2.
inline Window window_about(std::size_t contig, std::int64_t position, std::int64_t length) { return {contig, position - length / 2, position - length / 2 + length}; }

/// Random windows without unknown bases: window `i` depends on the seed and on `i` alone, so that any thread draws any of them and a
/// step can be replayed. Every place where such a window fits is equally likely.
class WindowSampler {
 public:
  /// The genome must outlive the sampler. Throws genomics.region where no window fits.
  WindowSampler(const Genome& genome, std::int64_t length, Random random);
  Window at(std::uint64_t index) const;
  std::int64_t places() const noexcept { return places_.empty() ? 0 : places_.back().until; }
  /// Windows first, first + 1, ... as codes, u8 [count, L].
  Tensor codes(std::uint64_t first, std::int64_t count) const;

 private:
  struct Place {
    std::int64_t until = 0;  ///< places up to the end of this stretch
    std::size_t contig = 0;
    std::int64_t begin = 0;  ///< first start
  };
  const Genome& genome_;
  std::int64_t length_;
  Random random_;
  std::vector<Place> places_;
};

}  // namespace tenon::genomics
