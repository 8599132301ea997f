// SPDX-License-Identifier: Apache-2.0

#include "bare_sockets.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <stdexcept>

namespace remotemedia::bench {
namespace {

using Packet = std::array<char, 64>;

void answer_packets(Wire& wire) {
  for (;;) {
    receive_packet(wire);
    send_packet(wire);
  }
}
const PeerRole packets_role("packets", answer_packets);

}  // namespace

void send_packet(const Wire& wire) {
  const Packet packet{};
  checked(send(wire.socket(), packet.data(), packet.size(), MSG_NOSIGNAL), "send");
}

void receive_packet(const Wire& wire) {
  Packet packet{};
  if (checked(recv(wire.socket(), packet.data(), packet.size(), 0), "recv") == 0) throw std::runtime_error("peer gone");
}

void read_all(int stream, std::byte* to, std::size_t bytes) {
  for (std::size_t done = 0; done < bytes;) {
    const long got = checked(read(stream, to + done, bytes - done), "read");
    if (got == 0) throw std::runtime_error("peer gone");
    done += static_cast<std::size_t>(got);
  }
}

void write_all(int stream, const std::byte* from, std::size_t bytes) {
  for (std::size_t done = 0; done < bytes;) {
    done += static_cast<std::size_t>(checked(write(stream, from + done, bytes - done), "write"));
  }
}

}  // namespace remotemedia::bench
