// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/channel/input_arena.h"

#include <algorithm>
#include <typeinfo>
#include <utility>

#include "remotemedia/base/recycled_memory.h"
#include "remotemedia/memory/fork_generation.h"
#include "remotemedia/memory/segment_header.h"

namespace remotemedia::detail {

class InputArena::Block final : public BlockOwner, public Recycled {
 public:
  Block(std::shared_ptr<InputArena> arena, Range* range, std::size_t bytes) noexcept
      : BlockOwner(space_of(*range).mapping.data() + range->offset, bytes, BlockKind::shared_memory, false),
        arena_(std::move(arena)),
        range_(range) {}

  /// None, of another arena or of anything else.
  static const Block* of(const MemoryBlock& block, const InputArena& arena) noexcept {
    const BlockOwner* const owner = block.owner();
    if (owner == nullptr || typeid(*owner) != typeid(Block)) return nullptr;
    const auto* const found = static_cast<const Block*>(owner);
    return found->arena_.get() == &arena ? found : nullptr;
  }

  SegmentPlace place() const noexcept {
    const SegmentGrant& grant = space_of(*range_).grant;
    return {grant.number, grant.generation, range_->offset};
  }

 private:
  static const Space& space_of(const Range& range) noexcept { return *static_cast<const Space*>(range.space); }

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

std::optional<SegmentPlace> InputArena::find(const MemoryBlock& block) const noexcept {
  const Block* const found = Block::of(block, *this);
  return found != nullptr ? std::optional(found->place()) : std::nullopt;
}

}  // namespace remotemedia::detail
