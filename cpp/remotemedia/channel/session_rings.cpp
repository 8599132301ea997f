// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/channel/session_rings.h"

#include <atomic>
#include <exception>
#include <utility>

#include "remotemedia/base/clock.h"

// ThreadSanitizer does not know fences. It need not: they order accesses that are atomic each.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wtsan"
#endif

namespace remotemedia::detail {
namespace {

constexpr std::size_t kSleepingAt = 64;
constexpr std::size_t kWriterPartAt = 128;

void store(std::uint32_t* word, std::uint32_t value) noexcept {
  std::atomic_ref<std::uint32_t>(*word).store(value, std::memory_order_seq_cst);
}

std::uint32_t load(const std::uint32_t* word) noexcept {
  return std::atomic_ref<std::uint32_t>(const_cast<std::uint32_t&>(*word))  // NOLINT: C++20 has no const one
      .load(std::memory_order_relaxed);
}

}  // namespace

SessionRings::SessionRings(std::span<std::byte> own, std::span<const std::byte> peers, std::size_t depth,
                           platform::Doorbell own_bell, platform::Doorbell peers_bell)
    : reader_(peers.subspan(kWriterPartAt), own.first(kReaderPartBytes), depth),
      writer_(own.subspan(kWriterPartAt), peers.first(kReaderPartBytes), depth),
      sleeping_(reinterpret_cast<std::uint32_t*>(own.data() + kSleepingAt)),
      peer_sleeping_(reinterpret_cast<const std::uint32_t*>(peers.data() + kSleepingAt)) {
  own_bell_.set(std::move(own_bell));
  peers_bell_.set(std::move(peers_bell));
}

// A record is in the ring before the question whether the peer sleeps is asked; the peer says that it sleeps before it
// asks whether there is a record. One of the two sees the other.
void SessionRings::wake_peer() noexcept {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (load(peer_sleeping_) != 0) peers_bell_->ring();
}

bool SessionRings::begin_sleep() noexcept {
  store(sleeping_, 1);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!reader_.ready()) return true;
  store(sleeping_, 0);
  return false;
}

void SessionRings::end_sleep(bool rung) noexcept {
  store(sleeping_, 0);
  if (!rung) return;
  try {
    (void)own_bell_->wait(TimePoint{});
  } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): it stays rung, and is taken the next time
  }
}

}  // namespace remotemedia::detail
