// SPDX-License-Identifier: Apache-2.0
//
// TraceContext: to which trace a call belongs, as W3C's Trace Context writes it.

#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "remotemedia/base/export.h"

namespace remotemedia {

inline constexpr std::size_t kTraceparentBytes = 55;
inline constexpr std::size_t kMaxTracestateBytes = 512;

struct REMOTEMEDIA_API TraceContext {
  std::string traceparent;  ///< "00-", 32 and 16 hexadecimal digits, and two of flags: the caller's span.
  std::string tracestate;   ///< What vendors add; empty for nothing.

  /// Whether the caller records its span.
  bool sampled() const noexcept;

  bool operator==(const TraceContext&) const = default;
};

/// What these two say; of a newer version what version 00 has of it. Null where `traceparent` is none, or malformed: as
/// the standard has it, a trace begins anew there. A malformed `tracestate` is left out.
REMOTEMEDIA_API std::shared_ptr<const TraceContext> trace_context(std::string_view traceparent,
                                                                  std::string_view tracestate = {});

}  // namespace remotemedia
