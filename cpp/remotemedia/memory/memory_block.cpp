// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/memory/memory_block.h"

#include <limits>
#include <memory>
#include <new>
#include <string>

#include "remotemedia/base/error.h"
#include "remotemedia/platform/machine.h"

namespace remotemedia {
namespace {

constexpr std::align_val_t kAlignment{256};

// Stands in the 256 bytes before those it owns.
class HeapBlock final : public BlockOwner {
 public:
  HeapBlock(std::byte* data, std::size_t bytes) noexcept : BlockOwner(data, bytes, BlockKind::heap, false) {}

 private:
  void give_back() noexcept override {
    std::destroy_at(this);
    ::operator delete(static_cast<void*>(this), kAlignment);
  }
};
static_assert(sizeof(HeapBlock) <= static_cast<std::size_t>(kAlignment));

class ForeignBlock final : public BlockOwner {
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
  constexpr auto kHeader = static_cast<std::size_t>(kAlignment);
  constexpr auto kMost = static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max()) - kHeader;
  void* const memory = bytes <= kMost ? ::operator new(kHeader + bytes, kAlignment, std::nothrow) : nullptr;
  if (memory == nullptr) throw_out_of_memory(bytes);
  return MemoryBlock(*new (memory) HeapBlock(static_cast<std::byte*>(memory) + kHeader, bytes));
}

MemoryBlock adopt_foreign_block(void* data, std::size_t bytes, bool read_only, void* keep,
                                void (*release)(void* keep) noexcept) {
  return MemoryBlock(*new ForeignBlock(static_cast<std::byte*>(data), bytes, read_only, keep, release));
}

}  // namespace remotemedia
