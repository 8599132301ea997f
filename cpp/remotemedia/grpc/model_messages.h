// SPDX-License-Identifier: Apache-2.0
//
// What an endpoint tells of its models, as messages and back.

#pragma once

#include "remotemedia/grpc/protocol/models.pb.h"
#include "remotemedia/oip/served_models.h"
#include "remotemedia/worker/remote_models.h"

namespace remotemedia::detail {

inline constexpr const char* kModelService = "remotemedia.v1.ModelService";

void describe(const ServedModels& models, const ServedWorker& worker, v1::Model& message);

/// Errors:  protocol_error for what no worker says.
RemoteModel model_of(const v1::Model& message);

}  // namespace remotemedia::detail
