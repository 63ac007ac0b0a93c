/// The channel sums that a weight gradient delivers beside the weights, as tasks of their own (private).
#pragma once

#include <algorithm>

#include "backend/conv_geometry.hpp"
#include "backend/cpu/channel_sums.hpp"

namespace tenon::cpu {

/// Usage: run(i, ...) for every i in [0, tasks()), in any order and on any thread, then finish.
class ConvChannelSums {
 public:
  ConvChannelSums(const ConvGeometry& g, ConvSums which) : which_(which) {
    if (which == ConvSums::none) return;
    channels_ = which == ConvSums::of_y ? g.out_channels : g.in_channels;
    voxels_ = g.batch * (which == ConvSums::of_y ? g.out_voxels() : g.in_voxels());
  }

  std::int64_t tasks() const { return (voxels_ + kVoxelsATask - 1) / kVoxelsATask; }
  std::size_t workspace_bytes() const { return std::size_t(tasks() * channels_) * sizeof(double); }

  template <class T>
  void run(std::int64_t task, const T* x, const T* y, double* workspace) const {
    std::int64_t first = task * kVoxelsATask;
    channel_sums((which_ == ConvSums::of_x ? x : y) + first * channels_, std::min(kVoxelsATask, voxels_ - first), channels_,
                 workspace + task * channels_);
  }
  void finish(const double* workspace, float* sums) const {
    for (std::int64_t c = 0; c < channels_; ++c) {
      double total = 0;
      for (std::int64_t task = 0; task < tasks(); ++task) total += workspace[task * channels_ + c];
      sums[c] = float(total);
    }
  }

 private:
  static constexpr std::int64_t kVoxelsATask = 4096;
  ConvSums which_;
  std::int64_t channels_ = 0, voxels_ = 0;
};

}  // namespace tenon::cpu
