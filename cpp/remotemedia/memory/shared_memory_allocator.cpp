// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/memory/shared_memory_allocator.h"

#include <new>
#include <string>

#include "remotemedia/base/error.h"
#include "remotemedia/memory/allocator_core.h"
#include "remotemedia/memory/allocator_forks.h"

namespace remotemedia {

SharedMemoryAllocator::SharedMemoryAllocator(AllocatorConfig config) : core_(new detail::AllocatorCore(config)) {}

SharedMemoryAllocator::~SharedMemoryAllocator() {
  core_->close();
  core_->release_by_user();
}

SharedMemoryAllocator& SharedMemoryAllocator::process() {
  static SharedMemoryAllocator* const instance = new SharedMemoryAllocator;
  return *instance;
}

MemoryBlock SharedMemoryAllocator::allocate(std::size_t bytes, std::string_view session) try {
  return core_->allocate(bytes, session);
} catch (const std::bad_alloc&) {
  throw OutOfMemory("no memory left to keep account of " + std::to_string(bytes) + " bytes more",
                    OutOfMemory::Unit::bytes, bytes, 0, {});
}

bool SharedMemoryAllocator::owns(const MemoryBlock& block) const noexcept {
  if (!block) return false;
  if (const SharedLocation* const location = block.owner()->shared_location()) return location->allocator == core_;
  const auto* const fallback = dynamic_cast<const detail::FallbackBlock*>(block.owner());
  return fallback != nullptr && &fallback->core() == core_;
}

std::size_t SharedMemoryAllocator::cleanup_expired(std::optional<Duration> ttl) { return core_->cleanup_expired(ttl); }

std::size_t SharedMemoryAllocator::session_usage(std::string_view session) const {
  return core_->session_usage(session);
}

std::size_t SharedMemoryAllocator::close_session(std::string_view session) { return core_->close_session(session); }

AllocatorMetrics SharedMemoryAllocator::metrics() const { return core_->metrics(); }

AllocatorMetrics SharedMemoryAllocator::metrics_of_all() { return detail::metrics_of_all_allocators(); }

void SharedMemoryAllocator::close() { core_->close(); }

}  // namespace remotemedia
