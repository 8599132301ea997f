// SPDX-License-Identifier: Apache-2.0
//
// Whoever asks for a model says of which type.

#include "remotemedia/registry/model_registry.h"

void ask(remotemedia::ModelRegistry& registry) {
  registry.get<int>("a");
#ifdef MUST_NOT_COMPILE
  registry.get("a");
#endif
}
