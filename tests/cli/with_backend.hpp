/// The core in a folder of its own with a CUDA backend beside it, which is where it looks for one.
#pragma once

#include <string>
#include <vector>

#include "cli/run.hpp"

namespace cli {

struct WithBackend {
  Folder folder;
  explicit WithBackend(const fs::path& backend) {
    fs::copy_file(TENON_CORE, folder.path / TENON_CORE_SONAME);
    fs::copy_file(backend, folder.path / "libtenon_cuda.so");
    fs::copy_file(DRIVER_STUB, folder.path / "libcuda.so.1");  // without one no backend is loaded
  }
  Result run(const std::vector<std::string>& arguments, std::vector<std::string> environment = {}) const {
    environment.push_back("LD_LIBRARY_PATH=" + folder.path.string());
    return tenon(arguments, folder.path, environment);
  }
};

}  // namespace cli
