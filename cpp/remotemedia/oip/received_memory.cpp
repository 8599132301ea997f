// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/oip/received_memory.h"

#include <algorithm>
#include <new>
#include <utility>
#include <vector>

#include "remotemedia/base/mutex.h"
#include "remotemedia/platform/machine.h"

namespace remotemedia::detail {
namespace {

using platform::kHugePageBytes;

std::align_val_t alignment_of(std::size_t bytes) noexcept {
  return std::align_val_t{bytes < kHugePageBytes ? 64 : kHugePageBytes};
}

/// Below, the allocator has it at hand.
constexpr std::size_t kLeastKept = std::size_t{1} << 20;

struct Block {
  std::byte* memory = nullptr;
  std::size_t bytes = 0;
};

Block new_block(std::size_t bytes) {
  const Block block{static_cast<std::byte*>(::operator new(bytes, alignment_of(bytes))), bytes};
  if (bytes >= kHugePageBytes) platform::prefer_huge_pages(block.memory, bytes);
  return block;
}

void free(const Block& block) noexcept { ::operator delete(block.memory, alignment_of(block.bytes)); }

class KeptMemory {
 public:
  KeptMemory() { blocks_.reserve(kMostKeptBytes / kLeastKept); }

  Block take(std::size_t bytes) {
    {
      MutexLock lock(mutex_);
      const auto fits = std::ranges::find_if(
          blocks_, [&](const Block& block) { return block.bytes >= bytes && block.bytes / 2 <= bytes; });
      if (fits != blocks_.end()) {
        const Block block = std::exchange(*fits, blocks_.back());
        blocks_.pop_back();
        bytes_ -= block.bytes;
        return block;
      }
    }
    return new_block(bytes);
  }

  void give_back(const Block& block) noexcept {
    {
      MutexLock lock(mutex_);
      if (bytes_ + block.bytes <= kMostKeptBytes) {
        bytes_ += block.bytes;
        blocks_.push_back(block);
        return;
      }
    }
    free(block);
  }

 private:
  Mutex mutex_;
  std::vector<Block> blocks_ REMOTEMEDIA_GUARDED_BY(mutex_);
  std::size_t bytes_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;
};

KeptMemory& kept_memory() {
  static auto* const kept = new KeptMemory;
  return *kept;
}

}  // namespace

std::shared_ptr<std::byte> received_memory(std::size_t bytes) {
  if (bytes < kLeastKept || bytes > kMostKeptBytes) {
    const Block block = new_block(bytes);
    return {block.memory, [block](std::byte*) { free(block); }};
  }
  const Block block = kept_memory().take(bytes);
  return {block.memory, [block](std::byte*) { kept_memory().give_back(block); }};
}

}  // namespace remotemedia::detail
