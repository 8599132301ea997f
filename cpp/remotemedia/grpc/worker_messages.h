// SPDX-License-Identifier: Apache-2.0
//
// What a worker tells its clients, as messages and back.

#pragma once

#include "remotemedia/grpc/callers.h"
#include "remotemedia/grpc/protocol/worker.pb.h"
#include "remotemedia/worker/transport.h"

namespace remotemedia::detail {

inline constexpr const char* kWorkerService = "remotemedia.v1.ModelWorker";

void describe(const ServedWorker& model, const AttachmentToken& token, v1::Attached& attached);
void describe(const TensorSpec& spec, v1::TensorSpec& message);
void describe(const WorkerInfo& info, v1::StatusResponse& status);

/// Errors:  protocol_error for what no worker says.
WorkerDescription description_of(const v1::Attached& attached);
TensorSpec spec_of(const v1::TensorSpec& message);
WorkerInfo info_of(const v1::StatusResponse& status);

}  // namespace remotemedia::detail
