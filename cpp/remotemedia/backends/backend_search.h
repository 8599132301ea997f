// SPDX-License-Identifier: Apache-2.0
//
// Which backend reads a model file.

#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "remotemedia/backends/backend.h"
#include "remotemedia/base/export.h"

namespace remotemedia {

/// Where plug-ins lie: the folders that the environment variable REMOTEMEDIA_BACKEND_PATH lists, then the one that the
/// library was installed with.
REMOTEMEDIA_API std::vector<std::filesystem::path> backend_folders();

/// `backend`: a plug-in's path, its file's name without its end, or empty for the first one of `folders` that reads
/// files like `model_path`.
///
/// Errors:  load_failed that names the file, where was looked, and what was found there, or for a model file
///          that is not there or cannot be read; as
///          Backend::open().
REMOTEMEDIA_API Backend find_backend(const std::string& model_path, const std::string& backend,
                                     const std::vector<std::filesystem::path>& folders = backend_folders());

}  // namespace remotemedia
