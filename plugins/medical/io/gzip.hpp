/// gzip, read strictly: every member's CRC-32 and length are checked, and nothing may follow the last one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tenon/tensor.hpp"

namespace tenon::medical {

bool is_gzip(std::span<const std::byte> head);

/// The first `size` bytes of the content (fewer when it is shorter or damaged), without a look at the rest.
std::vector<std::byte> gunzip_head(std::span<const std::byte> file, std::size_t size);

/// The content, which must be `expected` bytes: u8[expected]. Nothing is allocated when `file` cannot hold that much
/// (deflate packs at most 1032 to 1). Throws data errors "gzip.truncated", "gzip.crc", "gzip.length", "gzip.corrupt",
/// "gzip.trailing" (bytes after the last member), "gzip.size" (content shorter or longer than expected), with the
/// expected and found numbers.
Tensor gunzip(std::span<const std::byte> file, std::uint64_t expected);

/// One member, no name and no time in it: equal content gives equal bytes.
std::vector<std::byte> gzip(std::span<const std::byte> content, int level = 6);

}  // namespace tenon::medical
