// SPDX-License-Identifier: Apache-2.0
//
// A loader takes nothing, or what it reports with.

#include <memory>
#include <string>

#include "remotemedia/registry/model_registry.h"

void ask(remotemedia::ModelRegistry& registry) {
  registry.get_or_load<int>("a", [](const remotemedia::ReportProgress&) { return std::make_unique<int>(1); });
#ifdef MUST_NOT_COMPILE
  registry.get_or_load<int>("a", [](const std::string&) { return std::make_unique<int>(1); });
#endif
}
