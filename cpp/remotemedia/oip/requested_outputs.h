// SPDX-License-Identifier: Apache-2.0
//
// Which of a model's outputs a request asked for, and in which order they go.

#pragma once

#include <string>
#include <utility>
#include <vector>

#include "remotemedia/base/export.h"
#include "remotemedia/worker/model_signature.h"
#include "remotemedia/worker/tensor_map.h"

namespace remotemedia::detail {

/// Errors:  invalid_argument that names model and output, for one that the signature has not, or that is there twice.
REMOTEMEDIA_API void check_requested(const std::vector<std::string>& requested, const ModelSignature& signature,
                                     const std::string& model_id);

/// In the order of the request; without one, of the signature; without that, of the names.
///
/// Errors:  invalid_argument for one that the model did not give.
REMOTEMEDIA_API std::vector<std::pair<std::string, TensorBuffer>> in_requested_order(
    TensorMap outputs, const std::vector<std::string>& requested, const ModelSignature& signature);

}  // namespace remotemedia::detail
