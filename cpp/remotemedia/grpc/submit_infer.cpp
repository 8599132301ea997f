// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/submit_infer.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/grpc/grpc_limits.h"

namespace remotemedia::detail {

BytesInFlight::Share share_of(const InferService& service, std::size_t bytes) {
  BytesInFlight::Share share = service.bytes->take(bytes);
  if (share) return share;
  throw Error(ErrorCode::rejected, "the requests under way at this endpoint would have more than " +
                                       std::to_string(kMostRequestBytes) + " bytes with the " + std::to_string(bytes) +
                                       " of this one: ask again when some are answered");
}

void submit(InferCall& call, const InferService& service, const CallOrigin& origin, const ReceivedRequest& request,
            bool stream) {
  const bool of_client = origin.attached != nullptr;
  call.begin({.model_id = request.message.model_name(), .request_id = request.message.id(), .of_client = of_client});
  const ServedModels::Use model = service.models.find(request.message.model_name(), request.message.model_version());
  ReceivedCall received =
      of_client ? call_of_client(request, model->core) : received_call(request, model->core, service.regions);
  if (of_client) {
    received.call.session_id = origin.session;
    received.call.priority = origin.priority;
  }
  received.call.stream = stream;
  received.call.trace = origin.trace;
  received.call.deadline = std::min(received.call.deadline, origin.deadline);
  const std::shared_ptr<Caller> caller = of_client                  ? origin.attached
                                         : received.call.session_id ? service.callers.of_sessions()
                                                                    : service.callers.of_connection(origin.peer);
  call.submit(model, caller, std::move(received));
}

}  // namespace remotemedia::detail
