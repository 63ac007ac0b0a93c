/// Archives whose every number stands in ZIP64, as only files beyond 4 GB need: for the tests of readers.
#pragma once

#include <filesystem>
#include <vector>

#include "io/zip.hpp"
#include "tenon/io/file.hpp"

namespace tenon {

/// The members of `from`, with every number of the directory in 64 bits; `path` may be the same file.
inline void save_wide(const std::filesystem::path& path, const std::filesystem::path& from) {
  ZipReader reader(from);
  AtomicFile file(path);
  ZipWriter writer(file, 1);
  for (const ZipMember& m : reader.members()) {
    std::vector<std::byte> bytes(m.size);
    ZipStream stream(reader, m);
    stream.read(bytes.data(), bytes.size());
    stream.finish();
    const std::span<const std::byte> part(bytes);
    writer.add(m.name, {&part, 1}, m.deflated);
  }
  writer.finish();
  file.commit();
}

}  // namespace tenon
