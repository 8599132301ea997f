// SPDX-License-Identifier: Apache-2.0
//
// A body without JSON: the bytes of a model's only input, whose shape its signature says.

#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "remotemedia/worker/model_signature.h"
#include "remotemedia/worker/tensor_map.h"

namespace remotemedia::detail {

/// One row where the signature batches. What may be any extent is as many as there are bytes for; of BYTES the body is
/// the one element.
///
/// Errors:  invalid_tensor where the model has not one input, or its shape is not said by the number of bytes.
TensorMap only_input(const ModelSignature& signature, std::span<const std::byte> bytes,
                     std::shared_ptr<const void> owner);

}  // namespace remotemedia::detail
