// SPDX-License-Identifier: Apache-2.0
//
// macOS's <sys/un.h>: paths are four bytes shorter than Linux's.

#pragma once

#include "platform/macos_fake/socket_options.h"
#include "sys/socket.h"

struct sockaddr_un {
  sa_family_t sun_family;
  char sun_path[104];
};
