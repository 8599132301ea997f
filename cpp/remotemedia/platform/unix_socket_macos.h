// SPDX-License-Identifier: Apache-2.0
//
// Sockets of this machine on macOS, which has neither SOCK_CLOEXEC nor accept4() nor MSG_NOSIGNAL: what those do is
// done to each descriptor once it is there.

#pragma once

#include <cstddef>
#include <string>

#include "remotemedia/platform/owned_handle.h"

namespace remotemedia::platform {

/// Closed in programs that this one starts, never blocks, raises no SIGPIPE unless the peer was gone before. A program
/// that another thread starts between a descriptor's birth and this call inherits it: this system has no way to rule
/// that out.
///
/// Errors:  false, with errno, if the system refuses.
bool prepare_socket(int socket) noexcept;

/// `type` is SOCK_STREAM or SOCK_DGRAM, the two that this system has for local addresses.
///
/// Errors:  OsError.
OwnedHandle local_socket(int type);

/// `digits` that nobody can guess, of 5 bits each, fit for names.
///
/// Errors:  OsError.
std::string random_name(std::size_t digits);

}  // namespace remotemedia::platform
