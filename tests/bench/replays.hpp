/// Timing of recorded steps, and sizes on the command line: what attention_bench and recurrent_bench share.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "backend/backend.hpp"
#include "tenon/dtype.hpp"
#include "tenon/plan.hpp"

namespace bench {

/// Milliseconds a replay, of each round of as many replays as fit into 0.05 s, the smallest first.
inline std::vector<double> replay_times(const tenon::StepPlan& plan, int rounds) {
  const auto now = [] { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); };
  const auto replay = [&](int times) {
    const double begin = now();
    for (int i = 0; i < times; ++i) plan.run();
    tenon::wait_for_device();
    return now() - begin;
  };
  replay(3);  // launch by launch, captured, replayed
  const int times = std::max(1, int(0.05 / replay(1)));
  std::vector<double> all;
  for (int i = 0; i < rounds; ++i) all.push_back(replay(times) * 1e3 / times);
  std::sort(all.begin(), all.end());
  return all;
}

/// "4x16x2048x64,..."; ends the program where `text` is none of `names`, as "BATCHxHEADS...".
inline std::vector<std::array<long long, 4>> four_sizes(const std::string& text, const char* names) {
  std::vector<std::array<long long, 4>> all;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    std::array<long long, 4> s{};
    if (std::sscanf(text.substr(at, end - at).c_str(), "%lldx%lldx%lldx%lld", &s[0], &s[1], &s[2], &s[3]) != 4) {
      std::fprintf(stderr, "a size is %s, not %s\n", names, text.substr(at, end - at).c_str());
      std::exit(2);
    }
    all.push_back(s);
    at = end + 1;
  }
  return all;
}

inline tenon::DType float_type(const std::string& name) { return name == "f32" ? tenon::DType::f32 : name == "f16" ? tenon::DType::f16 : tenon::DType::bf16; }

}  // namespace bench
