// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/memory/range_allocator.h"

#include <algorithm>
#include <bit>

namespace remotemedia::detail {

// Row 0 has a list for each size below 16 granules; row r > 0 the sizes from 2^(r+3) granules on, in 16 steps.
RangeAllocator::Class RangeAllocator::class_of(std::size_t bytes) noexcept {
  const std::size_t granules = bytes / kGranule;
  if (granules < kColumns) return {0, static_cast<std::uint32_t>(granules)};
  const auto highest = static_cast<std::uint32_t>(std::bit_width(granules)) - 1;
  return {highest - 3, static_cast<std::uint32_t>((granules >> (highest - 4)) % kColumns)};
}

Range* RangeAllocator::add_space(void* space, std::size_t offset, std::size_t bytes) {
  provide_node();
  Range* const range = new_node();
  range->offset = offset;
  range->bytes = bytes;
  range->space = space;
  range->before = nullptr;
  range->after = nullptr;
  list(range);
  return range;
}

Range* RangeAllocator::take(std::size_t bytes, Search search) {
  const std::size_t size = (std::max<std::size_t>(bytes, 1) + kGranule - 1) / kGranule * kGranule;
  if (recent_ != nullptr && recent_->bytes == size) return std::exchange(recent_, nullptr);
  provide_node();
  settle_recent();
  Range* const range = find(size, search);
  if (range == nullptr) return nullptr;
  unlist(range);
  if (range->bytes > size) {
    Range* const rest = new_node();
    rest->offset = range->offset + size;
    rest->bytes = range->bytes - size;
    rest->space = range->space;
    rest->before = range;
    rest->after = range->after;
    if (rest->after != nullptr) rest->after->before = rest;
    range->after = rest;
    range->bytes = size;
    list(rest);
  }
  return range;
}

// Every list above the class of `bytes` fits; in that class itself one has to look.
Range* RangeAllocator::find(std::size_t bytes, Search search) const noexcept {
  auto [row, column] = class_of(bytes);
  int looks = kQuickLooks;
  for (Range* range = lists_[row][column]; range != nullptr; range = range->next) {
    if (range->bytes >= bytes) return range;
    if (--looks == 0 && search == Search::quick) break;
  }
  std::uint32_t columns = columns_[row] & (~std::uint32_t{0} << (column + 1));
  if (columns == 0) {
    const std::uint64_t rows = rows_ & (~std::uint64_t{0} << (row + 1));
    if (rows == 0) return nullptr;
    row = static_cast<std::uint32_t>(std::countr_zero(rows));
    columns = columns_[row];
  }
  return lists_[row][static_cast<std::size_t>(std::countr_zero(columns))];
}

void RangeAllocator::give_back(Range* range) noexcept {
  settle_recent();
  recent_ = range;
}

void RangeAllocator::join_neighbours(Range* range) noexcept {
  if (Range* const after = range->after; after != nullptr && after->free) {
    unlist(after);
    range->bytes += after->bytes;
    range->after = after->after;
    if (range->after != nullptr) range->after->before = range;
    recycle(after);
  }
  if (Range* const before = range->before; before != nullptr && before->free) {
    unlist(before);
    before->bytes += range->bytes;
    before->after = range->after;
    if (before->after != nullptr) before->after->before = before;
    recycle(range);
    range = before;
  }
  list(range);
}

void RangeAllocator::remove_space(Range* first) noexcept {
  settle_recent();
  unlist(first);
  recycle(first);
}

void RangeAllocator::list(Range* range) noexcept {
  const auto [row, column] = class_of(range->bytes);
  Range*& head = lists_[row][column];
  range->row = row;
  range->column = column;
  range->free = true;
  range->previous = nullptr;
  range->next = head;
  if (head != nullptr) head->previous = range;
  head = range;
  columns_[row] |= std::uint32_t{1} << column;
  rows_ |= std::uint64_t{1} << row;
}

void RangeAllocator::unlist(Range* range) noexcept {
  range->free = false;
  if (range->next != nullptr) range->next->previous = range->previous;
  if (range->previous != nullptr) {
    range->previous->next = range->next;
    return;
  }
  const auto [row, column] = Class{range->row, range->column};
  lists_[row][column] = range->next;
  if (range->next != nullptr) return;
  columns_[row] &= ~(std::uint32_t{1} << column);
  if (columns_[row] == 0) rows_ &= ~(std::uint64_t{1} << row);
}

void RangeAllocator::provide_node() {
  if (nodes_ != nullptr) return;
  constexpr std::size_t kNodes = 64;
  chunks_.push_back(std::make_unique<Range[]>(kNodes));
  for (std::size_t i = 0; i < kNodes; ++i) recycle(&chunks_.back()[i]);
}

Range* RangeAllocator::new_node() noexcept {
  Range* const node = nodes_;
  nodes_ = node->next;
  return node;
}

void RangeAllocator::recycle(Range* range) noexcept {
  range->next = nodes_;
  nodes_ = range;
}

}  // namespace remotemedia::detail
