// SPDX-License-Identifier: Apache-2.0
//
// Elements that came as numbers of the message, and not as bytes.

#pragma once

#include "remotemedia/grpc/protocol/open_inference.pb.h"
#include "remotemedia/oip/raw_tensor.h"

namespace remotemedia::detail {

/// A copy of them.
///
/// Errors:  invalid_tensor unless the field of its datatype has exactly as many elements as the shape takes and no
///          other field has any; for a number beyond the datatype; for FP16 and BF16, which have no field.
TensorBuffer tensor_of_contents(const AnnouncedTensor& tensor, const inference::InferTensorContents& contents);

}  // namespace remotemedia::detail
