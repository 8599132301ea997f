// SPDX-License-Identifier: Apache-2.0
//
// AllocatorCore: what stands behind a SharedMemoryAllocator and lives as long as its last block.
//
// One mutex guards the book: sessions, their ranges, the counts. It is never held while the system is asked for memory
// or gets it back: bytes are entered in the book before they are asked for, and leave it after they were given back.
//
//     allocator_core.cpp   blocks and sessions: what is hot
//     growth.cpp           a block for which there is no room yet
//     upkeep.cpp           the allocator's own thread: spare segments, cleanup; the end

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/mutex.h"
#include "remotemedia/memory/allocator_config.h"
#include "remotemedia/memory/allocator_metrics.h"
#include "remotemedia/memory/allocator_session.h"
#include "remotemedia/memory/memory_block.h"

namespace remotemedia::detail {

/// Threads:  any, but for the constructor and release_by_user().
class AllocatorCore {
 public:
  /// Errors:  invalid_argument for a limit that makes no sense.
  explicit AllocatorCore(const AllocatorConfig& config);
  AllocatorCore(const AllocatorCore&) = delete;
  AllocatorCore& operator=(const AllocatorCore&) = delete;

  /// After close(): the allocator is gone. With the last block this object goes too.
  void release_by_user() noexcept REMOTEMEDIA_EXCLUDES(mutex_);

  MemoryBlock allocate(std::size_t bytes, std::string_view session) REMOTEMEDIA_EXCLUDES(mutex_);
  void give_back(SharedBlock& block) noexcept REMOTEMEDIA_EXCLUDES(mutex_);
  void give_back_fallback(Session& session, std::size_t bytes) noexcept REMOTEMEDIA_EXCLUDES(mutex_);

  std::size_t cleanup_expired(std::optional<Duration> ttl) REMOTEMEDIA_EXCLUDES(mutex_);
  std::size_t session_usage(std::string_view session) const REMOTEMEDIA_EXCLUDES(mutex_);
  std::size_t close_session(std::string_view session) REMOTEMEDIA_EXCLUDES(mutex_);
  AllocatorMetrics metrics() const REMOTEMEDIA_EXCLUDES(mutex_);
  void close() REMOTEMEDIA_EXCLUDES(mutex_);

  // Around fork(), by the forking thread. In the child all shared memory is the parent's.
  void lock_for_fork();
  void unlock_after_fork(bool in_child);

 private:
  struct NameHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const noexcept { return std::hash<std::string_view>{}(name); }
  };
  using Names = std::unordered_map<std::string, Session*, NameHash, std::equal_to<>>;

  /// A block that is being made while there is no room for it, as allocate_by_growing() has it in hand.
  struct Growth {
    std::string_view name;
    std::size_t bytes = 0;
    Session* session = nullptr;     ///< Charged with the block.
    bool announced = false;         ///< session->growing is ours.
    bool making_room = false;       ///< Counted in making_room_.
    std::size_t entered_bytes = 0;  ///< In reserved_bytes_, for a segment that is being made or is `made`.
    SegmentList made{};             ///< Shown to nobody yet.
  };

  /// What goes, without the mutex: segments that are in leaving_bytes_, and what else there was of a session.
  struct Leaving {
    SegmentList segments{};
    std::unique_ptr<Session> session{};
  };

  /// What to do next about a Growth, without the mutex.
  struct Step {
    enum class Kind { done, make_segment, let_go, fall_back };
    Kind kind = Kind::done;
    MemoryBlock block{};    ///< done
    std::size_t bytes = 0;  ///< make_segment: so large.
    Leaving leaving{};      ///< let_go
    std::string reason{};   ///< fall_back
  };

  ~AllocatorCore();

  // allocator_core.cpp
  Session* find(std::string_view name) const REMOTEMEDIA_REQUIRES(mutex_);
  Session& find_or_begin(std::string_view name) REMOTEMEDIA_REQUIRES(mutex_);
  bool refuses_shared_memory() const REMOTEMEDIA_REQUIRES(mutex_) { return closed_ || forked_; }
  SharedBlock* place(Session& session, std::size_t bytes, RangeAllocator::Search search) REMOTEMEDIA_REQUIRES(mutex_);
  Leaving discharge(Session& session, std::size_t bytes) noexcept REMOTEMEDIA_REQUIRES(mutex_);
  Leaving end_if_done(Session& session) noexcept REMOTEMEDIA_REQUIRES(mutex_);
  Leaving leave(SegmentList& segments) noexcept REMOTEMEDIA_REQUIRES(mutex_);
  void let_go(Leaving leaving) noexcept REMOTEMEDIA_EXCLUDES(mutex_);
  void finish_free(Leaving leaving) noexcept REMOTEMEDIA_EXCLUDES(mutex_);

  // growth.cpp
  MemoryBlock allocate_by_growing(std::size_t bytes, std::string_view name) REMOTEMEDIA_EXCLUDES(mutex_);
  void charge(Growth& growth) REMOTEMEDIA_REQUIRES(mutex_);
  Step next_step(Growth& growth) REMOTEMEDIA_EXCLUDES(mutex_);
  Step reserve_segment(Growth& growth) REMOTEMEDIA_REQUIRES(mutex_);
  void want_spares_of(std::size_t bytes) noexcept REMOTEMEDIA_REQUIRES(mutex_);
  std::size_t later_segment_bytes(const Session& session, std::size_t needed) const noexcept
      REMOTEMEDIA_REQUIRES(mutex_);
  bool has_usual_segment(const Session& session) const noexcept REMOTEMEDIA_REQUIRES(mutex_);
  void adopt(Session& session, SegmentList& made) REMOTEMEDIA_REQUIRES(mutex_);
  void make_room(Growth& growth) noexcept REMOTEMEDIA_REQUIRES(mutex_);
  void stop_growing(Growth& growth) noexcept REMOTEMEDIA_REQUIRES(mutex_);
  bool take_spare(std::size_t least, std::size_t most, SegmentList& into) noexcept REMOTEMEDIA_REQUIRES(mutex_);
  std::size_t unused_bytes() const noexcept REMOTEMEDIA_REQUIRES(mutex_);
  void take_spares(std::size_t bytes, SegmentList& into) noexcept REMOTEMEDIA_REQUIRES(mutex_);
  void take_empty(std::size_t bytes, SegmentList& into) noexcept REMOTEMEDIA_REQUIRES(mutex_);
  static void take_empty_of(Session& session, std::size_t bytes, SegmentList& into) noexcept;
  std::optional<std::string> make_segment(Growth& growth, std::size_t bytes) REMOTEMEDIA_EXCLUDES(mutex_);
  MemoryBlock fall_back(Growth& growth, const std::string& reason) REMOTEMEDIA_EXCLUDES(mutex_);
  void abandon(Growth& growth) noexcept REMOTEMEDIA_EXCLUDES(mutex_);
  [[noreturn]] void throw_refused(const Growth& growth, const std::string& reason) const REMOTEMEDIA_EXCLUDES(mutex_);

  // upkeep.cpp
  void start_upkeep() REMOTEMEDIA_EXCLUDES(mutex_);
  void keep_up() REMOTEMEDIA_EXCLUDES(mutex_);
  std::size_t missing_spare_bytes() const noexcept REMOTEMEDIA_REQUIRES(mutex_);
  void make_spare(std::size_t bytes) noexcept REMOTEMEDIA_EXCLUDES(mutex_);
  void let_empty_segments_go() noexcept REMOTEMEDIA_EXCLUDES(mutex_);
  void forget_idle_sessions() noexcept REMOTEMEDIA_REQUIRES(mutex_);

  const AllocatorConfig config_;
  const Clock& clock_;
  const std::size_t budget_bytes_;
  const std::size_t quota_bytes_;
  const std::uint64_t fork_generation_;

  mutable Mutex mutex_;
  CondVar changed_;  // a segment was made or refused, room was made, or the allocator was closed
  CondVar wake_;     // the own thread has something to do
  bool closed_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;
  bool forked_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;
  bool released_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;  // the allocator is gone

  std::unordered_map<std::uint64_t, std::unique_ptr<Session>> sessions_ REMOTEMEDIA_GUARDED_BY(mutex_);
  Names names_ REMOTEMEDIA_GUARDED_BY(mutex_);  // those that are not closed
  mutable Session* last_found_ REMOTEMEDIA_GUARDED_BY(mutex_) = nullptr;
  std::uint64_t next_session_id_ REMOTEMEDIA_GUARDED_BY(mutex_) = 1;

  SegmentList spares_ REMOTEMEDIA_GUARDED_BY(mutex_);
  bool first_segments_wanted_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;  // spare ones of either size, once there was need
  bool later_segments_wanted_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;
  bool spares_refused_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;  // by the system, since the last cleanup
  std::size_t making_room_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;  // who gives something back to get a segment himself
  bool upkeep_started_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;

  std::size_t reserved_bytes_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;
  std::size_t leaving_bytes_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;  // of these, what is being given back
  std::size_t segments_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;
  std::size_t allocated_bytes_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;
  std::uint64_t allocations_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;
  std::uint64_t frees_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;
  std::map<std::string, std::uint64_t> fallbacks_ REMOTEMEDIA_GUARDED_BY(mutex_);

  std::unique_ptr<std::jthread> upkeep_ REMOTEMEDIA_GUARDED_BY(mutex_);
};

}  // namespace remotemedia::detail
