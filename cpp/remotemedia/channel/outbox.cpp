// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/channel/outbox.h"

#include <algorithm>
#include <exception>
#include <iterator>
#include <utility>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/error.h"
#include "remotemedia/channel/channel_messages.h"
#include "remotemedia/channel/message_limits.h"
#include "remotemedia/memory/fork_generation.h"

namespace remotemedia::detail {

Outbox::Outbox(NotInherited<platform::DescriptorChannel>& channel, std::shared_ptr<SessionRings> rings)
    : fork_generation_(fork_generation()), channel_(&channel), rings_(std::move(rings)) {}

void Outbox::use(std::shared_ptr<SessionRings> rings) {
  MutexLock lock(mutex_);
  rings_ = std::move(rings);
}

bool Outbox::send(std::span<const Record> records) {
  MutexLock lock(mutex_);
  return push(records, IfAsleep::woken);
}

bool Outbox::push(std::span<const Record> records, IfAsleep peer) {
  if (channel_ == nullptr || broken_) return true;
  std::size_t sent = 0;
  if (kept_.empty()) {
    try {
      while (sent < records.size() && rings_->push(records[sent])) ++sent;
    } catch (const Error&) {
      give_up();
      return true;
    }
    if (peer == IfAsleep::woken || sent < records.size()) rings_->wake_peer();
  }
  if (sent == records.size()) return true;
  for (; sent < records.size(); ++sent) kept_.emplace_back(records[sent]);
  return note_kept();
}

bool Outbox::send(std::vector<Outgoing> items) {
  std::vector<Outgoing> done;  // destroyed without the mutex: what a tensor keeps may end with it
  MutexLock lock(mutex_);
  if (channel_ == nullptr || broken_) return true;
  std::move(items.begin(), items.end(), std::back_inserter(kept_));
  return flush_kept(done);
}

bool Outbox::send(std::vector<std::byte> message) {
  std::vector<Outgoing> items;
  items.emplace_back(Packet{std::move(message), {}});
  return send(std::move(items));
}

void Outbox::send_release(const Record& record) noexcept {
  if (fork_generation() != fork_generation_) return;
  MutexLock lock(mutex_);
  try {
    push({&record, 1}, IfAsleep::left);
  } catch (const std::exception&) {
    give_up();
  }
}

bool Outbox::flush() noexcept {
  std::vector<Outgoing> done;
  MutexLock lock(mutex_);
  return flush_kept(done);
}

bool Outbox::flush_kept(std::vector<Outgoing>& done) {
  if (channel_ == nullptr || broken_) return true;
  try {
    while (!kept_.empty() && send_one(kept_.front())) {
      done.push_back(std::move(kept_.front()));
      kept_.pop_front();
    }
  } catch (const std::exception&) {
    give_up();
  }
  if (std::exchange(pushed_, false)) rings_->wake_peer();
  return note_kept();
}

/// Whoever waits for the other side hears of it.
void Outbox::give_up() noexcept {
  broken_ = true;
  if (channel_ != nullptr) (*channel_)->shut_down();
}

bool Outbox::send_one(Outgoing& item) {
  if (const auto* const record = std::get_if<Record>(&item)) {
    if (!rings_->push(*record)) return false;
    pushed_ = true;
    return true;
  }
  if (const auto* const packet = std::get_if<Packet>(&item)) {
    std::vector<platform::NativeHandle> handles;
    for (const platform::OwnedHandle& handle : packet->handles) handles.push_back(handle.get());
    return send_bytes(packet->bytes, handles);
  }
  auto& chunked = std::get<ChunkedTensor>(item);
  const std::span<const std::byte> bytes(chunked.bytes.data(), chunked.bytes.nbytes());
  while (chunked.sent < bytes.size()) {
    const std::span<const std::byte> next =
        bytes.subspan(chunked.sent, std::min(kMaxChunkBytes, bytes.size() - chunked.sent));
    const ChunkMessage message{chunked.request, chunked.tensor, chunked.sent, next};
    if (!send_bytes(write_message(message), {})) return false;
    chunked.sent += next.size();
  }
  return true;
}

bool Outbox::send_bytes(std::span<const std::byte> bytes, std::span<const platform::NativeHandle> handles) {
  return (*channel_)->send(bytes, handles, TimePoint{});
}

/// Whether that is nothing.
bool Outbox::note_kept() {
  waiting_.store(kept_.size(), std::memory_order_relaxed);
  return kept_.empty();
}

void Outbox::close() noexcept {
  std::deque<Outgoing> dropped;
  std::shared_ptr<SessionRings> rings;
  MutexLock lock(mutex_);
  channel_ = nullptr;
  dropped.swap(kept_);
  rings.swap(rings_);
  note_kept();
}

}  // namespace remotemedia::detail
