// SPDX-License-Identifier: Apache-2.0

#pragma once

namespace remotemedia::model_worker {

/// Documented in docs/programs.md.
enum ExitCode : int {
  kFinished = 0,  ///< All accepted calls were answered.
  kFailed = 1,    ///< What no other code says.
  kWrongArguments = 2,
  kLoadFailed = 3,        ///< The backend or the model file.
  kEndpointFailed = 4,    ///< It cannot listen where it was told to.
  kStoppedInBetween = 5,  ///< Calls were cut off: a second signal, or the time for draining was up.
};

}  // namespace remotemedia::model_worker
