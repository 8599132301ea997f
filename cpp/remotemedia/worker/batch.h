// SPDX-License-Identifier: Apache-2.0
//
// Batch: the inputs of several requests as one, and its outputs as several again.

#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "remotemedia/base/export.h"
#include "remotemedia/worker/request.h"
#include "remotemedia/worker/tensor_map.h"

namespace remotemedia::detail {

/// Whether an input that runs alone is copied first: another process may write to its memory meanwhile, and what is
/// made of its elements (an index, a length, a bool) must not change. With other elements a caller spoils his own
/// answer.
REMOTEMEDIA_API bool is_copied_for_the_model(const TensorBuffer& input) noexcept;

/// The inputs of the requests, one after the other along the first dimension; those of a single one are taken from it
/// as they are, but for what is_copied_for_the_model(). All read-only.
///
/// Cost:  a copy of each input where there are several.
REMOTEMEDIA_API TensorMap joined_inputs(std::span<const RequestPtr> requests);

/// The rows of each request, in their order: views of `outputs`.
REMOTEMEDIA_API std::vector<TensorMap> split_outputs(const TensorMap& outputs, std::span<const RequestPtr> requests);

}  // namespace remotemedia::detail
