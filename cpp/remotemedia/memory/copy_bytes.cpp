// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/memory/copy_bytes.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>
#define REMOTEMEDIA_STREAMING_STORES 1
#endif

namespace remotemedia {
namespace {

// Pages that are copied side by side, a line of each in turn: each is one stream to the processor, and several keep
// more of the memory busy. A piece that has just come is in the cache.
constexpr std::size_t kPagesOfMemory = 4;
constexpr std::size_t kPagesOfCache = 1;

#if defined(REMOTEMEDIA_STREAMING_STORES)

constexpr std::size_t kLine = 64;
constexpr std::size_t kPage = 4096;

// How far ahead of the copy its source is fetched, in bytes; past the end of it no fault is raised.
constexpr std::size_t kAhead = 512;

// A whole line: one that is written in part would be read first.
void copy_line(std::byte* to, const std::byte* from) noexcept {
  _mm_prefetch(reinterpret_cast<const char*>(reinterpret_cast<std::uintptr_t>(from) + kAhead), _MM_HINT_T0);
  const auto* const source = reinterpret_cast<const __m128i*>(from);
  auto* const target = reinterpret_cast<__m128i*>(to);
  const __m128i first = _mm_loadu_si128(source);
  const __m128i second = _mm_loadu_si128(source + 1);
  const __m128i third = _mm_loadu_si128(source + 2);
  const __m128i fourth = _mm_loadu_si128(source + 3);
  _mm_stream_si128(target, first);
  _mm_stream_si128(target + 1, second);
  _mm_stream_si128(target + 2, third);
  _mm_stream_si128(target + 3, fourth);
}

template <std::size_t kSideBySide>
void copy_past_the_cache(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
  const std::size_t head = std::min(bytes, (kLine - reinterpret_cast<std::uintptr_t>(to) % kLine) % kLine);
  std::memcpy(to, from, head);
  std::size_t copied = head;
  for (; copied + kSideBySide * kPage <= bytes; copied += kSideBySide * kPage) {
    for (std::size_t line = copied; line < copied + kPage; line += kLine) {
      for (std::size_t page = 0; page < kSideBySide; ++page)
        copy_line(to + line + page * kPage, from + line + page * kPage);
    }
  }
  for (; copied + kLine <= bytes; copied += kLine) copy_line(to + copied, from + copied);
  _mm_sfence();  // such stores are ordered by nothing else
  std::memcpy(to + copied, from + copied, bytes - copied);
}

#else

template <std::size_t kSideBySide>
void copy_past_the_cache(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
  std::memcpy(to, from, bytes);
}

#endif

}  // namespace

void copy_bytes(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
  if (bytes >= kStreamingCopyBytes) {
    copy_past_the_cache<kPagesOfMemory>(to, from, bytes);
  } else if (bytes > 0) {
    std::memcpy(to, from, bytes);
  }
}

void copy_bytes_past_cache(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
  if (bytes > 0) copy_past_the_cache<kPagesOfCache>(to, from, bytes);
}

}  // namespace remotemedia
