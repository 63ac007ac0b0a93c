/// The random stream of a parameter (private).
#pragma once

#include <cstdint>
#include <string>

namespace tenon::nn {

/// FNV-1a: a parameter's random stream is its name, so adding a layer does not change the others' first values.
inline std::uint64_t stream_of(const std::string& name) {
  std::uint64_t h = 14695981039346656037ull;
  for (unsigned char c : name) h = (h ^ c) * 1099511628211ull;
  return h;
}

}  // namespace tenon::nn
