// SPDX-License-Identifier: Apache-2.0
//
// Outbox: what one side of a session says, in order, by ring and by socket. It never waits: what does not fit now is
// kept, and goes with flush().

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <variant>
#include <vector>

#include "remotemedia/base/mutex.h"
#include "remotemedia/channel/session_rings.h"
#include "remotemedia/memory/not_inherited.h"
#include "remotemedia/memory/record_ring.h"
#include "remotemedia/platform/descriptor_channel.h"
#include "remotemedia/platform/owned_handle.h"
#include "remotemedia/tensor/tensor_buffer.h"

namespace remotemedia::detail {

/// In a record's flags: its tensor is one of a message, which comes behind it.
inline constexpr std::uint32_t kTensorOfMessage = 1;

/// In a result's flags: the worker has let go of what the call's inputs lent it and was not given back by records.
inline constexpr std::uint32_t kInputsLetGo = 2;

/// In a record's flags: its tensor lies in the record.
inline constexpr std::uint32_t kInline = 4;

/// The bytes of a contiguous tensor, which follow a message piece by piece.
struct ChunkedTensor {
  std::uint64_t request = 0;
  std::uint32_t tensor = 0;
  TensorBuffer bytes;
  std::size_t sent = 0;
};

struct Packet {
  std::vector<std::byte> bytes;
  std::vector<platform::OwnedHandle> handles;
};

using Outgoing = std::variant<Record, Packet, ChunkedTensor>;

/// Threads:   any.
/// Errors:    none but std::bad_alloc: whatever else goes wrong shuts the channel down, is_broken() says so, and the
///            session is over.
class Outbox {
 public:
  /// `channel` outlives close(); `rings` may be none.
  Outbox(NotInherited<platform::DescriptorChannel>& channel, std::shared_ptr<SessionRings> rings);
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  /// Of a session that has its rings only once it is there; before anything is sent by one.
  void use(std::shared_ptr<SessionRings> rings);

  /// Whether nothing is kept.
  bool send(std::span<const Record> records);
  bool send(std::vector<Outgoing> items);
  bool send(std::vector<std::byte> message);

  /// For destructors: also in a forked child, where nothing is sent. Nobody is woken for it: the other side reads it
  /// before it needs memory.
  void send_release(const Record& record) noexcept;

  /// Sends what is kept, as far as it goes. Whether all of it went.
  bool flush() noexcept;

  /// What is kept.
  ///
  /// Cost:  no lock.
  std::size_t waiting() const noexcept { return waiting_.load(std::memory_order_relaxed); }
  bool is_waiting() const noexcept { return waiting() > 0; }
  bool is_broken() const noexcept { return broken_.load(std::memory_order_relaxed); }

  /// Nothing is sent any more.
  void close() noexcept;

 private:
  enum class IfAsleep { woken, left };  ///< The other side.
  bool push(std::span<const Record> records, IfAsleep peer) REMOTEMEDIA_REQUIRES(mutex_);
  bool send_one(Outgoing& item) REMOTEMEDIA_REQUIRES(mutex_);
  bool send_bytes(std::span<const std::byte> bytes, std::span<const platform::NativeHandle> handles)
      REMOTEMEDIA_REQUIRES(mutex_);
  void give_up() noexcept REMOTEMEDIA_REQUIRES(mutex_);
  bool flush_kept(std::vector<Outgoing>& done) REMOTEMEDIA_REQUIRES(mutex_);
  bool note_kept() REMOTEMEDIA_REQUIRES(mutex_);

  const std::uint64_t fork_generation_;
  mutable Mutex mutex_;
  NotInherited<platform::DescriptorChannel>* channel_ REMOTEMEDIA_GUARDED_BY(mutex_);  // none once it is closed
  std::shared_ptr<SessionRings> rings_ REMOTEMEDIA_GUARDED_BY(mutex_);
  std::deque<Outgoing> kept_ REMOTEMEDIA_GUARDED_BY(mutex_);
  bool pushed_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;  // since the peer was woken last
  std::atomic<std::size_t> waiting_{0};                 // the size of kept_, set with the mutex
  std::atomic<bool> broken_{false};                     // likewise
};

}  // namespace remotemedia::detail
