// Mutates the corpus of a format and reads what comes of it: fuzz_<format> [count] [seed] [file...]. The same arguments do the same; a file
// is read as it is.
//
// Every mutant must be read or refused with a data error, and within memory of kMemoryPerByte times its size and a constant: tensors are
// counted by the core's allocator, all else by the operators new below.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <new>

#include "target.hpp"
#include "tenon/random.hpp"
#include "tenon/storage.hpp"

namespace {

constexpr std::size_t kConstant = std::size_t(512) << 10;  ///< buffers of zlib and of the readers
constexpr std::size_t kLargest = std::size_t(1) << 16;     ///< of a mutant, bytes

std::size_t in_use = 0, peak = 0;  // bytes of new; one thread
constexpr std::size_t kHeader = alignof(std::max_align_t);

class Choice {
 public:
  Choice(std::uint64_t seed, std::uint64_t stream) : random_(seed, stream) {}
  std::size_t below(std::size_t n) { return n == 0 ? 0 : std::size_t(random_.below(next_++, n)); }

 private:
  tenon::Random random_;
  std::uint64_t next_ = 0;
};

std::string number_text(Choice& choice) {
  static const char* const kTexts[] = {"-1",
                                       "0",
                                       "1",
                                       "2",
                                       "255",
                                       "65536",
                                       "4294967295",
                                       "4294967296",
                                       "9223372036854775807",
                                       "9223372036854775808",
                                       "18446744073709551615",
                                       "18446744073709551616",
                                       "1e9",
                                       "0.5",
                                       "99999999999999999999999",
                                       "null",
                                       "[]",
                                       "\"\""};
  return kTexts[choice.below(std::size(kTexts))];
}

void mutate(std::string& bytes, const std::vector<std::string>& corpus, Choice& choice) {
  const std::size_t at = choice.below(bytes.size() + 1), length = choice.below(std::min<std::size_t>(bytes.size() - at, 40) + 1);
  switch (choice.below(10)) {
    case 0:  // a bit
      if (at < bytes.size()) bytes[at] = char(bytes[at] ^ (1 << choice.below(8)));
      break;
    case 1:  // a byte
      if (at < bytes.size()) bytes[at] = char(choice.below(256));
      break;
    case 2:  // a little-endian number
    {
      static const std::uint64_t kValues[] = {
          0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fffffff, 0xfffffffe, 0xffffffff, 0x100000000, 0x7fffffffffffffff, ~0ull};
      const std::uint64_t value = kValues[choice.below(std::size(kValues))];
      const std::size_t width = std::size_t(1) << choice.below(4);
      if (at + width <= bytes.size()) std::memcpy(bytes.data() + at, &value, width);
      break;
    }
    case 3:  // a small step of one
      if (at < bytes.size()) bytes[at] = char(bytes[at] + (choice.below(2) ? 1 : -1) * int(1 + choice.below(3)));
      break;
    case 4:  // cut off
      bytes.resize(at);
      break;
    case 5:  // left out
      bytes.erase(at, length);
      break;
    case 6:  // twice
      bytes.insert(at, bytes.substr(at, length));
      break;
    case 7:  // a piece from elsewhere, of this file or another
    {
      const std::string& other = choice.below(2) ? corpus[choice.below(corpus.size())] : bytes;
      const std::string piece = other.substr(choice.below(other.size() + 1), choice.below(200));
      bytes.replace(at, choice.below(2) ? std::min(piece.size(), bytes.size() - at) : 0, piece);
      break;
    }
    case 8:  // a number in text becomes another
    case 9: {
      std::size_t digit = at;
      while (digit < bytes.size() && (bytes[digit] < '0' || bytes[digit] > '9')) ++digit;
      std::size_t end = digit;
      while (end < bytes.size() && bytes[end] >= '0' && bytes[end] <= '9') ++end;
      if (digit < end) bytes.replace(digit, end - digit, number_text(choice));
      break;
    }
  }
  if (bytes.size() > kLargest) bytes.resize(kLargest);
}

/// Reads one file within its bounds, or tells what went wrong and ends the program.
void run(const std::string& bytes, const std::string& what) {
  tenon::Allocator& tensors = tenon::allocator(tenon::DeviceType::cpu);
  static std::size_t largest = 0;  // the allocator's peak only grows: its bound is that of the largest file so far
  largest = std::max(largest, bytes.size());
  const std::size_t before = in_use, tensors_before = tensors.stats().in_use;
  peak = in_use;
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  const std::size_t heap = peak - before, tensor_peak = tensors.stats().peak;
  if (heap > fuzz::kMemoryPerByte * bytes.size() + kConstant || tensor_peak > fuzz::kMemoryPerByte * largest + kConstant) {
    std::fprintf(stderr, "%s: %zu bytes of file took %zu bytes of memory, tensors %zu\n", what.c_str(), bytes.size(), heap, tensor_peak);
    std::abort();
  }
  if (tensors.stats().in_use != tensors_before) {
    std::fprintf(stderr, "%s: tensors were left behind\n", what.c_str());
    std::abort();
  }
}

}  // namespace

void* operator new(std::size_t size) {
  auto* block = static_cast<char*>(std::malloc(size + kHeader));
  if (!block) throw std::bad_alloc();
  std::memcpy(block, &size, sizeof size);
  in_use += size;
  peak = std::max(peak, in_use);
  return block + kHeader;
}
void operator delete(void* data) noexcept {
  if (!data) return;
  char* block = static_cast<char*>(data) - kHeader;
  std::size_t size = 0;
  std::memcpy(&size, block, sizeof size);
  in_use -= size;
  std::free(block);
}
void operator delete(void* data, std::size_t) noexcept {
  operator delete(data);
}

int main(int argc, char** argv) {
  const std::uint64_t count = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 10000,
                      seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  for (int i = 3; i < argc; ++i) {
    std::ifstream file(argv[i], std::ios::binary);
    run(std::string(std::istreambuf_iterator<char>(file), {}), argv[i]);
  }
  const std::vector<std::string> corpus = fuzz::corpus();
  for (const std::string& good : corpus) {
    fuzz::read(good);  // must not throw
    run(good, "a file of the corpus");
  }
  for (std::uint64_t i = 0; i < count; ++i) {
    Choice choice(seed, i);
    std::string bytes = corpus[choice.below(corpus.size())];
    const std::size_t steps = 1 + choice.below(4);
    for (std::size_t s = 0; s < steps; ++s) mutate(bytes, corpus, choice);
    run(bytes, "mutant " + std::to_string(i) + " of seed " + std::to_string(seed));
  }
  std::printf("%llu mutants of %zu files read or refused\n", static_cast<unsigned long long>(count), corpus.size());
}
