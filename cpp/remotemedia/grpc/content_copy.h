// SPDX-License-Identifier: Apache-2.0
//
// copy_content: bytes out of a message as gRPC received it, which is in pieces.

#pragma once

#include <google/protobuf/io/coded_stream.h>

#include <algorithm>
#include <cstddef>
#include <span>

#include "remotemedia/memory/copy_bytes.h"

namespace remotemedia::detail {

/// Contents from here on are not written through the cache, most of which they would take.
inline constexpr std::size_t kStreamedContent = std::size_t{2} << 20;

/// whole: the bytes of all that is copied, of which this may be a part.
///
/// Returns:  false where the message ends before.
inline bool copy_content(google::protobuf::io::CodedInputStream& in, std::span<std::byte> to, std::size_t whole) {
  while (!to.empty()) {
    const void* piece = nullptr;
    int there = 0;
    if (!in.GetDirectBufferPointer(&piece, &there)) return false;
    const std::size_t bytes = std::min(to.size(), static_cast<std::size_t>(there));
    const auto* const from = static_cast<const std::byte*>(piece);
    if (whole >= kStreamedContent) {
      copy_bytes_past_cache(to.data(), from, bytes);
    } else {
      copy_bytes(to.data(), from, bytes);
    }
    if (!in.Skip(static_cast<int>(bytes))) return false;
    to = to.subspan(bytes);
  }
  return true;
}

}  // namespace remotemedia::detail
