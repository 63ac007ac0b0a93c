#include "tenon/nn/embedding.hpp"

#include "tenon/embedding.hpp"
#include "tenon/error.hpp"

namespace tenon::nn {

Embedding::Embedding(std::int64_t rows, std::int64_t channels, std::int64_t padding) : padding_(padding) {
  if (rows < 1 || channels < 1 || padding >= rows)
    throw_usage("Embedding",
                std::to_string(rows) + " rows of " + std::to_string(channels) + " channels, padding row " + std::to_string(padding));
  weight = add_parameter("weight", {rows, channels}, {Init::Kind::normal, 1});
}

Tensor Embedding::forward(const Tensor& indices) {
  return embedding(weight, indices, padding_);
}

}  // namespace tenon::nn
