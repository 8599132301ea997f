// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/lease_stream.h"

#include <limits>
#include <utility>

#include "remotemedia/grpc/received_message.h"
#include "remotemedia/platform/monotonic_clock.h"

namespace remotemedia::detail {

// Nothing that it hears waits: of progress the latest is kept.
LeaseStream::LeaseStream() : OutgoingStream(std::numeric_limits<std::size_t>::max()) {}

LeaseStream::News LeaseStream::next(TimePoint deadline) {
  MutexLock lock(mutex_);
  while (!news_.any() && error_ == nullptr && monotonic_clock().now() < deadline) {
    monotonic_clock().wait_until(changed_, mutex_, deadline);
  }
  if (error_ != nullptr) std::rethrow_exception(error_);
  return std::exchange(news_, {});
}

bool LeaseStream::is_over() const noexcept {
  MutexLock lock(mutex_);
  return over_;
}

void LeaseStream::heard(const grpc::ByteBuffer& bytes) noexcept {
  MutexLock lock(mutex_);
  try {
    auto event = received_message<v1::GetOrLoadEvent>(bytes);
    if (event.has_progress()) news_.progress = std::move(*event.mutable_progress());
    if (event.has_loaded()) news_.loaded = std::move(*event.mutable_loaded());
  } catch (const std::exception&) {
    error_ = std::current_exception();
  }
  changed_.notify_all();
}

void LeaseStream::ended(const grpc::Status& status) noexcept {
  MutexLock lock(mutex_);
  news_.status = status;
  over_ = true;
  changed_.notify_all();
}

}  // namespace remotemedia::detail
