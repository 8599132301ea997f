// SPDX-License-Identifier: Apache-2.0
//
// RangeAllocator: which bytes of some spaces are in use. It counts offsets and touches no byte of them.
//
// Two-level segregated fit: free ranges stand in lists by size, 16 lists to each power of two, and two levels of bits
// say which lists are not empty. Neighbours that are free become one range at once, but for the range that was given
// back last: whoever asks for just as much next gets that.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace remotemedia::detail {

/// A part of a space, in use or free.
struct Range {
  std::size_t offset = 0;  ///< From the start of its space.
  std::size_t bytes = 0;
  void* space = nullptr;    ///< As add_space() was told.
  Range* before = nullptr;  ///< The neighbours in the same space.
  Range* after = nullptr;
  Range* previous = nullptr;  ///< In the list of free ranges.
  Range* next = nullptr;
  std::uint32_t row = 0;  ///< Which list that is.
  std::uint32_t column = 0;
  bool free = false;
};

/// Threads:  one at a time.
class RangeAllocator {
 public:
  /// What offsets and sizes are multiples of. A range is at most this much larger than what was asked for.
  static constexpr std::size_t kGranule = 256;

  /// What no range is larger than.
  static constexpr std::size_t kMostBytes = std::size_t{1} << 46;

  enum class Search {
    quick,    ///< Constant time; may overlook a range that is less than 1/16 larger than what is asked for.
    thorough  ///< Finds one if there is one.
  };

  RangeAllocator() = default;
  RangeAllocator(const RangeAllocator&) = delete;
  RangeAllocator& operator=(const RangeAllocator&) = delete;

  /// `bytes` free bytes from `offset` on; multiples of kGranule, kMostBytes at most. The range that begins there stays
  /// the same object until remove_space().
  ///
  /// Errors:  std::bad_alloc, and then nothing has changed.
  Range* add_space(void* space, std::size_t offset, std::size_t bytes);

  /// At least `bytes`, 1 to kMostBytes; nullptr if there is no such range.
  ///
  /// Errors:  std::bad_alloc, and then nothing has changed.
  /// Cost:    constant but for Search::thorough, and but for the first time that so many ranges exist.
  Range* take(std::size_t bytes, Search search = Search::quick);

  /// Ends a taken range.
  void give_back(Range* range) noexcept;

  /// Whether the space that `first` is the first range of has nothing in use.
  bool is_empty(const Range* first) noexcept {
    settle_recent();
    return first->free && first->after == nullptr;
  }

  /// Forgets an empty space.
  void remove_space(Range* first) noexcept;

 private:
  static constexpr std::size_t kColumns = 16;
  static constexpr std::size_t kRows = 36;
  static constexpr int kQuickLooks = 4;

  struct Class {
    std::uint32_t row, column;
  };
  static Class class_of(std::size_t bytes) noexcept;

  Range* find(std::size_t bytes, Search search) const noexcept;
  void settle_recent() noexcept {
    if (recent_ != nullptr) join_neighbours(std::exchange(recent_, nullptr));
  }
  void join_neighbours(Range* range) noexcept;
  void list(Range* range) noexcept;
  void unlist(Range* range) noexcept;
  void provide_node();
  Range* new_node() noexcept;
  void recycle(Range* range) noexcept;

  std::array<std::array<Range*, kColumns>, kRows> lists_{};
  std::array<std::uint32_t, kRows> columns_{};  // bit: that list of the row is not empty
  std::uint64_t rows_ = 0;                      // bit: a list of that row is not empty
  Range* recent_ = nullptr;                     // given back last, and still as it was
  Range* nodes_ = nullptr;                      // unused ones, by `next`
  std::vector<std::unique_ptr<Range[]>> chunks_;
};

}  // namespace remotemedia::detail
