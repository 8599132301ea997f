// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/memory/shared_memory_region.h"

#include <string>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/base/mutex.h"
#include "remotemedia/memory/export_access.h"
#include "remotemedia/memory/fork_generation.h"
#include "remotemedia/memory/segment.h"

namespace remotemedia {
namespace {

/// The one block of a segment that is a region.
class RegionBlock final : public BlockOwner {
 public:
  RegionBlock(std::shared_ptr<Segment> segment, std::size_t size) noexcept
      : BlockOwner(segment->data() + kSegmentHeaderBytes, size, BlockKind::shared_memory, false),
        segment_(std::move(segment)),
        location_{.segment = segment_.get(),
                  .offset = kSegmentHeaderBytes,
                  .allocator = nullptr,
                  .session = 0,
                  .fork_generation = fork_generation(),
                  .lease_ttl = std::nullopt,
                  .clock = nullptr} {}

  const SharedLocation* shared_location() const noexcept override { return &location_; }

 private:
  void give_back() noexcept override { delete this; }

  std::shared_ptr<Segment> segment_;
  SharedLocation location_;
};

}  // namespace

struct SharedMemoryRegion::State {
  State(MemoryBlock its_block, bool others_may_write, std::string its_id)
      : block(std::move(its_block)), writable_by_others(others_may_write), id(std::move(its_id)) {}

  MemoryBlock block;  // none after close()
  const bool writable_by_others;

  Mutex mutex;
  std::string id REMOTEMEDIA_GUARDED_BY(mutex);  // of an opened region, or once it was asked for
  Export exported REMOTEMEDIA_GUARDED_BY(mutex);
};

SharedMemoryRegion SharedMemoryRegion::create(std::size_t size, Options options) {
  if (size == 0) throw Error(ErrorCode::invalid_argument, "a region has at least 1 byte");
  const auto writers = options.writable ? SegmentWriters::anybody_shown : SegmentWriters::creator_only;
  MemoryBlock block(*new RegionBlock(Segment::create(size, writers), size));
  return SharedMemoryRegion(std::make_shared<State>(std::move(block), options.writable, std::string()));
}

SharedMemoryRegion SharedMemoryRegion::open(std::string_view id, Options options) {
  const auto access = options.writable ? platform::Access::read_write : platform::Access::read_only;
  ImportedBlock imported = import_with_access(id, access, options.timeout);
  return SharedMemoryRegion(std::make_shared<State>(std::move(imported.block), false, std::string(id)));
}

std::string SharedMemoryRegion::id() const {
  const MemoryBlock shared = block();
  MutexLock lock(state_->mutex);
  if (state_->id.empty()) {
    const auto access = state_->writable_by_others ? platform::Access::read_write : platform::Access::read_only;
    state_->exported = share_with_access(shared, {}, access);
    state_->id = state_->exported.id();
  }
  return state_->id;
}

std::size_t SharedMemoryRegion::size() const noexcept { return state_ != nullptr ? state_->block.size() : 0; }

bool SharedMemoryRegion::read_only() const noexcept {
  return state_ == nullptr || !state_->block || state_->block.read_only();
}

MemoryBlock SharedMemoryRegion::block() const {
  if (state_ == nullptr || !state_->block) {
    throw Error(ErrorCode::invalid_argument, "this region is closed: it has no bytes and no id");
  }
  return state_->block;
}

std::span<std::byte> SharedMemoryRegion::bytes() {
  const MemoryBlock whole = block();
  if (whole.read_only()) {
    throw Error(ErrorCode::invalid_argument,
                "this region is read-only here: open it with writable, if its creator made it so");
  }
  return {whole.data(), whole.size()};
}

std::span<const std::byte> SharedMemoryRegion::bytes() const {
  const MemoryBlock whole = block();
  return {whole.data(), whole.size()};
}

void SharedMemoryRegion::close() noexcept {
  if (state_ == nullptr) return;
  const MemoryBlock block = std::exchange(state_->block, MemoryBlock());
  Export exported;
  {
    MutexLock lock(state_->mutex);
    exported = std::exchange(state_->exported, Export());
  }
  end_export(exported);
}

}  // namespace remotemedia
