/// PLINK 1 files, checked as a set of three: .bed (6c 1b 01, variant-major, 4 samples a byte), .bim, .fam.
#pragma once

#include <cstdint>
#include <filesystem>

namespace tenon::genomics {

struct PlinkSummary {
  std::int64_t samples = 0, variants = 0;
};

/// `bed`: the .bed; .bim and .fam stand beside it. Unused bits of a variant's last byte are ignored. Errors: genomics.plink with line, or with
/// the expected and the found size.
PlinkSummary check_plink(const std::filesystem::path& bed);

}  // namespace tenon::genomics
