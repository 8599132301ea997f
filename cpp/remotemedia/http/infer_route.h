// SPDX-License-Identifier: Apache-2.0
//
// The route that runs a model.

#pragma once

#include <memory>
#include <string>

#include "remotemedia/http/http_message.h"
#include "remotemedia/oip/client_regions.h"
#include "remotemedia/oip/served_models.h"
#include "remotemedia/worker/request.h"

namespace remotemedia::detail {

/// Errors:  those of rest_call and InferCall::submit; respond is not called then.
std::shared_ptr<PendingResponse> infer(const ServedModels::Use& model, const HttpRequest& request,
                                       const ClientRegions& regions, const std::shared_ptr<Caller>& of_connection,
                                       const std::shared_ptr<Caller>& of_sessions, Respond respond);

}  // namespace remotemedia::detail
