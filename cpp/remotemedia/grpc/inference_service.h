// SPDX-License-Identifier: Apache-2.0
//
// GRPCInferenceService: the Open Inference Protocol over gRPC.

#pragma once

#include <vector>

#include "remotemedia/grpc/infer_service.h"
#include "remotemedia/grpc/raw_service.h"

namespace remotemedia::detail {

/// Lifetime:  what it is given outlives the methods.
std::vector<Method> inference_methods(const InferService& service);

}  // namespace remotemedia::detail
