// SPDX-License-Identifier: Apache-2.0
//
// Knows all registries of this process. Keeps them usable in a forked child: around every fork their books are locked,
// and in the child they are told that all other threads are gone. And counts them together.

#pragma once

#include "remotemedia/registry/model_info.h"

namespace remotemedia::detail {

class RegistryCore;

/// From here until unguard_forks() the registry takes part in forks.
void guard_forks(RegistryCore& core);
void unguard_forks(RegistryCore& core) noexcept;

/// Of those that take part, and what the others had counted until they did no more.
RegistryMetrics metrics_of_all_registries();

}  // namespace remotemedia::detail
