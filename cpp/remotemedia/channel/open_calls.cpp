// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/channel/open_calls.h"

#include <algorithm>

namespace remotemedia::detail {
namespace {

constexpr std::size_t kFew = 64;

bool is_over(const RequestPtr& request) noexcept {
  return request == nullptr || request->over.load(std::memory_order_acquire);
}

}  // namespace

RequestPtr OpenCalls::find(std::uint64_t number) const {
  const auto found = first_from(number);
  const bool is_open = found != calls_.end() && found->first == number && !is_over(found->second);
  return is_open ? found->second : nullptr;
}

RequestPtr& OpenCalls::place(std::uint64_t number) {
  forget_ended();
  return calls_.emplace(first_from(number), number, nullptr)->second;
}

std::vector<RequestPtr> OpenCalls::clear() {
  std::vector<RequestPtr> requests;
  for (Numbered& call : std::exchange(calls_, {})) {
    if (!is_over(call.second)) requests.push_back(std::move(call.second));
  }
  return requests;
}

/// Those behind one that lasts are looked for when there are twice as many.
void OpenCalls::forget_ended() {
  while (!calls_.empty() && is_over(calls_.front().second)) calls_.pop_front();
  if (calls_.size() < std::max(kFew, forgets_at_)) return;
  std::erase_if(calls_, [](const Numbered& call) { return is_over(call.second); });
  forgets_at_ = 2 * calls_.size();
}

OpenCalls::Calls::const_iterator OpenCalls::first_from(std::uint64_t number) const {
  if (calls_.empty() || calls_.back().first < number) return calls_.end();
  return std::ranges::lower_bound(calls_, number, {}, &Numbered::first);
}

}  // namespace remotemedia::detail
