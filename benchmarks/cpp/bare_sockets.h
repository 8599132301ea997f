// SPDX-License-Identifier: Apache-2.0
//
// What the system itself carries between two processes: packets of 64 bytes, and a stream. The role "packets" answers
// each packet with another.

#pragma once

#include <cstddef>

#include "peer.h"

namespace remotemedia::bench {

void send_packet(const Wire& wire);

/// Errors, of these and read_all():  std::runtime_error if the peer has gone.
void receive_packet(const Wire& wire);
void read_all(int stream, std::byte* to, std::size_t bytes);
void write_all(int stream, const std::byte* from, std::size_t bytes);

}  // namespace remotemedia::bench
