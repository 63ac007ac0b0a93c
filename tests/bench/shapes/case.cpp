#include "case.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <stdexcept>

#include "tenon/complex.hpp"

namespace shapes {

using tenon::DType;
using tenon::Shape;
using tenon::Tensor;

namespace {

/// Element i of input `number` in [0, 1): splitmix64 (Steele, Lea, Flood 2014), the same in either program.
double uniform(std::uint64_t number, std::uint64_t i) {
  std::uint64_t z = (i + (number << 40) + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return double((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

DType type_named(const std::string& name) {
  static const std::map<std::string, DType> all = {{"f32", DType::f32}, {"f64", DType::f64}, {"f16", DType::f16}, {"bf16", DType::bf16},
                                                   {"u8", DType::u8},   {"i32", DType::i32}, {"i64", DType::i64}, {"bool", DType::boolean},
                                                   {"c64", DType::c64}};
  const auto it = all.find(name);
  if (it == all.end()) throw std::invalid_argument("no such type: " + name);
  return it->second;
}

std::vector<std::string> parts(const std::string& text, char between) {
  std::vector<std::string> out;
  std::stringstream in(text);
  for (std::string part; std::getline(in, part, between);) out.push_back(part);
  return out;
}

/// The lower triangle's values of [-2, 2) in either, and 4 sqrt(n) more on the diagonal.
void make_definite(std::vector<double>& values, std::int64_t n) {
  for (double* m = values.data(); m < values.data() + values.size(); m += n * n)
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = 0; j < i; ++j) m[j * n + i] = m[i * n + j];
      m[i * n + i] += 4 * std::sqrt(double(n));
    }
}

Tensor input(const std::string& token, std::uint64_t number) {
  const std::size_t open = token.find('['), close = token.find(']');
  const std::size_t kind_at = token.find_first_of("+~<@[");
  if (open == std::string::npos || close == std::string::npos) throw std::invalid_argument("not an input: " + token);
  const DType type = type_named(token.substr(0, kind_at));
  const std::string kind = token.substr(kind_at, open - kind_at);
  const bool swapped = token.substr(close + 1) == "^";
  std::vector<std::int64_t> sizes;
  for (const std::string& s : parts(token.substr(open + 1, close - open - 1), ',')) sizes.push_back(std::stoll(s));
  if (swapped) std::swap(sizes[sizes.size() - 1], sizes[sizes.size() - 2]);
  if (type == DType::c64) sizes.push_back(2);
  std::int64_t count = 1;
  for (std::int64_t s : sizes) count *= s;
  std::vector<double> values(std::size_t(count), 0.0);
  const double below = kind.rfind('<', 0) == 0 ? std::stod(kind.substr(1)) : type == DType::boolean ? 2 : 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const double u = uniform(number, std::uint64_t(i));
    values[std::size_t(i)] = kind == "+" ? 0.1 + u : below > 0 ? std::floor(u * below) : kind == "@" ? double(i % sizes.back()) : 4 * u - 2;
  }
  if (kind == "~") {
    if (sizes.size() < 2 || sizes[sizes.size() - 2] != sizes.back()) throw std::invalid_argument("not square: " + token);
    make_definite(values, sizes.back());
  }
  Tensor x = Tensor::from(values, Shape(sizes));
  if (type == DType::c64 || type == DType::bf16 || type == DType::f16) x = x.to(DType::f32);  // as the peer rounds, twice
  if (type != DType::c64) x = x.to(type);
  if (type == DType::c64) x = view_as_complex(x);
  x = x.to(tenon::default_device());
  return swapped ? x.transpose(-2, -1) : x;
}

}  // namespace

Tensor seed(const Tensor& like, std::uint64_t number) {
  const bool is_complex = like.dtype() == DType::c64;
  std::vector<double> values(std::size_t(like.numel() * (is_complex ? 2 : 1)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 4 * uniform(100 + number, i) - 2;
  std::vector<std::int64_t> sizes(like.shape().begin(), like.shape().end());
  if (is_complex) sizes.push_back(2);
  const Tensor x = Tensor::from(values, Shape(sizes)).to(like.dtype() == DType::f64 ? DType::f64 : DType::f32);
  return (is_complex ? view_as_complex(x) : x.to(like.dtype())).to(tenon::default_device());
}

Case Case::parse(const std::string& line) {
  std::istringstream words(line);
  Case c;
  words >> c.op;
  for (std::string word; words >> word;) {
    if (word == "gradient") c.gradient = true;
    else if (const auto is = word.find('='); is != std::string::npos) c.parameters[word.substr(0, is)] = word.substr(is + 1);
    else c.in.push_back(input(word, c.in.size()));
  }
  return c;
}

std::string Case::text(const std::string& name, const std::string& otherwise) const {
  const auto it = parameters.find(name);
  return it == parameters.end() ? otherwise : it->second;
}

double Case::number(const std::string& name, double otherwise) const { return has(name) ? std::stod(text(name)) : otherwise; }

std::vector<std::int64_t> Case::sizes(const std::string& name) const {
  std::vector<std::int64_t> out;
  for (const std::string& s : parts(text(name), ',')) out.push_back(std::stoll(s));
  return out;
}

std::vector<int> Case::axes(const std::string& name) const {
  std::vector<int> out;
  for (std::int64_t a : sizes(name)) out.push_back(int(a));
  return out;
}

}  // namespace shapes
