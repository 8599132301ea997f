// SPDX-License-Identifier: Apache-2.0
//
// The macOS sources of platform, compiled on Linux as they stand: headers that lack what macOS lacks (include/), what
// macOS has and Linux does not (processes.cpp), and wrappers around system calls that refuse what macOS refuses
// (shared_memory.cpp, sockets.cpp). The linker puts the wrappers in (--wrap), so they are there for the tests as well.
//
// The rules are those of XNU: bsd/kern/posix_shm.c, uipc_usrreq.c, uipc_socket.c, kern_event.c.

#pragma once

#include <string_view>

namespace remotemedia::macos_fake {

/// The environment variable that names, as "shm_unlink:1", the call in front of which the process kills itself.
inline constexpr const char* kKillBefore = "REMOTEMEDIA_KILL_BEFORE";

/// Called by each wrapper first.
void about_to_call(std::string_view name);

/// Rights to the host's port that were taken and not given back.
int host_ports_held() noexcept;

/// Whether a descriptor is of shared memory with a name, which on Linux is a file in /dev/shm.
bool is_shared_memory(int descriptor) noexcept;

}  // namespace remotemedia::macos_fake
