// SPDX-License-Identifier: Apache-2.0
//
// Peer: the other process of a measurement. The same program, started afresh in a role, on the second CPU.
//
//     const PeerRole echo("echo", [](Wire& wire) { … });        // what the other process does
//
//     Peer peer("echo");                                        // in the process that measures: starts it
//     peer.wire().send(size, memfd.get());                      // both can send numbers, texts and descriptors
//     const PinnedTo pinned(0);                                 // afterwards, or the peer would stay here too

#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace remotemedia::bench {

/// Closes a file descriptor.
class Descriptor {
 public:
  Descriptor() noexcept = default;
  explicit Descriptor(int number) noexcept : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor();

  int get() const noexcept { return number_; }

 private:
  int number_ = -1;
};

/// Throws what errno says, naming `call`, if `result` is negative; else returns it.
long checked(long result, const char* call);

/// Bytes of shared memory, mapped while this lives.
class Pages {
 public:
  /// Maps `bytes` of `memory`, every page present, to read and write or only to read.
  Pages(int memory, std::size_t bytes, bool writable);
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  ~Pages();

  std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }

 private:
  std::byte* data_;
  std::size_t size_;
};

/// A new memfd of `bytes`.
Descriptor make_memory(std::size_t bytes);

/// What connects the two before and after measuring: a packet socket.
class Wire {
 public:
  explicit Wire(Descriptor socket) noexcept : socket_(std::move(socket)) {}

  void send(std::uint64_t number, int descriptor = -1);
  void send(std::string_view text);

  /// Waits. Throws when the other side is gone.
  std::uint64_t receive_number(Descriptor* descriptor = nullptr);
  std::string receive_text();

  int socket() const noexcept { return socket_.get(); }

 private:
  Descriptor socket_;
};

/// A role, known by its name.
class PeerRole {
 public:
  PeerRole(std::string_view name, void (*serve)(Wire& wire));
};

class Peer {
 public:
  enum class Cpu { second, any };

  explicit Peer(std::string_view role, Cpu cpu = Cpu::second);
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  /// Kills it.
  ~Peer();

  /// Returns when its role is over.
  void wait_for_its_end() noexcept;

  Wire& wire() noexcept { return wire_; }
  pid_t process() const noexcept { return process_; }

 private:
  static std::pair<pid_t, Wire> start(std::string_view role, Cpu cpu);
  explicit Peer(std::pair<pid_t, Wire> started) noexcept;

  pid_t process_;
  Wire wire_;
};

/// What main() does first: true when this process was started as a peer, and its role is over.
bool was_peer(int argc, char** argv);

}  // namespace remotemedia::bench
