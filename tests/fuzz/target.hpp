/// One format under fuzz: a reader of bytes and files to begin from.
///
/// Each fuzz_<format>.cpp defines these; fuzz_main.cpp mutates and runs them, and libFuzzer can do so in its place: compile with
/// -fsanitize=fuzzer,address fuzz_<format>.cpp entry.cpp and link the core.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace fuzz {

/// Well-formed files.
std::vector<std::string> corpus();
/// Reads `bytes` as a file; whatever it gives must survive being written and read again. Throws what the reader throws.
void read(const std::string& bytes);
/// Memory that reading may take, beside a constant, for each byte of the file.
extern const std::size_t kMemoryPerByte;

}  // namespace fuzz

/// 0, or aborts: libFuzzer's entry.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
