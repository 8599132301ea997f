// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/base/recycled_memory.h"

#include <array>

namespace remotemedia {
namespace {

#ifdef REMOTEMEDIA_RECYCLES_NOTHING
constexpr bool kRecycles = false;
#else
constexpr bool kRecycles = true;
#endif

struct Size {
  std::size_t bytes;
  std::size_t first;  // its part of KeptOfThread::pieces
  std::size_t most;
};

constexpr std::array kSizes{Size{128, 0, 256}, Size{512, 256, 256}, Size{kRecycledBytes, 512, 64}};
constexpr std::size_t kMostKept = kRecycles ? kSizes.back().first + kSizes.back().most : 1;

struct KeptOfThread {
  std::array<void*, kMostKept> pieces;
  std::array<std::size_t, kSizes.size()> counts;
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
    for (std::size_t size = 0; size < kSizes.size(); ++size) {
      while (kept.counts[size] > 0) ::operator delete(kept.pieces[kSizes[size].first + --kept.counts[size]]);
    }
  }
  void is_wanted() noexcept {}
};

thread_local AtTheEnd at_the_end;

constexpr std::size_t size_for(std::size_t bytes) noexcept {
  return bytes <= kSizes[0].bytes ? 0 : bytes <= kSizes[1].bytes ? 1 : 2;
}

}  // namespace

void* take_recycled(std::size_t bytes) noexcept {
  if (!kRecycles || bytes > kRecycledBytes) return ::operator new(bytes, std::nothrow);
  const std::size_t size = size_for(bytes);
  std::size_t& count = kept.counts[size];
  return count > 0 ? kept.pieces[kSizes[size].first + --count] : ::operator new(kSizes[size].bytes, std::nothrow);
}

void give_back_recycled(void* memory, std::size_t bytes) noexcept {
  const std::size_t size = size_for(bytes);
  std::size_t& count = kept.counts[size];
  if (!kRecycles || bytes > kRecycledBytes || count == kSizes[size].most || kept.ended) {
    ::operator delete(memory);
    return;
  }
  if (count == 0) at_the_end.is_wanted();
  kept.pieces[kSizes[size].first + count++] = memory;
}

}  // namespace remotemedia
