#include "climate/io/filters.hpp"

#include <catch2/catch.hpp>
#include <cstring>
#include <vector>

using namespace tenon::climate;

TEST_CASE("planes of bytes become numbers, of every size, in both byte orders, with a rest", "[climate][netcdf]") {
  for (std::size_t size : {1, 2, 4, 8}) {
    for (std::size_t bytes : {std::size_t(0), size, 7 * size, 133 * size, 133 * size + 3}) {
      const std::size_t n = bytes / size;
      std::vector<std::byte> numbers(bytes), planes(bytes), out(bytes);
      for (std::size_t i = 0; i < bytes; ++i) numbers[i] = std::byte(i * 37 + i / 251);
      planes = numbers;  // with the rest in its place
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t k = 0; k < size; ++k) planes[k * n + i] = numbers[i * size + k];
      unshuffle(planes.data(), bytes, size, false, out.data());
      CHECK(out == numbers);
      if (bytes % size) continue;
      unshuffle(planes.data(), bytes, size, true, out.data());
      swap_bytes(out.data(), bytes, size);
      CHECK(out == numbers);
    }
  }
}

TEST_CASE("fletcher32 gives the sums of its published examples", "[climate][netcdf]") {
  auto sum = [](const char* text) {
    // The examples take words little-endian, HDF5 big-endian.
    std::vector<std::byte> bytes(std::strlen(text) + std::strlen(text) % 2);
    std::memcpy(bytes.data(), text, std::strlen(text));
    swap_bytes(bytes.data(), bytes.size(), 2);
    return fletcher32(bytes.data(), bytes.size());
  };
  CHECK(sum("abcde") == 0xF04FC729u);
  CHECK(sum("abcdef") == 0x56502D2Au);
  CHECK(sum("abcdefgh") == 0xEBE19591u);
}
