// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/get_or_load_call.h"

#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/grpc/message_handler.h"
#include "remotemedia/grpc/model_messages.h"

namespace remotemedia::detail {
namespace {

std::exception_ptr cancelled_because(const std::string& why) {
  return std::make_exception_ptr(Error(ErrorCode::cancelled, why));
}

}  // namespace

GetOrLoadCall::GetOrLoadCall(StreamingCall& call, ModelService& service)
    : call_(call), service_(service), peer_(call.context().peer()) {}

void GetOrLoadCall::read_done(bool ok) noexcept {
  try {
    if (!ok) throw Error(ErrorCode::protocol_error, "there is no request");
    request_ = received_message<v1::GetOrLoadRequest>(bytes_);
    ask();
  } catch (const std::exception&) {
    end(std::current_exception());
  }
  {
    MutexLock lock(mutex_);
    busy_ = false;
  }
  go_on();
}

void GetOrLoadCall::ask() {
  static_cast<void>(service_.models_.known(model()));
  const std::shared_ptr<GetOrLoadCall> self = shared_from_this();
  number_ = service_.enter(self);
  ModelLoads::Waiter waiter{.done = [self](const std::exception_ptr& error,
                                           ModelMemory::Lease lease) { self->done(error, std::move(lease)); },
                            .progress = [self](const LoadProgress& progress) { self->progressed(progress); }};
  if (request_.hold()) {
    waiter.taken = [weak = weak_from_this()] {
      const auto call = weak.lock();
      if (call != nullptr) call->end(cancelled_because("the model '" + call->model() + "' was evicted by force"));
    };
  }
  ticket_ = service_.loads_.begin(model(), std::move(waiter));
}

void GetOrLoadCall::progressed(const LoadProgress& progress) noexcept {
  MutexLock lock(mutex_);
  v1::LoadProgress& latest = progress_.emplace();
  latest.set_message(progress.message);
  if (progress.fraction) latest.set_fraction(*progress.fraction);
  if (!end_ && !busy_) write_next();
}

void GetOrLoadCall::done(const std::exception_ptr& error, ModelMemory::Lease lease) noexcept {
  if (error != nullptr) {
    end(error);
    return;
  }
  try {
    v1::GetOrLoadEvent event = loaded();
    MutexLock lock(mutex_);
    if (end_ || finished_) return;
    loaded_ = std::move(event);
    lease_ = std::move(lease);
  } catch (const std::exception&) {
    end(std::current_exception());
    return;
  }
  go_on();
}

v1::GetOrLoadEvent GetOrLoadCall::loaded() const {
  v1::GetOrLoadEvent event;
  v1::Loaded& loaded = *event.mutable_loaded();
  describe(service_.models_, *service_.models_.known(model()), *loaded.mutable_model());
  if (request_.hold()) loaded.set_lease(number_);
  return event;
}

void GetOrLoadCall::write_done(bool ok) noexcept {
  {
    MutexLock lock(mutex_);
    busy_ = false;
    if (!ok && !end_) end_ = cancelled_because("nobody reads this any more");
  }
  go_on();
}

void GetOrLoadCall::cancelled() noexcept { end(cancelled_because("the caller has gone")); }

void GetOrLoadCall::end(const std::exception_ptr& why) noexcept {
  {
    MutexLock lock(mutex_);
    if (!end_) end_ = why;
  }
  go_on();
}

void GetOrLoadCall::write_next() {
  if (progress_) {
    v1::GetOrLoadEvent event;
    *event.mutable_progress() = *std::exchange(progress_, std::nullopt);
    bytes_ = message_bytes(event);
  } else if (loaded_) {
    bytes_ = message_bytes(*std::exchange(loaded_, std::nullopt));
    if (!request_.hold()) end_ = nullptr;
  } else {
    return;
  }
  busy_ = true;
  call_.write(bytes_);
}

void GetOrLoadCall::go_on() noexcept {
  const std::shared_ptr<GetOrLoadCall> self = weak_from_this().lock();
  ModelMemory::Lease lease;
  std::exception_ptr why;
  {
    MutexLock lock(mutex_);
    if (finished_) return;
    if (end_) lease = std::move(lease_);
    if (busy_) return;
    if (!end_) {
      write_next();
      return;
    }
    finished_ = true;
    why = *end_;
  }
  lease.reset();
  if (ticket_ != 0) service_.loads_.leave(model(), ticket_);
  if (number_ != 0) service_.forget(number_);
  if (why != nullptr) {
    fail(call_, why);
  } else {
    call_.finish(grpc::Status::OK);
  }
}

}  // namespace remotemedia::detail
