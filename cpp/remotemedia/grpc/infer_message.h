// SPDX-License-Identifier: Apache-2.0
//
// ModelInferRequest as a call of a worker.

#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <optional>
#include <string>
#include <vector>

#include "remotemedia/grpc/parts_to_send.h"
#include "remotemedia/grpc/raw_contents.h"
#include "remotemedia/oip/infer_call.h"
#include "remotemedia/worker/worker_core.h"

namespace remotemedia::detail {

inline constexpr const char* kInferenceService = "inference.GRPCInferenceService";

using ReceivedRequest = WithRawContents<inference::ModelInferRequest>;
using ReceivedResponse = WithRawContents<inference::ModelInferResponse>;

/// Inputs are views of the raw contents, which they keep. The deadline is what its parameters say.
///
/// Errors:  invalid_tensor and invalid_argument, naming the tensor or parameter; those of ClientRegions::part_of.
ReceivedCall received_call(const ReceivedRequest& request, const WorkerCore& core, const ClientRegions& regions);

/// The same of an attached client: all parameters are the model's, and element types may have our own names.
ReceivedCall call_of_client(const ReceivedRequest& request, const WorkerCore& core);

/// The request of an attached client, and its outputs. Inputs that are contiguous are kept, not copied.
grpc::ByteBuffer request_bytes(const std::string& model_id, const TensorMap& inputs, const Parameters& parameters);

/// The same in parts.
PartsToSend request_parts(const std::string& model_id, const TensorMap& inputs, const Parameters& parameters);

/// Views of the raw contents, which they keep.
///
/// Errors:  protocol_error for outputs that make no sense.
TensorMap outputs_of(const ReceivedResponse& response);

}  // namespace remotemedia::detail
