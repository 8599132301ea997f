// SPDX-License-Identifier: Apache-2.0
//
// Keeps allocators usable around fork(): their books are locked while it happens, and in the child they are told that
// all shared memory and all other threads are the parent's.

#pragma once

namespace remotemedia::detail {

class AllocatorCore;

/// From here until unguard_forks() the allocator takes part in forks.
///
/// Errors:  std::bad_alloc.
void guard_forks(AllocatorCore& core);
void unguard_forks(AllocatorCore& core) noexcept;

}  // namespace remotemedia::detail
