// SPDX-License-Identifier: Apache-2.0
//
// Whether tensors are those of a signature. A client asks before it sends, a worker before it accepts, and again of
// what the model gives.

#pragma once

#include <cstdint>
#include <string_view>

#include "remotemedia/base/export.h"
#include "remotemedia/worker/model_signature.h"
#include "remotemedia/worker/tensor_map.h"

namespace remotemedia::detail {

/// A model as it is named in messages, with the rows that one call may have (0: it does not batch).
struct SignatureOf {
  std::string_view model_id;
  const ModelSignature& signature;
  std::int64_t max_batch_size;
};

/// The rows of a call: 1 where the model does not batch.
///
/// Errors:  invalid_tensor that names model and input, what was expected and what was found.
REMOTEMEDIA_API std::int64_t check_inputs(const SignatureOf& model, const TensorMap& inputs);

/// Errors:  inference_failed, likewise of the outputs.
REMOTEMEDIA_API void check_outputs(const SignatureOf& model, const TensorMap& outputs, std::int64_t rows);

}  // namespace remotemedia::detail
