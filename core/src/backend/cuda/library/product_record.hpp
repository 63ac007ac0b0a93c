/// How the choice of a product's algorithm is written down: plain text, without the library (private).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "backend/cuda/product.hpp"

namespace tenon::cuda {

/// An algorithm as cuBLASLt lets it be kept: the bytes of its cublasLtMatmulAlgo_t, good for one version of the library.
using AlgorithmBytes = std::array<std::uint64_t, 8>;

/// A choice is made among algorithms that give the bits of the one that the library proposes first; where it proposes another one first,
/// the choice no longer stands.
struct ProductRecord {
  AlgorithmBytes first{}, chosen{};
};

/// Everything that the choice depends on beside device and library. `bias_inside`: the library adds it.
std::string product_key(const ProductShape& shape, bool tf32, bool bias_inside, std::size_t workspace_bytes);

std::string written(const ProductRecord& record);
/// Nothing where the text is no record.
std::optional<ProductRecord> read_record(const std::string& text);

}  // namespace tenon::cuda
