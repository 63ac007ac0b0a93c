/// Dates in recipes.
#pragma once

#include <cstdint>
#include <string>

namespace tenon::finance {

/// "2003-01-02" as ns since 1970-01-01 UTC; a usage error finance.date that names `key` for anything else.
std::int64_t date_of(const std::string& text, const std::string& key);

}  // namespace tenon::finance
