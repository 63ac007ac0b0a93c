#include <cstdio>
#include <cstdlib>

#include "target.hpp"
#include "tenon/error.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    fuzz::read(std::string(reinterpret_cast<const char*>(data), size));
  } catch (const tenon::Error& error) {
    if (error.kind() == tenon::ErrorKind::data) return 0;  // refused, as it should be
    std::fprintf(stderr, "refused with the wrong kind of error: %s\n", error.what());
    std::abort();
  }
  return 0;
}
