// SPDX-License-Identifier: Apache-2.0
//
// MemoryTurns: who may have memory next, where there is not enough for all at once.

#pragma once

#include <cstdint>
#include <deque>
#include <functional>

#include "remotemedia/base/mutex.h"

namespace remotemedia {

/// Threads:  any.
class MemoryTurns {
 public:
  /// Calls `take`, one at a time, in the order in which they came. Where that throws OutOfMemory it waits until others
  /// have given memory back, and calls it again.
  ///
  /// Errors:  what `take` throws; its OutOfMemory when nobody has any that could be given back.
  void take_when_there_is_room(const std::function<void()>& take);

  /// Takes nothing, and says so, while somebody waits for memory to be given back.
  template <class Try>
  bool try_take(Try try_to_take) {
    MutexLock lock(mutex_);
    if (refused_ || !try_to_take()) return false;
    ++taken_;
    return true;
  }

  /// What was taken has been given back.
  void gave_back() noexcept;

 private:
  /// Waits for it. How often memory was given back until now.
  std::uint64_t begin_turn();
  void end_turn(bool took) noexcept;

  /// Waits until more was given back than `seen` times; false where nobody has any.
  bool others_give_back(std::uint64_t& seen);

  Mutex mutex_;
  CondVar changed_;
  std::deque<std::uint64_t> waiting_ REMOTEMEDIA_GUARDED_BY(mutex_);
  bool refused_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;  ///< Who is in front, since there was no room.
  std::uint64_t tickets_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;
  std::uint64_t taken_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;       ///< Not given back yet.
  std::uint64_t given_back_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;  ///< Since the beginning.
};

}  // namespace remotemedia
