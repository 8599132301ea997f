// SPDX-License-Identifier: Apache-2.0
//
// What happens around fork(), where a system has it: the child has one thread and a copy of every lock.

#pragma once

#include "remotemedia/base/export.h"

namespace remotemedia {

/// Calls `before` in the forking thread, then `in_parent` or `in_child`, at every fork() from now on.
///
/// Errors:  std::bad_alloc.
REMOTEMEDIA_API void at_fork(void (*before)(), void (*in_parent)(), void (*in_child)());

}  // namespace remotemedia
