/// What a reader gave must be what it gives again after being written.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "tenon/tensor.hpp"

namespace fuzz {

inline void require_same(const tenon::Tensor& a, const tenon::Tensor& b) {
  if (a.dtype() == b.dtype() && a.shape() == b.shape() && (a.nbytes() == 0 || std::memcmp(a.raw(), b.raw(), a.nbytes()) == 0)) return;
  std::fprintf(stderr, "%s came back as %s, or with other values\n", a.str().c_str(), b.str().c_str());
  std::abort();
}

inline void require_same(const std::vector<std::pair<std::string, tenon::Tensor>>& a,
                         const std::vector<std::pair<std::string, tenon::Tensor>>& b) {
  if (a.size() != b.size()) std::abort();
  for (const auto& [name, tensor] : a)
    for (const auto& [other_name, other] : b)
      if (name == other_name) require_same(tensor, other);
}

}  // namespace fuzz
