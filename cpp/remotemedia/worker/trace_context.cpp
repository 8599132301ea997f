// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/trace_context.h"

#include <algorithm>

namespace remotemedia {
namespace {

constexpr std::size_t kMaxVendors = 32;

/// Of a character; 16 for one that is no lower-case digit.
unsigned digit_of(char letter) noexcept {
  if (letter >= '0' && letter <= '9') return static_cast<unsigned>(letter - '0');
  return letter >= 'a' && letter <= 'f' ? static_cast<unsigned>(letter - 'a') + 10 : 16;
}

bool are_digits(std::string_view text) noexcept {
  return std::ranges::all_of(text, [](char each) { return digit_of(each) < 16; });
}

bool are_zeros(std::string_view text) noexcept { return text.find_first_not_of('0') == std::string_view::npos; }

std::string_view without_spaces(std::string_view text) noexcept {
  constexpr std::string_view kSpaces = " \t";
  const std::size_t first = std::min(text.find_first_not_of(kSpaces), text.size());
  return text.substr(first, text.find_last_not_of(kSpaces) + 1 - first);
}

bool is_tracestate(std::string_view text) noexcept {
  const auto is_printable = [](char each) { return each >= ' ' && each <= '~'; };
  return text.size() <= kMaxTracestateBytes && std::ranges::all_of(text, is_printable) &&
         std::ranges::count(text, ',') < static_cast<std::ptrdiff_t>(kMaxVendors);
}

}  // namespace

bool TraceContext::sampled() const noexcept {
  return traceparent.size() == kTraceparentBytes && (digit_of(traceparent.back()) & 1) != 0;
}

std::shared_ptr<const TraceContext> trace_context(std::string_view traceparent, std::string_view tracestate) {
  traceparent = without_spaces(traceparent);
  if (traceparent.size() < kTraceparentBytes) return nullptr;
  const std::string_view version = traceparent.substr(0, 2);
  const std::string_view trace_id = traceparent.substr(3, 32);
  const std::string_view parent_id = traceparent.substr(36, 16);
  const std::string_view flags = traceparent.substr(53, 2);
  const bool in_parts = traceparent[2] == '-' && traceparent[35] == '-' && traceparent[52] == '-';
  if (!in_parts || !are_digits(version) || !are_digits(trace_id) || !are_digits(parent_id) || !are_digits(flags)) {
    return nullptr;
  }
  if (version == "ff" || are_zeros(trace_id) || are_zeros(parent_id)) return nullptr;
  const bool is_newer = version != "00";
  if (traceparent.size() > kTraceparentBytes && (!is_newer || traceparent[kTraceparentBytes] != '-')) return nullptr;

  auto context = std::make_shared<TraceContext>();
  context->traceparent = traceparent.substr(0, kTraceparentBytes);
  if (is_newer) {
    context->traceparent.replace(0, 2, "00");
    context->traceparent.replace(53, 2, (digit_of(flags[1]) & 1) != 0 ? "01" : "00");
  }
  tracestate = without_spaces(tracestate);
  if (is_tracestate(tracestate)) context->tracestate = tracestate;
  return context;
}

}  // namespace remotemedia
