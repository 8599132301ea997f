// SPDX-License-Identifier: Apache-2.0
//
// A ModelInferResponse as it goes out: what protobuf writes, and behind it the elements of each output where the model
// left them.

#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <exception>
#include <string>
#include <vector>

#include "remotemedia/grpc/parts_to_send.h"
#include "remotemedia/grpc/protocol/open_inference.pb.h"
#include "remotemedia/oip/infer_call.h"
#include "remotemedia/worker/worker_core.h"

namespace remotemedia::detail {

/// Errors:    those of in_requested_order; invalid_tensor for a datatype that the protocol has not.
/// Lifetime:  outputs that are contiguous are kept, not copied.
grpc::ByteBuffer response_bytes(const AnswerHead& head, TensorMap outputs, const ModelSignature& signature);

/// The same in parts.
PartsToSend response_parts(const AnswerHead& head, TensorMap outputs, const ModelSignature& signature);

/// The same within a ModelStreamInferResponse: one that others follow, and the end, which has no outputs.
grpc::ByteBuffer stream_response_bytes(const AnswerHead& head, TensorMap outputs, const ModelSignature& signature);
grpc::ByteBuffer stream_end_bytes(const AnswerHead& head);

/// A ModelStreamInferResponse that says why there are no outputs.
grpc::ByteBuffer stream_error_bytes(const AnswerHead& head, const std::exception_ptr& error);

}  // namespace remotemedia::detail
