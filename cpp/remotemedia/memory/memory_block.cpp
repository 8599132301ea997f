// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/memory/memory_block.h"

#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <string>

#include "remotemedia/base/error.h"
#include "remotemedia/base/recycled_memory.h"
#include "remotemedia/platform/machine.h"

namespace remotemedia {
namespace {

constexpr std::size_t kAlignment = 256;

// Stands in front of the bytes that it owns. Both are placed in memory that is larger by the alignment: an aligned
// allocation takes the C library several times as long.
class HeapBlock final : public BlockOwner {
 public:
  HeapBlock(std::byte* data, std::size_t bytes, void* memory) noexcept
      : BlockOwner(data, bytes, BlockKind::heap, false), memory_(memory) {}

 private:
  void give_back() noexcept override;

  void* memory_;
};
static_assert(kAlignment % alignof(HeapBlock) == 0 && sizeof(HeapBlock) <= kAlignment);

constexpr std::size_t kAroundHeapBlock = sizeof(HeapBlock) + kAlignment - 1;

void HeapBlock::give_back() noexcept {
  void* const memory = memory_;
  const std::size_t taken = kAroundHeapBlock + size_;
  std::destroy_at(this);
  give_back_recycled(memory, taken);
}

class ForeignBlock final : public BlockOwner, public Recycled {
 public:
  ForeignBlock(std::byte* data, std::size_t bytes, bool read_only, void* keep, void (*release)(void*) noexcept) noexcept
      : BlockOwner(data, bytes, BlockKind::foreign, read_only), keep_(keep), release_(release) {}

 private:
  void give_back() noexcept override {
    void* const keep = keep_;
    void (*const release)(void*) noexcept = release_;
    delete this;
    if (release != nullptr) release(keep);
  }

  void* keep_;
  void (*release_)(void*) noexcept;
};

[[noreturn]] void throw_out_of_memory(std::size_t bytes) {
  throw OutOfMemory("cannot allocate " + std::to_string(bytes) + " bytes of memory: the system refuses",
                    OutOfMemory::Unit::bytes, bytes, platform::available_memory().value_or(0), {});
}

}  // namespace

MemoryBlock allocate_heap_block(std::size_t bytes) {
  constexpr auto kMost = static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max()) - kAroundHeapBlock;
  void* const memory = bytes <= kMost ? take_recycled(kAroundHeapBlock + bytes) : nullptr;
  if (memory == nullptr) throw_out_of_memory(bytes);
  auto* const begin = static_cast<std::byte*>(memory);
  const auto unaligned = (reinterpret_cast<std::uintptr_t>(begin) + sizeof(HeapBlock)) % kAlignment;
  std::byte* const data = begin + sizeof(HeapBlock) + (unaligned == 0 ? 0 : kAlignment - unaligned);
  return MemoryBlock(*new (data - sizeof(HeapBlock)) HeapBlock(data, bytes, memory));
}

MemoryBlock adopt_foreign_block(void* data, std::size_t bytes, bool read_only, void* keep,
                                void (*release)(void* keep) noexcept) {
  return MemoryBlock(*new ForeignBlock(static_cast<std::byte*>(data), bytes, read_only, keep, release));
}

}  // namespace remotemedia
