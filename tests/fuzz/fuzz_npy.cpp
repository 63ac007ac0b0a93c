#include "files.hpp"
#include "round_trip.hpp"
#include "target.hpp"
#include "tenon/io/npy.hpp"

using namespace tenon;

const std::size_t fuzz::kMemoryPerByte = 4;  // the file, its tensor, a second one in C order, and rounding

std::vector<std::string> fuzz::corpus() {
  MemoryFiles files;
  std::vector<std::string> all;
  for (const Tensor& x : {Tensor::arange(6, DType::i16).reshape({2, 3}), Tensor::zeros({4}, DType::boolean),
                          Tensor::full({}, 2.5, DType::f64), Tensor::zeros({3, 0, 2})}) {
    save_npy("a", x);
    all.push_back(files["a"]);
  }
  std::string fortran = all[0];
  fortran.replace(fortran.find("False"), 6, "True, ");
  all.push_back(fortran);
  return all;
}

void fuzz::read(const std::string& bytes) {
  MemoryFiles files;
  files["in"] = bytes;
  const Tensor x = load_npy("in");
  save_npy("out", x);
  require_same(x, load_npy("out"));
}
