// SPDX-License-Identifier: Apache-2.0
//
// TensorCapabilities: what tensors can do on this machine, tried out and not guessed.

#pragma once

#include <string>

#include "remotemedia/base/export.h"

namespace remotemedia {

struct REMOTEMEDIA_API TensorCapabilities {
  bool shared_memory = false;
  std::string shared_memory_reason;  ///< Why not; empty where it is there.
  bool seals = false;                ///< The system itself forbids new writers of shared memory.
  bool huge_pages = false;           ///< Shared memory got some.
  bool cuda = false;                 ///< The driver's library can be loaded.
  std::string cuda_reason;           ///< Why not; empty where it can.
  bool metal = false;
  bool dlpack = true;  ///< Always: it needs nothing of the machine.

  /// Cost:  some milliseconds; makes a small segment of shared memory and lets it go.
  static TensorCapabilities detect();
};

}  // namespace remotemedia
