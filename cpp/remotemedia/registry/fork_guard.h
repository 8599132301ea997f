// SPDX-License-Identifier: Apache-2.0
//
// Keeps registries usable in a forked child: around every fork their books are locked, and in the child they
// are told that all other threads are gone.

#pragma once

namespace remotemedia::detail {

class RegistryCore;

/// From here until unguard_forks() the registry takes part in forks.
void guard_forks(RegistryCore& core);
void unguard_forks(RegistryCore& core) noexcept;

}  // namespace remotemedia::detail
