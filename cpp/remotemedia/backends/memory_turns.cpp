// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/backends/memory_turns.h"

#include "remotemedia/base/error.h"

namespace remotemedia {

void MemoryTurns::take_when_there_is_room(const std::function<void()>& take) {
  std::uint64_t seen = begin_turn();
  for (;;) {
    try {
      take();
      end_turn(true);
      return;
    } catch (const OutOfMemory&) {
      if (!others_give_back(seen)) {
        end_turn(false);
        throw;
      }
    } catch (...) {
      end_turn(false);
      throw;
    }
  }
}

std::uint64_t MemoryTurns::begin_turn() {
  MutexLock lock(mutex_);
  const std::uint64_t ticket = ++tickets_;
  waiting_.push_back(ticket);
  while (waiting_.front() != ticket) changed_.wait(mutex_);
  return given_back_;
}

bool MemoryTurns::others_give_back(std::uint64_t& seen) {
  MutexLock lock(mutex_);
  if (given_back_ == seen && taken_ == 0) return false;
  refused_ = true;
  while (given_back_ == seen) changed_.wait(mutex_);
  seen = given_back_;
  return true;
}

void MemoryTurns::end_turn(bool took) noexcept {
  MutexLock lock(mutex_);
  if (took) ++taken_;
  waiting_.pop_front();
  refused_ = false;
  changed_.notify_all();
}

void MemoryTurns::gave_back() noexcept {
  MutexLock lock(mutex_);
  --taken_;
  ++given_back_;
  if (!waiting_.empty()) changed_.notify_all();
}

}  // namespace remotemedia
