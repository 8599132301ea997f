// SPDX-License-Identifier: Apache-2.0
//
// A loader says who owns what it makes.

#include <memory>

#include "remotemedia/registry/model_registry.h"

void ask(remotemedia::ModelRegistry& registry) {
  registry.get_or_load<int>("a", [] { return std::unique_ptr<int>(new int(1)); });
#ifdef MUST_NOT_COMPILE
  registry.get_or_load<int>("a", [] { return new int(1); });
#endif
}
