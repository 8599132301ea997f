// SPDX-License-Identifier: Apache-2.0
//
// Whether a model's file is one that an engine can be given.

#pragma once

#include <string>

namespace remotemedia {

/// Errors:  load_failed that names it, where it is not there, cannot be read, or is a pipe or a device; OutOfMemory
///          where it is larger than the memory that this process can have.
void check_model_file(const std::string& path);

}  // namespace remotemedia
