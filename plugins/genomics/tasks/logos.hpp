/// Sequence logos of first-layer filters: what letters make a filter answer.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "genomics/models/sequence_net.hpp"
#include "tenon/task.hpp"

namespace tenon::genomics {

/// Letters at each place of a motif: frequencies of A, C, G, T and their information, 2 + sum f log2 f bits less the small-sample
/// correction 3 / (2 ln 2 sites), not below 0 (Schneider and Stephens 1990).
struct Motif {
  std::int64_t filter = 0, sites = 0;
  std::vector<std::array<double, 4>> frequency;
  std::vector<double> bits;
  double total() const;
  std::string consensus() const;  ///< upper case where a place has at least 1 bit, lower from 0.25, '.' below
};

/// Per filter: the windows that make it answer with more than half of its largest answer over `codes` [N, L] (Kelley et al. 2016), by
/// falling information. Filters that never answer above 0, or in fewer than `least` windows, are left out.
std::vector<Motif> filter_motifs(const SequenceNet& net, const Tensor& codes, std::int64_t least = 10);

/// Letters stacked by frequency, the stack as high as its information (2 bits fill the picture), the most frequent on top.
Picture draw_logo(const Motif& motif);

/// The most informative filters as pictures, captions with sites, bits and the class in which the filter's windows lie most.
std::vector<Picture> filter_logos(const SequenceNet& net, const Tensor& codes, std::span<const std::int64_t> truth,
                                  const std::vector<std::string>& classes);

}  // namespace tenon::genomics
