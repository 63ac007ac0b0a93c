/// Getting a data set: download, verify, extract, verify, rename into place. At any moment the target folder is either
/// absent (or as it was) or whole.
#pragma once

#include <filesystem>
#include <string>

#include "tenon/catalogue.hpp"

namespace tenon::command {

struct FetchOptions {
  std::filesystem::path to;  ///< folder that becomes the data set
  std::string from;          ///< URL or local archive; empty: the catalogue's
  bool quiet = false;
};

enum class FetchResult { fetched, already_there };

/// Throws data errors: data.digest, data.download, data.archive, data.in_the_way. An interrupted or broken download
/// leaves its part beside the target and is taken up again by the next call; a wrong digest leaves nothing.
FetchResult fetch(const DataSet& set, const FetchOptions& options);

/// Every file of the set's SHA256SUMS under `root` is there and has its digest; throws data.digest for the first that has not.
/// Returns how many were compared.
std::size_t verify_files(const DataSet& set, const std::filesystem::path& root);

}  // namespace tenon::command
