// SPDX-License-Identifier: Apache-2.0
//
// Routes: which request is answered how.

#pragma once

#include <memory>
#include <optional>
#include <string>

#include "remotemedia/http/http_message.h"
#include "remotemedia/oip/client_regions.h"
#include "remotemedia/oip/model_loads.h"
#include "remotemedia/oip/served_models.h"
#include "remotemedia/worker/request.h"
#include "remotemedia/worker/wire_access.h"

namespace remotemedia::detail {

/// Threads:   any.
/// Lifetime:  `models` and `access` outlive it.
class Routes {
 public:
  Routes(ServedModels& models, const WireAccess& access);

  /// Why a request is not to be read any further: it brings no token, and is not one about health.
  std::optional<HttpResponse> refusal(const HttpRequest& head) const;

  /// Responds before it returns, with an error too, or gives what will.
  std::shared_ptr<PendingResponse> answer(const HttpRequest& request, const std::shared_ptr<Caller>& caller,
                                          const Respond& respond) const;

 private:
  ServedModels& models_;
  const WireAccess& access_;
  const std::shared_ptr<ModelLoads> loads_;
  const std::shared_ptr<Caller> of_sessions_;  ///< A sequence may come by any connection.
  const std::shared_ptr<ClientRegions> regions_;
};

}  // namespace remotemedia::detail
