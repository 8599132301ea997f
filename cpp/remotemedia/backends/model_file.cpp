// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/backends/model_file.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#include "remotemedia/base/error.h"

namespace remotemedia {

void check_model_file(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    throw Error(ErrorCode::load_failed, "there is no model file '" + path + "'");
  }
  if (!std::filesystem::is_directory(path, error) && !std::ifstream(path, std::ios::binary)) {
    throw Error(ErrorCode::load_failed, "the model file '" + path + "' cannot be read");
  }
}

}  // namespace remotemedia
