// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/memory/export_table.h"

#include <algorithm>
#include <utility>

#include "remotemedia/memory/once_per_process.h"
#include "remotemedia/platform/machine.h"
#include "remotemedia/platform/monotonic_clock.h"

namespace remotemedia {
namespace {

constinit OncePerProcess<ExportTable> tables;

const Clock& clock_of(const SharedLocation& location) noexcept {
  return location.clock != nullptr ? *location.clock : monotonic_clock();
}

}  // namespace

ExportRecord::ExportRecord(const ExportNumber& its_number, const ExportSecret& its_secret, MemoryBlock block,
                           std::span<const std::byte> its_note, bool may_be_written)
    : number(its_number),
      secret(its_secret),
      location(*block.owner()->shared_location()),
      bytes(block.size()),
      note(its_note.begin(), its_note.end()),
      writable(may_be_written),
      made(clock_of(location).now()),
      block_(std::move(block)) {}

ExportTable& ExportTable::process() { return tables.get(); }

ExportTable* ExportTable::existing() noexcept { return tables.existing(); }

std::shared_ptr<ExportRecord> ExportTable::add(MemoryBlock block, std::span<const std::byte> note, bool writable) {
  ExportNumber number;
  ExportSecret secret;
  platform::random_bytes(number);
  platform::random_bytes(secret);
  auto record = std::make_shared<ExportRecord>(number, secret, std::move(block), note, writable);
  MutexLock lock(mutex_);
  openable_.emplace(number, record);
  return record;
}

bool ExportTable::openable(const ExportRecord& record) noexcept {
  MutexLock lock(mutex_);
  return record.openable_;
}

void ExportTable::await_importer(ExportRecord& record, Duration lease) noexcept {
  const TimePoint end = later(clock_of(record.location).now(), lease);
  MutexLock lock(mutex_);
  ++record.awaited_;
  record.lease_end_ = std::max(record.lease_end_, end);
}

std::shared_ptr<ExportRecord> ExportTable::open(const ExportNumber& number, const ExportSecret& secret) noexcept {
  std::shared_ptr<ExportRecord> record;
  MemoryBlock last;
  MutexLock lock(mutex_);
  const auto found = openable_.find(number);
  const bool same = equal_secrets(found != openable_.end() ? found->second->secret : ExportSecret{}, secret);
  if (found == openable_.end() || !same) return nullptr;
  record = found->second;
  last = settle(*record);  // whose lease has just ended is not there any more
  if (!record->openable_) return nullptr;
  ++record->holds_;
  return record;
}

void ExportTable::importer_came(ExportRecord& record) noexcept {
  MutexLock lock(mutex_);
  if (record.awaited_ > 0) --record.awaited_;
}

void ExportTable::release(const std::shared_ptr<ExportRecord>& record) noexcept {
  MemoryBlock last;
  MutexLock lock(mutex_);
  --record->holds_;
  if (!record->exporter_lives_ && keep_lease(record)) return;
  last = settle(*record);
}

bool ExportTable::exporter_gone(const std::shared_ptr<ExportRecord>& record) noexcept {
  MemoryBlock last;
  MutexLock lock(mutex_);
  record->exporter_lives_ = false;
  if (keep_lease(record)) return true;
  last = settle(*record);
  return false;
}

void ExportTable::end(const std::shared_ptr<ExportRecord>& record) noexcept {
  MemoryBlock last;
  MutexLock lock(mutex_);
  openable_.erase(record->number);
  record->openable_ = false;
  last = settle(*record);
}

std::size_t ExportTable::end_all(const void* allocator, std::optional<std::uint64_t> session,
                                 TimePoint made_until) noexcept {
  std::map<ExportNumber, std::shared_ptr<ExportRecord>> ended;
  {
    MutexLock lock(mutex_);
    for (auto next = openable_.begin(); next != openable_.end();) {
      const auto one = next++;
      const SharedLocation& location = one->second->location;
      const bool meant = location.allocator == allocator && (!session || location.session == *session);
      if (!meant || one->second->made > made_until) continue;
      one->second->openable_ = false;
      ended.insert(openable_.extract(one));
    }
  }
  for (const auto& [number, record] : ended) {
    MemoryBlock last;
    MutexLock lock(mutex_);
    last = settle(*record);
  }
  return ended.size();
}

std::optional<Duration> ExportTable::end_overdue() noexcept {
  std::optional<Duration> next;
  for (std::size_t i = 0;;) {
    MemoryBlock last;
    std::shared_ptr<ExportRecord> over;
    MutexLock lock(mutex_);
    if (i >= leases_.size()) return next;
    if (leased(*leases_[i])) {
      const Duration left = leases_[i]->lease_end_ - clock_of(leases_[i]->location).now();
      next = std::min(next.value_or(left), left);
      ++i;
    } else {
      over = std::exchange(leases_[i], leases_.back());
      over->lease_watched_ = false;
      leases_.pop_back();
      last = settle(*over);
    }
  }
}

bool ExportTable::keep_lease(const std::shared_ptr<ExportRecord>& record) noexcept {
  if (record->holds_ > 0 || !leased(*record)) return false;
  try {
    if (!record->lease_watched_) leases_.push_back(record);
    record->lease_watched_ = true;
    return true;
  } catch (const std::bad_alloc&) {
    record->awaited_ = 0;  // nobody could end its lease, so it has none
    return false;
  }
}

bool ExportTable::leased(const ExportRecord& record) const {
  return record.openable_ && record.awaited_ > 0 && clock_of(record.location).now() < record.lease_end_;
}

MemoryBlock ExportTable::settle(ExportRecord& record) noexcept {
  if (record.holds_ > 0 || (record.openable_ && (record.exporter_lives_ || leased(record)))) return {};
  openable_.erase(record.number);
  record.openable_ = false;
  return std::move(record.block_);
}

std::size_t end_exports(const void* allocator, std::optional<std::uint64_t> session, TimePoint made_until) noexcept {
  ExportTable* const table = ExportTable::existing();
  if (table == nullptr) return 0;
  const std::size_t ended = table->end_all(allocator, session, made_until);
  table->end_overdue();
  return ended;
}

}  // namespace remotemedia
