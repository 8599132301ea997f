// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/attached_client.h"

#include <algorithm>
#include <exception>
#include <span>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/grpc/attach_service.h"
#include "remotemedia/grpc/message_handler.h"
#include "remotemedia/grpc/worker_messages.h"

namespace remotemedia::detail {
namespace {

bool is_of_this_machine(const std::string& peer) {
  return peer.starts_with("unix:") || peer.starts_with("ipv4:127.") || peer.starts_with("ipv6:[::1]") ||
         peer.starts_with("ipv6:%5B::1%5D");
}

}  // namespace

void AttachedClient::read_done(bool ok) noexcept {
  try {
    if (!ok) throw Error(ErrorCode::protocol_error, "there is no request");
    bytes_ = message_bytes(attach(received_message<v1::AttachRequest>(bytes_)));
  } catch (const std::exception&) {
    leave();
    MutexLock lock(mutex_);
    finished_ = true;
    fail(call_, std::current_exception());
    return;
  }
  MutexLock lock(mutex_);
  call_.write(bytes_);
}

v1::AttachEvent AttachedClient::attach(const v1::AttachRequest& request) {
  ClientId id{};
  if (request.client_id().size() != id.size()) {
    throw Error(ErrorCode::protocol_error, "the id of a client has 16 bytes");
  }
  std::ranges::copy(std::as_bytes(std::span(request.client_id())), id.begin());
  const ServedModels::Use model = service_.model_of(request.model());
  model_id_ = model->core.model_id();
  model_ = model;
  attachment_ = service_.callers_.attach(id);
  service_.add(shared_from_this());
  v1::AttachEvent first;
  describe(*model, attachment_->token, *first.mutable_attached());
  if (is_of_this_machine(call_.context().peer())) {
    first.mutable_attached()->set_shared_memory_endpoint(service_.offered(model_id_));
  }
  return first;
}

void AttachedClient::leave() noexcept {
  if (attachment_) {
    const bool last = service_.callers_.detach(attachment_->token);
    const ServedModels::Use model = model_.lock();
    if (last && model != nullptr) model->core.close_client(attachment_->caller->client_id());
  }
  service_.forget(*this);
}

void AttachedClient::write_done(bool ok) noexcept {
  {
    MutexLock lock(mutex_);
    writing_ = false;
    over_ = over_ || !ok;
  }
  go_on();
}

void AttachedClient::drain() noexcept {
  {
    MutexLock lock(mutex_);
    drains_ = true;
  }
  go_on();
}

void AttachedClient::let_go() noexcept {
  {
    MutexLock lock(mutex_);
    over_ = true;
  }
  go_on();
}

void AttachedClient::go_on() noexcept {
  {
    MutexLock lock(mutex_);
    if (writing_ || finished_) return;
    if (!over_) {
      if (!std::exchange(drains_, false)) return;
      v1::AttachEvent event;
      event.set_draining(true);
      bytes_ = message_bytes(event);
      writing_ = true;
      call_.write(bytes_);
      return;
    }
    finished_ = true;
  }
  leave();
  call_.finish({grpc::StatusCode::UNAVAILABLE, "the worker ends"});
}

}  // namespace remotemedia::detail
