// SPDX-License-Identifier: Apache-2.0
//
// The two methods that run a model: one answer to one request, and streams of both.

#pragma once

#include <memory>

#include "remotemedia/grpc/callers.h"
#include "remotemedia/grpc/incoming_call.h"
#include "remotemedia/oip/served_models.h"

namespace remotemedia::detail {

/// Lifetime:  `models` and `callers` outlive the call.
std::shared_ptr<CallHandler> infer_handler(UnaryCall& call, const ServedModels& models, Callers& callers);
std::shared_ptr<CallHandler> stream_infer_handler(StreamingCall& call, const ServedModels& models, Callers& callers);

}  // namespace remotemedia::detail
