// SPDX-License-Identifier: Apache-2.0
//
// Linux's <poll.h> without what macOS lacks.

#pragma once
#pragma GCC system_header

#include_next <poll.h>

#undef POLLRDHUP
#pragma GCC poison POLLRDHUP ppoll
