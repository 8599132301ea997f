// SPDX-License-Identifier: Apache-2.0
//
// SessionRings: the two rings of a session and the doorbells beside them, as one side sees them.
//
// Each side writes one control segment and reads the other's. Behind its header:
//
//        0   its part of the ring that comes to it, as the reader (64 bytes)
//       64   u32: 1 while it sleeps, or is about to, and wants its bell to be rung; reserved up to 128
//      128   its part of the ring that leaves it, as the writer

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "remotemedia/memory/not_inherited.h"
#include "remotemedia/memory/record_ring.h"
#include "remotemedia/platform/doorbell.h"

namespace remotemedia::detail {

/// Bytes of a control segment behind its header.
constexpr std::size_t control_bytes(std::size_t depth) noexcept { return 128 + writer_part_bytes(depth); }

/// Threads:   one sends (push, wake_peer), another receives (the rest).
/// Lifetime:  the memory outlives it.
class SessionRings {
 public:
  /// The spans begin behind the headers.
  ///
  /// Errors:  invalid_argument if they are too small; std::bad_alloc.
  SessionRings(std::span<std::byte> own, std::span<const std::byte> peers, std::size_t depth,
               platform::Doorbell own_bell, platform::Doorbell peers_bell);

  /// False when the ring is full.
  ///
  /// Errors:  protocol_error, as RecordWriter.
  bool push(const Record& record) { return writer_.push(record); }

  /// After push(): rings, if the peer sleeps.
  void wake_peer() noexcept;

  /// Errors:  protocol_error, as RecordReader.
  bool pop(Record& record) { return reader_.pop(record); }
  bool ready() const noexcept { return reader_.ready(); }

  /// Says that this side is about to sleep. False when there is something to receive: it must not sleep then.
  bool begin_sleep() noexcept;

  /// `rung`: its bell may have been rung. One that is rung and not heard ends the next sleep early.
  void end_sleep(bool rung = true) noexcept;

  /// Ready when the peer has rung.
  platform::NativeHandle wait_handle() noexcept { return own_bell_->wait_handle(); }

 private:
  RecordReader reader_;
  RecordWriter writer_;
  std::uint32_t* sleeping_;
  const std::uint32_t* peer_sleeping_;
  NotInherited<platform::Doorbell> own_bell_;
  NotInherited<platform::Doorbell> peers_bell_;
};

}  // namespace remotemedia::detail
