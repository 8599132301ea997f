// SPDX-License-Identifier: Apache-2.0
//
// What is told about a model.

#pragma once

#include "remotemedia/grpc/protocol/open_inference.pb.h"
#include "remotemedia/worker/transport.h"

namespace remotemedia::detail {

void describe(const ServedWorker& model, inference::ModelMetadataResponse& metadata);
void describe(const ServedWorker& model, inference::ModelConfig& config);
void describe(const ServedWorker& model, inference::ModelStatistics& statistics);

}  // namespace remotemedia::detail
