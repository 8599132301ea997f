// SPDX-License-Identifier: Apache-2.0
//
// The methods that run a model: one answer to one request, the same in parts, and streams of both.

#pragma once

#include <memory>

#include "remotemedia/grpc/incoming_call.h"
#include "remotemedia/grpc/infer_service.h"

namespace remotemedia::detail {

/// Lifetime:  what `service` names outlives the call.
std::shared_ptr<CallHandler> infer_handler(UnaryCall& call, const InferService& service);
std::shared_ptr<CallHandler> infer_in_parts_handler(StreamingCall& call, const InferService& service);
std::shared_ptr<CallHandler> stream_infer_handler(StreamingCall& call, const InferService& service);

}  // namespace remotemedia::detail
