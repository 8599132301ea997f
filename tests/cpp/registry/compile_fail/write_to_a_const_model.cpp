// SPDX-License-Identifier: Apache-2.0
//
// A handle of a const model does not let it be changed.

#include "remotemedia/registry/model_handle.h"

int read(const remotemedia::ModelHandle<const int>& handle) {
#ifdef MUST_NOT_COMPILE
  *handle = 2;
#endif
  return *handle;
}
