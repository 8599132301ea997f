// SPDX-License-Identifier: Apache-2.0
//
// A ModelKey is made on purpose: a temporary one would cost what it is there to save.

#include "remotemedia/registry/model_key.h"

void take(const remotemedia::ModelKey&) {}

void ask() {
  take(remotemedia::ModelKey("a"));
#ifdef MUST_NOT_COMPILE
  take("a");
#endif
}
