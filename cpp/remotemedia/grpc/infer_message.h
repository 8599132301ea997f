// SPDX-License-Identifier: Apache-2.0
//
// ModelInferRequest as a call of a worker.

#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <optional>
#include <string>
#include <vector>

#include "remotemedia/grpc/protocol/open_inference.pb.h"
#include "remotemedia/oip/infer_call.h"
#include "remotemedia/worker/worker_core.h"

namespace remotemedia::detail {

inline constexpr const char* kInferenceService = "inference.GRPCInferenceService";

/// Takes the bytes out of `request`; inputs are views of them. The deadline is what its parameters say.
///
/// Errors:  invalid_tensor and invalid_argument, naming the tensor or parameter; those of ClientRegions::part_of.
ReceivedCall received_call(inference::ModelInferRequest& request, const WorkerCore& core, const ClientRegions& regions);

/// The same of an attached client: all parameters are the model's, and element types may have our own names.
ReceivedCall call_of_client(inference::ModelInferRequest& request, const WorkerCore& core);

/// The request of an attached client, and its outputs. Inputs that are contiguous are kept, not copied.
grpc::ByteBuffer request_bytes(const std::string& model_id, const TensorMap& inputs, const Parameters& parameters);

/// Takes the bytes out of `response`.
///
/// Errors:  protocol_error for outputs that make no sense.
TensorMap outputs_of(inference::ModelInferResponse& response);

}  // namespace remotemedia::detail
