// SPDX-License-Identifier: Apache-2.0
//
// GRPCInferenceService: the Open Inference Protocol over gRPC.

#pragma once

#include <vector>

#include "remotemedia/grpc/callers.h"
#include "remotemedia/grpc/raw_service.h"
#include "remotemedia/oip/served_models.h"

namespace remotemedia::detail {

/// Lifetime:  what it is given outlives the methods.
std::vector<Method> inference_methods(const ServedModels& models, Callers& callers);

}  // namespace remotemedia::detail
