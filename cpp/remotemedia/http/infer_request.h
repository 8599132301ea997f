// SPDX-License-Identifier: Apache-2.0
//
// A request of OIP's REST, with JSON or with Triton's binary elements, as a call of a worker.

#pragma once

#include <set>
#include <string>

#include "remotemedia/http/http_message.h"
#include "remotemedia/oip/infer_call.h"
#include "remotemedia/worker/worker_core.h"

namespace remotemedia::detail {

struct RestCall {
  std::string request_id;
  ReceivedCall received;
  bool binary_outputs = false;                ///< All,
  std::set<std::string> binary_output_names;  ///< or these.
  std::set<std::string> json_output_names;    ///< But not these.
};

/// Binary inputs are views of the body.
///
/// Errors:  invalid_argument and invalid_tensor, naming the tensor or parameter.
RestCall rest_call(const HttpRequest& request, const WorkerCore& core, const ClientRegions& regions);

}  // namespace remotemedia::detail
