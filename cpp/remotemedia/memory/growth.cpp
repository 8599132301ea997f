// SPDX-License-Identifier: Apache-2.0
//
// A block for which its session has no room yet: see allocator_core.h.

#include <algorithm>
#include <string>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/memory/allocator_core.h"
#include "remotemedia/platform/machine.h"
#include "remotemedia/platform/os_error.h"

namespace remotemedia::detail {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kBlocksOfASegment = 4;  // at least, where segments grow

std::size_t round_up(std::size_t bytes, std::size_t unit) { return (bytes + unit - 1) / unit * unit; }

std::string quoted(std::string_view session) {
  return session.empty() ? "the session without a name" : "session '" + std::string(session) + "'";
}

}  // namespace

MemoryBlock AllocatorCore::allocate_by_growing(std::size_t bytes, std::string_view name) {
  Growth growth{.name = name, .bytes = bytes};
  try {
    for (;;) {
      Step step = next_step(growth);
      switch (step.kind) {
        case Step::Kind::done:
          return std::move(step.block);
        case Step::Kind::let_go:
          let_go(std::move(step.leaving));
          break;
        case Step::Kind::make_segment:
          if (const auto refusal = make_segment(growth, step.bytes)) return fall_back(growth, *refusal);
          break;
        case Step::Kind::fall_back:
          return fall_back(growth, step.reason);
      }
    }
  } catch (...) {
    abandon(growth);
    throw;
  }
}

/// Before there is a block: who asks at the same time finds the bytes taken.
void AllocatorCore::charge(Growth& growth) {
  Session& session = find_or_begin(growth.name);
  if (growth.bytes > quota_bytes_ - session.used_bytes) {
    throw Error(ErrorCode::quota_exceeded, quoted(growth.name) + " has " + std::to_string(session.used_bytes) +
                                               " bytes in use of a quota of " + std::to_string(quota_bytes_) +
                                               " and asks for " + std::to_string(growth.bytes) +
                                               " more: let blocks go, or raise per_session_quota_bytes");
  }
  session.used_bytes += growth.bytes;
  ++session.blocks;
  ++session.pending;
  growth.session = &session;
}

AllocatorCore::Step AllocatorCore::next_step(Growth& growth) {
  MutexLock lock(mutex_);
  for (;;) {
    if (std::exchange(growth.making_room, false)) --making_room_;
    if (growth.session != nullptr && growth.session->closed) {  // closed meanwhile: the name begins anew
      stop_growing(growth);
      --growth.session->pending;
      Leaving leaving = discharge(*std::exchange(growth.session, nullptr), growth.bytes);
      if (leaving.session != nullptr || !leaving.segments.empty()) {
        return {.kind = Step::Kind::let_go, .leaving = std::move(leaving)};
      }
    }
    if (growth.session == nullptr) charge(growth);
    if (forked_) return {.kind = Step::Kind::fall_back, .reason = "forked"};
    if (closed_) return {.kind = Step::Kind::fall_back, .reason = "closed"};
    if (growth.bytes > RangeAllocator::kMostBytes) return {.kind = Step::Kind::fall_back, .reason = "budget"};

    if (!growth.made.empty()) {
      adopt(*growth.session, growth.made);
      growth.entered_bytes = 0;
      stop_growing(growth);
    }
    if (SharedBlock* const block = place(*growth.session, growth.bytes, RangeAllocator::Search::thorough)) {
      --growth.session->pending;
      return {.kind = Step::Kind::done, .block = MemoryBlock(*block)};
    }
    Step step = reserve_segment(growth);
    if (step.kind != Step::Kind::done) return step;
  }
}

/// Finds out where the next segment comes from. Kind::done: something has changed, look again.
AllocatorCore::Step AllocatorCore::reserve_segment(Growth& growth) {
  Session& session = *growth.session;
  const std::size_t page = platform::page_bytes();
  const std::size_t needed =
      kSegmentHeaderBytes + round_up(std::max<std::size_t>(growth.bytes, 1), RangeAllocator::kGranule);
  const std::size_t pages_needed = round_up(needed, page);

  const bool first = needed <= config_.first_segment_bytes && !has_usual_segment(session);
  const bool of_its_own = !first && (session.segments.empty() || needed > config_.segment_bytes / 2);
  std::size_t bytes = first        ? config_.first_segment_bytes
                      : of_its_own ? round_up(needed, needed < kHugePage ? page : kHugePage)
                                   : later_segment_bytes(session, needed);

  if (!of_its_own && session.growing) {
    changed_.wait(mutex_);
    return {};
  }
  want_spares_of(bytes);
  const std::size_t left = budget_bytes_ - std::min(budget_bytes_, reserved_bytes_);
  const std::size_t largest_spare = bytes > left ? RangeAllocator::kMostBytes : bytes;
  if (take_spare(bytes > left ? pages_needed : bytes, largest_spare, growth.made)) {
    wake_.notify_all();
    return {};
  }
  if (pages_needed > left) {
    if (pages_needed <= left + unused_bytes()) {
      make_room(growth);
      SegmentList unused;
      take_spares(pages_needed - left, unused);
      take_empty(pages_needed - left, unused);
      return {.kind = Step::Kind::let_go, .leaving = leave(unused)};
    }
    if (leaving_bytes_ == 0) return {.kind = Step::Kind::fall_back, .reason = "budget"};
    make_room(growth);
    changed_.wait(mutex_);
    return {};
  }
  bytes = std::min(bytes, left / page * page);
  reserved_bytes_ += bytes;
  growth.entered_bytes = bytes;
  if (!of_its_own) {
    session.growing = true;
    growth.announced = true;
  }
  return {.kind = Step::Kind::make_segment, .bytes = bytes};
}

std::size_t AllocatorCore::later_segment_bytes(const Session& session, std::size_t needed) const noexcept {
  if (!config_.segments_grow) return config_.segment_bytes;
  const std::size_t wanted = std::max(bytes_of(session.segments), kBlocksOfASegment * needed);
  return std::min(round_up(wanted, kHugePage), config_.segment_bytes);
}

void AllocatorCore::want_spares_of(std::size_t bytes) noexcept {
  const bool first = bytes == config_.first_segment_bytes && !std::exchange(first_segments_wanted_, true);
  const bool later = bytes == config_.segment_bytes && !std::exchange(later_segments_wanted_, true);
  if (first || later) wake_.notify_all();
}

bool AllocatorCore::has_usual_segment(const Session& session) const noexcept {
  return std::ranges::any_of(session.segments, [this](const OwnedSegment& segment) {
    return segment.bytes() == config_.first_segment_bytes || segment.bytes() == config_.segment_bytes;
  });
}

void AllocatorCore::adopt(Session& session, SegmentList& made) {
  OwnedSegment& segment = made.front();
  segment.first = session.ranges.add_space(&segment, kSegmentHeaderBytes, segment.bytes() - kSegmentHeaderBytes);
  session.segments.splice(session.segments.end(), made);
}

/// Until its next step nobody makes spare segments of what becomes free.
void AllocatorCore::make_room(Growth& growth) noexcept {
  if (!std::exchange(growth.making_room, true)) ++making_room_;
}

void AllocatorCore::stop_growing(Growth& growth) noexcept {
  if (!growth.announced) return;
  growth.announced = false;
  growth.session->growing = false;
  changed_.notify_all();
}

bool AllocatorCore::take_spare(std::size_t least, std::size_t most, SegmentList& into) noexcept {
  const auto found = std::ranges::find_if(
      spares_, [&](const OwnedSegment& spare) { return spare.bytes() >= least && spare.bytes() <= most; });
  if (found == spares_.end()) return false;
  into.splice(into.end(), spares_, found);
  return true;
}

/// Of segments in which nothing is, spare ones included.
std::size_t AllocatorCore::unused_bytes() const noexcept {
  std::size_t bytes = bytes_of(spares_);
  for (const auto& [id, session] : sessions_) {
    for (const OwnedSegment& segment : session->segments) {
      if (session->ranges.is_empty(segment.first)) bytes += segment.bytes();
    }
  }
  return bytes;
}

/// Takes such segments until `into` has `bytes`.
void AllocatorCore::take_spares(std::size_t bytes, SegmentList& into) noexcept {
  while (!spares_.empty() && bytes_of(into) < bytes) into.splice(into.end(), spares_, spares_.begin());
}

void AllocatorCore::take_empty(std::size_t bytes, SegmentList& into) noexcept {
  for (const auto& [id, session] : sessions_) {
    if (bytes_of(into) >= bytes) return;
    take_empty_of(*session, bytes, into);
  }
}

void AllocatorCore::take_empty_of(Session& session, std::size_t bytes, SegmentList& into) noexcept {
  for (auto next = session.segments.begin(); next != session.segments.end() && bytes_of(into) < bytes;) {
    const auto segment = next++;
    if (!session.ranges.is_empty(segment->first)) continue;
    session.ranges.remove_space(segment->first);
    into.splice(into.end(), session.segments, segment);
  }
}

/// Returns why not.
std::optional<std::string> AllocatorCore::make_segment(Growth& growth, std::size_t bytes) {
  start_upkeep();
  std::string refusal;
  try {
    growth.made.push_back({Segment::create(bytes - kSegmentHeaderBytes, SegmentWriters::creator_only)});
    MutexLock lock(mutex_);
    ++segments_;
    return std::nullopt;
  } catch (const platform::OsError& error) {
    refusal = error.call();
  } catch (const Error& error) {
    refusal = to_string(error.code());
  }
  MutexLock lock(mutex_);
  reserved_bytes_ -= std::exchange(growth.entered_bytes, 0);
  stop_growing(growth);
  return refusal;
}

MemoryBlock AllocatorCore::fall_back(Growth& growth, const std::string& reason) {
  if (!config_.heap_fallback) throw_refused(growth, reason);
  MemoryBlock memory = allocate_heap_block(growth.bytes);
  Leaving unneeded;
  MemoryBlock block;
  {
    MutexLock lock(mutex_);
    std::uint64_t& count = fallbacks_[reason];
    block = MemoryBlock(*new FallbackBlock(*this, *growth.session, std::move(memory)));
    ++count;
    ++allocations_;
    --growth.session->pending;
    stop_growing(growth);
    unneeded = leave(growth.made);
  }
  let_go(std::move(unneeded));
  return block;
}

/// There will be no block.
void AllocatorCore::abandon(Growth& growth) noexcept {
  Leaving unneeded;
  Leaving of_session;
  {
    MutexLock lock(mutex_);
    if (growth.making_room) --making_room_;
    stop_growing(growth);
    if (growth.made.empty()) reserved_bytes_ -= growth.entered_bytes;
    unneeded = leave(growth.made);
    if (growth.session != nullptr) {
      --growth.session->pending;
      of_session = discharge(*growth.session, growth.bytes);
    }
    changed_.notify_all();
  }
  let_go(std::move(unneeded));
  let_go(std::move(of_session));
}

void AllocatorCore::throw_refused(const Growth& growth, const std::string& reason) const {
  constexpr std::size_t kMostHolders = 8;
  std::vector<std::pair<std::size_t, std::string>> users;
  std::size_t available = 0;
  std::size_t reserved = 0;
  {
    MutexLock lock(mutex_);
    reserved = reserved_bytes_;
    available = budget_bytes_ - std::min(budget_bytes_, reserved) + unused_bytes();
    for (const auto& [id, session] : sessions_) {
      const std::size_t bytes = session->used_bytes - (session.get() == growth.session ? growth.bytes : 0);
      if (bytes > 0) users.emplace_back(bytes, session->name);
    }
  }
  std::ranges::sort(users, std::ranges::greater{});
  if (users.size() > kMostHolders) users.resize(kMostHolders);
  std::vector<std::string> holders;
  holders.reserve(users.size());
  for (auto& [bytes, name] : users) holders.push_back(std::move(name));
  throw OutOfMemory("no shared memory for " + std::to_string(growth.bytes) + " bytes of " + quoted(growth.name) + " (" +
                        reason + "): " + std::to_string(reserved) + " bytes are reserved, " +
                        std::to_string(budget_bytes_) +
                        " allowed; let blocks go, raise max_memory_bytes, or allow heap_fallback",
                    OutOfMemory::Unit::bytes, growth.bytes, available, std::move(holders));
}

}  // namespace remotemedia::detail
