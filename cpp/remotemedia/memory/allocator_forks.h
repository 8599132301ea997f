// SPDX-License-Identifier: Apache-2.0
//
// Knows all allocators of this process. Keeps them usable around fork(): their books are locked while it happens, and
// in the child they are told that all shared memory and all other threads are the parent's. And counts them together.

#pragma once

#include "remotemedia/memory/allocator_metrics.h"

namespace remotemedia::detail {

class AllocatorCore;

/// From here until unguard_forks() the allocator takes part in forks.
///
/// Errors:  std::bad_alloc.
void guard_forks(AllocatorCore& core);
void unguard_forks(AllocatorCore& core) noexcept;

/// Of those that take part, and what the others had counted until they did no more.
///
/// Errors:  std::bad_alloc.
AllocatorMetrics metrics_of_all_allocators();

}  // namespace remotemedia::detail
