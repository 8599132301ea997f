// SPDX-License-Identifier: Apache-2.0
//
// What a plug-in says of a model, read with care: it may say anything.

#pragma once

#include <cstdint>
#include <string>

#include "remotemedia/backends/backend_abi.h"
#include "remotemedia/worker/model_signature.h"

namespace remotemedia {

struct ModelDescription {
  ModelSignature signature;
  std::size_t memory_bytes = 0;
  std::string device;
};

/// Errors:  invalid_argument that says which of it makes no sense.
ModelDescription read_description(const remotemedia_description* description, const std::string& model_id);

}  // namespace remotemedia
