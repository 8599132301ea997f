// SPDX-License-Identifier: Apache-2.0
//
// A loader makes what is asked for.

#include <memory>

#include "remotemedia/registry/model_registry.h"

struct Encoder {};
struct Decoder {};

void ask(remotemedia::ModelRegistry& registry) {
  registry.get_or_load<Encoder>("a", [] { return std::make_unique<Encoder>(); });
#ifdef MUST_NOT_COMPILE
  registry.get_or_load<Encoder>("a", [] { return std::make_unique<Decoder>(); });
#endif
}
