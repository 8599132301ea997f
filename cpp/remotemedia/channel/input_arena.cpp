// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/channel/input_arena.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "remotemedia/base/recycled_memory.h"
#include "remotemedia/memory/fork_generation.h"
#include "remotemedia/memory/segment_header.h"

namespace remotemedia::detail {

class InputArena::Block final : public BlockOwner, public Recycled {
 public:
  Block(std::shared_ptr<InputArena> arena, Range* range, std::size_t bytes) noexcept
      : BlockOwner(static_cast<Space*>(range->space)->mapping.data() + range->offset, bytes, BlockKind::shared_memory,
                   false),
        arena_(std::move(arena)),
        range_(range) {}

 private:
  void give_back() noexcept override {
    arena_->give_back(range_);
    delete this;
  }

  std::shared_ptr<InputArena> arena_;
  Range* range_;
};

std::uint64_t InputArena::current_fork_generation() noexcept { return fork_generation(); }

void InputArena::add(const SegmentGrant& grant, platform::Mapping mapping) {
  const std::size_t bytes =
      (mapping.size() - kSegmentHeaderBytes) / RangeAllocator::kGranule * RangeAllocator::kGranule;
  auto space = std::make_unique<Space>(Space{grant, std::move(mapping)});
  MutexLock lock(mutex_);
  spaces_.reserve(spaces_.size() + 1);
  ranges_.add_space(space.get(), kSegmentHeaderBytes, bytes);
  spaces_.push_back(std::move(space));
}

MemoryBlock InputArena::allocate(std::size_t bytes) {
  if (fork_generation() != fork_generation_ || bytes > RangeAllocator::kMostBytes) return {};
  Range* range = nullptr;
  {
    MutexLock lock(mutex_);
    range = ranges_.take(std::max<std::size_t>(bytes, 1), RangeAllocator::Search::thorough);
  }
  if (range == nullptr) return {};
  try {
    return MemoryBlock(*new Block(shared_from_this(), range, bytes));
  } catch (...) {
    give_back(range);
    throw;
  }
}

void InputArena::give_back(Range* range) noexcept {
  if (fork_generation() != fork_generation_) return;
  MutexLock lock(mutex_);
  ranges_.give_back(range);
}

std::optional<SegmentPlace> InputArena::find(const MemoryBlock& block) const {
  if (block.kind() != BlockKind::shared_memory) return {};
  const std::less_equal<> not_behind;
  MutexLock lock(mutex_);
  for (const std::unique_ptr<Space>& space : spaces_) {
    const std::byte* const begin = space->mapping.data();
    if (!not_behind(begin, block.data()) || !not_behind(block.data() + block.size(), begin + space->mapping.size())) {
      continue;
    }
    return SegmentPlace{space->grant.number, space->grant.generation, static_cast<std::uint64_t>(block.data() - begin)};
  }
  return {};
}

}  // namespace remotemedia::detail
