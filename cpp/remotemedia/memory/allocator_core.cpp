// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/memory/allocator_core.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/memory/allocator_forks.h"
#include "remotemedia/memory/export_table.h"
#include "remotemedia/memory/fork_generation.h"
#include "remotemedia/platform/machine.h"
#include "remotemedia/platform/monotonic_clock.h"

namespace remotemedia::detail {
namespace {

constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();
constexpr std::size_t kMostByDefault = std::size_t{10} << 30;

void check(bool good, const char* limit, const std::string& found, const char* expected) {
  if (good) return;
  throw Error(ErrorCode::invalid_argument,
              std::string("AllocatorConfig::") + limit + " is " + found + " and must be " + expected);
}

AllocatorConfig checked(AllocatorConfig config) {
  const auto check_segment = [](std::size_t& bytes, const char* limit) {
    check(bytes >= 2 * kSegmentHeaderBytes && bytes <= RangeAllocator::kMostBytes, limit, std::to_string(bytes),
          "8 KiB at least and 64 TiB at most");
    const std::size_t page = platform::page_bytes();
    bytes = (bytes + page - 1) / page * page;
  };
  check_segment(config.first_segment_bytes, "first_segment_bytes");
  check_segment(config.segment_bytes, "segment_bytes");
  check(config.cleanup_interval > Duration{0}, "cleanup_interval",
        std::to_string(config.cleanup_interval.count()) + " ns", "positive");
  const Duration ttl = config.lease_ttl.value_or(Duration{0});
  check(ttl >= Duration{0}, "lease_ttl", std::to_string(ttl.count()) + " ns", "0 at least");
  return config;
}

}  // namespace

void SharedBlock::give_back() noexcept { core().give_back(*this); }

void FallbackBlock::give_back() noexcept {
  AllocatorCore& allocator = core();
  Session& charged = session();
  const std::size_t bytes = size();
  delete this;
  allocator.give_back_fallback(charged, bytes);
}

AllocatorCore::AllocatorCore(const AllocatorConfig& config)
    : config_(checked(config)),
      clock_(config.clock != nullptr ? *config.clock : monotonic_clock()),
      budget_bytes_(config.max_memory_bytes.has_value()
                        ? *config.max_memory_bytes
                        : std::min(kMostByDefault, platform::available_memory().value_or(kMostByDefault))),
      quota_bytes_(config.per_session_quota_bytes.value_or(kNoLimit)),
      fork_generation_(fork_generation()) {
  guard_forks(*this);
}

AllocatorCore::~AllocatorCore() { unguard_forks(*this); }

void AllocatorCore::release_by_user() noexcept {
  bool last = false;
  {
    MutexLock lock(mutex_);
    released_ = true;
    last = allocations_ == frees_;
  }
  if (last) delete this;
}

MemoryBlock AllocatorCore::allocate(std::size_t bytes, std::string_view name) {
  {
    MutexLock lock(mutex_);
    Session* const session = find(name);
    if (session != nullptr && !refuses_shared_memory() && bytes <= quota_bytes_ - session->used_bytes &&
        bytes <= RangeAllocator::kMostBytes) {
      if (SharedBlock* const block = place(*session, bytes, RangeAllocator::Search::quick)) {
        session->used_bytes += bytes;
        ++session->blocks;
        return MemoryBlock(*block);
      }
    }
  }
  return allocate_by_growing(bytes, name);
}

Session* AllocatorCore::find(std::string_view name) const {
  if (last_found_ != nullptr && last_found_->name == name) return last_found_;
  const auto found = names_.find(name);
  if (found == names_.end()) return nullptr;
  last_found_ = found->second;
  return last_found_;
}

Session& AllocatorCore::find_or_begin(std::string_view name) {
  if (Session* const session = find(name)) return *session;
  auto begun = std::make_unique<Session>(next_session_id_++, name);
  Session& session = *begun;
  sessions_.emplace(session.id, std::move(begun));
  try {
    names_.emplace(session.name, &session);
  } catch (...) {
    sessions_.erase(session.id);
    throw;
  }
  return session;
}

/// Counts the block as living, but charges nothing.
SharedBlock* AllocatorCore::place(Session& session, std::size_t bytes, RangeAllocator::Search search) {
  if (session.unused == nullptr) {
    const SharedLocation terms{.allocator = this,
                               .session = session.id,
                               .fork_generation = fork_generation_,
                               .lease_ttl = config_.lease_ttl,
                               .clock = &clock_};
    session.unused = &session.owners.emplace_back(*this, session, terms);
  }
  Range* const range = session.ranges.take(bytes, search);
  if (range == nullptr) return nullptr;
  SharedBlock* const block = session.unused;
  session.unused = block->next_unused;
  block->lie_in(*range, bytes);
  ++allocations_;
  allocated_bytes_ += bytes;
  return block;
}

void AllocatorCore::give_back(SharedBlock& block) noexcept {
  std::optional<Leaving> leaving;
  {
    MutexLock lock(mutex_);
    Session& session = block.session();
    session.ranges.give_back(block.range());
    block.next_unused = session.unused;
    session.unused = &block;
    allocated_bytes_ -= block.size();
    if (!closed_ && !session.closed) {
      session.used_bytes -= block.size();
      --session.blocks;
      ++frees_;
      return;
    }
    leaving = discharge(session, block.size());
  }
  finish_free(std::move(*leaving));
}

void AllocatorCore::give_back_fallback(Session& session, std::size_t bytes) noexcept {
  Leaving leaving;
  {
    MutexLock lock(mutex_);
    leaving = discharge(session, bytes);
  }
  finish_free(std::move(leaving));
}

/// The last one of an allocator that is gone takes all this with it.
void AllocatorCore::finish_free(Leaving leaving) noexcept {
  let_go(std::move(leaving));
  bool last = false;
  {
    MutexLock lock(mutex_);
    ++frees_;
    last = released_ && allocations_ == frees_;
  }
  if (last) delete this;
}

/// Ends the charge for a block.
AllocatorCore::Leaving AllocatorCore::discharge(Session& session, std::size_t bytes) noexcept {
  session.used_bytes -= bytes;
  --session.blocks;
  return end_if_done(session);
}

/// A closed session goes with its last block, and in a closed allocator a segment does.
AllocatorCore::Leaving AllocatorCore::end_if_done(Session& session) noexcept {
  SegmentList segments;
  if (session.closed && session.blocks == 0) {
    segments.swap(session.segments);
    Leaving leaving = leave(segments);
    leaving.session = std::move(sessions_.extract(session.id).mapped());
    return leaving;
  }
  if (closed_) take_empty_of(session, kNoLimit, segments);
  return leave(segments);
}

AllocatorCore::Leaving AllocatorCore::leave(SegmentList& segments) noexcept {
  leaving_bytes_ += bytes_of(segments);
  Leaving leaving;
  leaving.segments.swap(segments);
  return leaving;
}

void AllocatorCore::let_go(Leaving leaving) noexcept {
  const std::size_t bytes = bytes_of(leaving.segments);
  const std::size_t count = leaving.segments.size();
  leaving.segments.clear();
  if (count == 0) return;
  MutexLock lock(mutex_);
  reserved_bytes_ -= bytes;
  leaving_bytes_ -= bytes;
  segments_ -= count;
  changed_.notify_all();
}

std::size_t AllocatorCore::session_usage(std::string_view name) const {
  MutexLock lock(mutex_);
  const Session* const session = find(name);
  return session != nullptr ? session->used_bytes : 0;
}

std::size_t AllocatorCore::close_session(std::string_view name) {
  std::uint64_t id = 0;
  Leaving leaving;
  bool forked = false;
  {
    MutexLock lock(mutex_);
    Session* const session = find(name);
    if (session == nullptr) return 0;
    names_.erase(session->name);
    last_found_ = nullptr;
    session->closed = true;
    id = session->id;
    forked = forked_;
    leaving = end_if_done(*session);
    changed_.notify_all();
  }
  let_go(std::move(leaving));
  if (!forked) end_exports(this, id, TimePoint::max());
  MutexLock lock(mutex_);
  const auto living = sessions_.find(id);
  return living != sessions_.end() ? living->second->blocks - living->second->pending : 0;
}

AllocatorMetrics AllocatorCore::metrics() const {
  MutexLock lock(mutex_);
  return {.regions_active = segments_,
          .bytes_reserved = reserved_bytes_,
          .bytes_allocated = allocated_bytes_,
          .allocations_total = allocations_,
          .frees_total = frees_,
          .fallbacks = fallbacks_};
}

void AllocatorCore::lock_for_fork() REMOTEMEDIA_THREAD_ANNOTATION(no_thread_safety_analysis) { mutex_.lock(); }

void AllocatorCore::unlock_after_fork(bool in_child) REMOTEMEDIA_THREAD_ANNOTATION(no_thread_safety_analysis) {
  if (in_child) {
    forked_ = true;
    changed_.forget_waiters();
    wake_.forget_waiters();
    (void)upkeep_.release();  // its thread is the parent's
  }
  mutex_.unlock();
}

}  // namespace remotemedia::detail
