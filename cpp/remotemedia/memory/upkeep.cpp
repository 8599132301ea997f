// SPDX-License-Identifier: Apache-2.0
//
// An allocator's own thread, cleanup and end: see allocator_core.h.

#include <exception>
#include <memory>
#include <system_error>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/memory/allocator_core.h"
#include "remotemedia/memory/export_table.h"

namespace remotemedia::detail {

/// With the first segment. Where the system has no thread for it, another segment tries again.
void AllocatorCore::start_upkeep() {
  {
    MutexLock lock(mutex_);
    if (upkeep_started_ || refuses_shared_memory()) return;
    upkeep_started_ = true;
  }
  std::unique_ptr<std::jthread> thread;  // closed meanwhile: it ends here
  try {
    thread = std::make_unique<std::jthread>([this] { keep_up(); });
  } catch (const std::system_error&) {
    MutexLock lock(mutex_);
    upkeep_started_ = false;
    return;
  }
  MutexLock lock(mutex_);
  if (!closed_) upkeep_ = std::move(thread);
}

void AllocatorCore::keep_up() {
  TimePoint next_cleanup = later(clock_.now(), config_.cleanup_interval);
  for (;;) {
    std::size_t spare_bytes = 0;
    {
      MutexLock lock(mutex_);
      while (!closed_ && clock_.now() < next_cleanup) {
        spare_bytes = missing_spare_bytes();
        if (spare_bytes > 0) break;
        clock_.wait_until(wake_, mutex_, next_cleanup);
      }
      if (closed_) return;
      reserved_bytes_ += spare_bytes;
    }
    if (spare_bytes > 0) {
      make_spare(spare_bytes);
    } else {
      cleanup_expired(std::nullopt);
      next_cleanup = later(clock_.now(), config_.cleanup_interval);
      MutexLock lock(mutex_);
      spares_refused_ = false;
    }
  }
}

/// Of a spare segment to be made now, or 0. Leaves as much as it takes to those who ask.
std::size_t AllocatorCore::missing_spare_bytes() const noexcept {
  if (spares_refused_ || making_room_ > 0 || budget_bytes_ < reserved_bytes_) return 0;
  const auto missing = [this](std::size_t bytes) REMOTEMEDIA_REQUIRES(mutex_) {
    std::size_t ready = 0;
    for (const OwnedSegment& spare : spares_) ready += spare.bytes() == bytes ? 1 : 0;
    return ready < config_.spare_segments && bytes <= (budget_bytes_ - reserved_bytes_) / 2;
  };
  if (first_segments_wanted_ && missing(config_.first_segment_bytes)) return config_.first_segment_bytes;
  if (later_segments_wanted_ && missing(config_.segment_bytes)) return config_.segment_bytes;
  return 0;
}

/// Its bytes are entered already.
void AllocatorCore::make_spare(std::size_t bytes) noexcept {
  SegmentList made;
  try {
    made.push_back({Segment::create(bytes - kSegmentHeaderBytes, SegmentWriters::creator_only)});
  } catch (const std::exception&) {
    // Nobody asked for it yet: who does meets the same refusal and reports it.
  }
  Leaving unneeded;
  {
    MutexLock lock(mutex_);
    changed_.notify_all();
    if (made.empty()) {
      reserved_bytes_ -= bytes;
      spares_refused_ = true;
      return;
    }
    ++segments_;
    if (!closed_) {
      spares_.splice(spares_.end(), made);
      return;
    }
    unneeded = leave(made);
  }
  let_go(std::move(unneeded));
}

std::size_t AllocatorCore::cleanup_expired(std::optional<Duration> ttl) {
  const std::optional<Duration> limit = ttl.has_value() ? ttl : config_.lease_ttl;
  if (limit.has_value() && *limit < Duration{0}) {
    throw Error(ErrorCode::invalid_argument, "cleanup_expired: a time to live cannot be negative");
  }
  bool forked = false;
  {
    MutexLock lock(mutex_);
    forked = forked_;
  }
  std::size_t ended = 0;
  if (limit.has_value() && !forked) ended = end_exports(this, std::nullopt, clock_.now() - *limit);
  let_empty_segments_go();
  return ended;
}

void AllocatorCore::let_empty_segments_go() noexcept {
  Leaving leaving;
  {
    MutexLock lock(mutex_);
    SegmentList empty;
    const std::size_t staying = reserved_bytes_ - leaving_bytes_;
    if (staying > config_.low_water_bytes) take_empty(staying - config_.low_water_bytes, empty);
    leaving = leave(empty);
    forget_idle_sessions();
  }
  let_go(std::move(leaving));
}

void AllocatorCore::forget_idle_sessions() noexcept {
  std::erase_if(sessions_, [this](const auto& one) REMOTEMEDIA_REQUIRES(mutex_) {
    const Session& session = *one.second;
    if (session.blocks > 0 || !session.segments.empty()) return false;
    if (last_found_ == &session) last_found_ = nullptr;
    names_.erase(session.name);
    return true;
  });
}

void AllocatorCore::close() {
  std::unique_ptr<std::jthread> upkeep;
  bool forked = false;
  {
    MutexLock lock(mutex_);
    if (closed_) return;
    closed_ = true;
    forked = forked_;
    upkeep = std::move(upkeep_);
    wake_.notify_all();
    changed_.notify_all();
  }
  upkeep.reset();
  if (!forked) end_exports(this, std::nullopt, TimePoint::max());
  Leaving leaving;
  {
    MutexLock lock(mutex_);
    SegmentList empty;
    take_spares(reserved_bytes_, empty);
    take_empty(reserved_bytes_, empty);
    leaving = leave(empty);
  }
  let_go(std::move(leaving));
}

}  // namespace remotemedia::detail
