#include "files.hpp"
#include "round_trip.hpp"
#include "target.hpp"
#include "tenon/io/npz.hpp"

using namespace tenon;

const std::size_t fuzz::kMemoryPerByte = 4 * 1032;  // deflate's own limit, and as .npy

std::vector<std::string> fuzz::corpus() {
  MemoryFiles files;
  std::vector<std::string> all;
  const Tensor x = Tensor::arange(6, DType::i16).reshape({2, 3}), y = Tensor::zeros({500}, DType::f32), z = Tensor::full({}, 1, DType::f64);
  for (NpzCompression compression : {NpzCompression::stored, NpzCompression::deflated})
    for (const auto& tensors :
         std::vector<std::vector<std::pair<std::string, Tensor>>>{{}, {{"x", x}}, {{"x", x}, {"zeros", y}, {"scale", z}}}) {
      save_npz("a", tensors, compression);
      all.push_back(files["a"]);
    }
  return all;
}

void fuzz::read(const std::string& bytes) {
  MemoryFiles files;
  files["in"] = bytes;
  const auto in = load_npz("in", std::uint64_t(1) << 30);
  for (const auto& [name, tensor] : in)
    if (name.empty()) return;  // numpy writes none, so save_npz does not either
  save_npz("out", in, NpzCompression::deflated);
  require_same(in, load_npz("out"));
}
