// SPDX-License-Identifier: Apache-2.0
//
// From a ModelInferRequest to a call under way.

#pragma once

#include <cstddef>

#include "remotemedia/grpc/call_origin.h"
#include "remotemedia/grpc/infer_message.h"
#include "remotemedia/grpc/infer_service.h"
#include "remotemedia/oip/infer_call.h"

namespace remotemedia::detail {

/// The share of a request of so many bytes, until its answer is written.
///
/// Errors:  rejected where there is no room.
BytesInFlight::Share share_of(const InferService& service, std::size_t bytes);

/// Errors:  those of received_call, ServedModels::find and InferCall::submit.
void submit(InferCall& call, const InferService& service, const CallOrigin& origin, const ReceivedRequest& request,
            bool stream);

}  // namespace remotemedia::detail
