// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/attachment.h"

#include <limits>

#include "remotemedia/grpc/client_queue.h"
#include "remotemedia/grpc/received_message.h"
#include "remotemedia/platform/monotonic_clock.h"

namespace remotemedia::detail {

Attachment::Attachment(std::function<void()> on_over)
    : OutgoingStream(std::numeric_limits<std::size_t>::max()), on_over_(std::move(on_over)) {}

std::optional<v1::AttachEvent> Attachment::first(TimePoint deadline) {
  const Prompt prompt;
  MutexLock lock(mutex_);
  while (!first_ && !error_ && !status_ && monotonic_clock().now() < deadline) {
    monotonic_clock().wait_until(changed_, mutex_, deadline);
  }
  if (error_) std::rethrow_exception(error_);
  return first_;
}

std::optional<grpc::Status> Attachment::status() const {
  MutexLock lock(mutex_);
  return status_;
}

void Attachment::wait_until_over() {
  const Prompt prompt;
  MutexLock lock(mutex_);
  while (!status_) changed_.wait(mutex_);
}

void Attachment::heard(const grpc::ByteBuffer& bytes) noexcept {
  MutexLock lock(mutex_);
  try {
    if (!first_) first_ = received_message<v1::AttachEvent>(bytes);
  } catch (const std::exception&) {
    error_ = std::current_exception();
  }
  changed_.notify_all();
}

void Attachment::ended(const grpc::Status& status) noexcept {
  on_over_();
  MutexLock lock(mutex_);
  status_ = status;
  changed_.notify_all();
}

}  // namespace remotemedia::detail
