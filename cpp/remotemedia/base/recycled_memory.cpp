// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/base/recycled_memory.h"

#include <array>

namespace remotemedia {
namespace {

#ifdef REMOTEMEDIA_RECYCLES_NOTHING
constexpr std::size_t kMostKept = 0;
#else
constexpr std::size_t kMostKept = 256;  // of each size
#endif

constexpr std::array<std::size_t, 2> kSizes{128, kRecycledBytes};

/// Pieces of one size.
struct Kept {
  std::array<void*, kMostKept + 1> pieces;
  std::size_t count;
};

struct KeptOfThread {
  std::array<Kept, kSizes.size()> of_size;
  bool ended;  // it keeps no more
};

thread_local constinit KeptOfThread kept{};

class AtTheEnd {
 public:
  AtTheEnd() noexcept = default;
  AtTheEnd(const AtTheEnd&) = delete;
  AtTheEnd& operator=(const AtTheEnd&) = delete;
  ~AtTheEnd() {
    kept.ended = true;
    for (Kept& size : kept.of_size) {
      while (size.count > 0) ::operator delete(size.pieces[--size.count]);
    }
  }
  void is_wanted() noexcept {}
};

thread_local AtTheEnd at_the_end;

constexpr std::size_t size_for(std::size_t bytes) noexcept { return bytes <= kSizes[0] ? 0 : 1; }

}  // namespace

void* take_recycled(std::size_t bytes) noexcept {
  if (bytes > kRecycledBytes) return ::operator new(bytes, std::nothrow);
  const std::size_t size = size_for(bytes);
  Kept& same = kept.of_size[size];
  return same.count > 0 ? same.pieces[--same.count] : ::operator new(kSizes[size], std::nothrow);
}

void give_back_recycled(void* memory, std::size_t bytes) noexcept {
  Kept& same = kept.of_size[size_for(bytes)];
  if (bytes > kRecycledBytes || same.count == kMostKept || kept.ended) {
    ::operator delete(memory);
    return;
  }
  if (same.count == 0) at_the_end.is_wanted();
  same.pieces[same.count++] = memory;
}

}  // namespace remotemedia
