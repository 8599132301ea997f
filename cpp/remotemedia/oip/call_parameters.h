// SPDX-License-Identifier: Apache-2.0
//
// The parameters of a request of the Open Inference Protocol: those that say how it runs, and the model's own.
//
//     sequence_id, sequence_start, sequence_end   a session: its name, made anew, closed after the answer
//     priority                                    1 runs first; 0, and none, after all others
//     timeout                                     microseconds

#pragma once

#include <optional>
#include <string>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/export.h"
#include "remotemedia/worker/parameters.h"

namespace remotemedia::detail {

struct CallParameters {
  std::optional<std::string> session_id;
  bool begins_session = false;
  bool ends_session = false;
  int priority = 0;  ///< As InferOptions::priority.
  std::optional<Duration> timeout;
  Parameters own;  ///< The model's.
};

/// Errors:  invalid_argument that names the parameter, for one of another type or a number that makes no sense.
REMOTEMEDIA_API CallParameters call_parameters(Parameters parameters);

}  // namespace remotemedia::detail
