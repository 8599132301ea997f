// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/backends/model_file.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <system_error>

#include "remotemedia/base/error.h"
#include "remotemedia/platform/machine.h"

namespace remotemedia {

void check_model_file(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) throw Error(ErrorCode::load_failed, "there is no model file '" + path + "'");
  if (fs::is_directory(status)) return;
  if (!fs::is_regular_file(status)) {
    throw Error(ErrorCode::load_failed, "the model file '" + path + "' is neither a file nor a folder");
  }
  if (!std::ifstream(path, std::ios::binary)) {
    throw Error(ErrorCode::load_failed, "the model file '" + path + "' cannot be read");
  }
  const std::uintmax_t bytes = fs::file_size(path, error);
  const std::optional<std::size_t> available = platform::available_memory();
  if (error || !available || bytes <= *available) return;
  throw OutOfMemory("the model file '" + path + "' has " + std::to_string(bytes) +
                        " bytes, and this process can have " + std::to_string(*available),
                    OutOfMemory::Unit::bytes, static_cast<std::size_t>(bytes), *available, {});
}

}  // namespace remotemedia
