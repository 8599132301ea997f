// SPDX-License-Identifier: Apache-2.0
//
// Linux's <unistd.h> without what macOS lacks.

#pragma once
#pragma GCC system_header

#include_next <unistd.h>

#pragma GCC poison dup3 gettid pipe2
