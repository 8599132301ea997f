// SPDX-License-Identifier: Apache-2.0
//
// Memory for objects that come and go with every call: a thread takes what it gave back last. malloc does so for seven
// of a size; with a hundred calls in flight it goes its long way.

#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <new>
#include <unordered_map>
#include <utility>

#include "remotemedia/base/export.h"

namespace remotemedia {

/// What is larger comes from the heap: a page of elements is not.
inline constexpr std::size_t kRecycledBytes = 4096 + 256;

/// Memory for an object, aligned as any; nullptr where there is none left.
///
/// Cost:  a few nanoseconds. A thread keeps up to 432 KiB, until it ends.
REMOTEMEDIA_API void* take_recycled(std::size_t bytes) noexcept;

/// On any thread; `bytes` as they were taken.
REMOTEMEDIA_API void give_back_recycled(void* memory, std::size_t bytes) noexcept;

/// Base of a class whose objects, made by new, lie there.
struct Recycled {
  static void* operator new(std::size_t bytes) {  // NOLINT(misc-new-delete-overloads): it knows no sized ones
    void* const memory = take_recycled(bytes);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
  }
  static void operator delete(void* memory, std::size_t bytes) noexcept { give_back_recycled(memory, bytes); }
};

/// For std::allocate_shared, and for nodes of maps.
template <class T>
struct RecyclingAllocator {
  using value_type = T;

  RecyclingAllocator() noexcept = default;
  template <class U>
  RecyclingAllocator(const RecyclingAllocator<U>& /*other*/) noexcept {}  // NOLINT(google-explicit-constructor)

  T* allocate(std::size_t count) {
    static_assert(alignof(T) <= alignof(std::max_align_t));
    void* const memory = take_recycled(count * sizeof(T));  // NOLINT(bugprone-sizeof-expression): a map's T*
    if (memory == nullptr) throw std::bad_alloc();
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, std::size_t count) noexcept {
    give_back_recycled(memory, count * sizeof(T));  // NOLINT(bugprone-sizeof-expression): likewise
  }

  friend bool operator==(const RecyclingAllocator&, const RecyclingAllocator&) noexcept { return true; }
};

template <class Key, class Value>
using RecyclingMap = std::map<Key, Value, std::less<>, RecyclingAllocator<std::pair<const Key, Value>>>;

template <class Key, class Value>
using RecyclingHashMap =
    std::unordered_map<Key, Value, std::hash<Key>, std::equal_to<>, RecyclingAllocator<std::pair<const Key, Value>>>;

}  // namespace remotemedia
