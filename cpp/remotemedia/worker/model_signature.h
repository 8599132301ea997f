// SPDX-License-Identifier: Apache-2.0
//
// ModelSignature: what a model takes and gives.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "remotemedia/base/export.h"
#include "remotemedia/tensor/data_type.h"
#include "remotemedia/tensor/dims.h"

namespace remotemedia {

/// One tensor by name. An extent of -1 may be any. Without the batch dimension where the model batches.
struct TensorSpec {
  std::string name;
  DataType dtype = DataType::float32;
  Dims shape = {};

  bool operator==(const TensorSpec&) const = default;
};

/// A model that declares neither inputs nor outputs takes what it is given: nothing is checked, nothing is batched.
struct ModelSignature {
  std::vector<TensorSpec> inputs = {};
  std::vector<TensorSpec> outputs = {};

  /// Rows that one call may have. Above 0 every tensor has one more dimension in front, the batch, and calls of several
  /// callers run together; 0: each call runs alone, with the shapes as they stand.
  std::int64_t max_batch_size = 0;

  bool stateful = false;  ///< It keeps something for each session.

  bool declares_tensors() const noexcept { return !inputs.empty() || !outputs.empty(); }

  bool operator==(const ModelSignature&) const = default;
};

/// Errors:  invalid_argument that names the model, for a name that is empty or there twice, an extent below -1, or a
///          negative max_batch_size.
REMOTEMEDIA_API void check_signature(const ModelSignature& signature, const std::string& model_id);

}  // namespace remotemedia
