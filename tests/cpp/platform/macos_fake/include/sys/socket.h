// SPDX-License-Identifier: Apache-2.0
//
// Linux's <sys/socket.h> with what macOS has beside it, and without what macOS lacks.

#pragma once
#pragma GCC system_header

#include_next <sys/socket.h>

#include "platform/macos_fake/socket_options.h"

#undef MSG_CMSG_CLOEXEC
#undef MSG_NOSIGNAL
#undef SOCK_CLOEXEC
#undef SOCK_NONBLOCK
#undef SO_PEERCRED
#pragma GCC poison MSG_CMSG_CLOEXEC MSG_NOSIGNAL SOCK_CLOEXEC SOCK_NONBLOCK SO_PEERCRED accept4 recvmmsg sendmmsg
