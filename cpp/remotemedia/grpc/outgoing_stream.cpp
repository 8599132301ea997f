// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/outgoing_stream.h"

#include <algorithm>
#include <utility>

#include "remotemedia/grpc/client_queue.h"

namespace remotemedia::detail {

void OutgoingStream::start(ClientChannel& channel, const std::string& method, const grpc::ByteBuffer& request) {
  self_ = shared_from_this();
  request_ = request;
  context.set_initial_metadata_corked(true);  // goes out with the message
  stream_ = channel.stream(context, method, client_queue());
  stream_->StartCall(nullptr);
  stream_->WriteLast(request_, grpc::WriteOptions(), written_.tag());
  stream_->Read(&message_, read_.tag());
}

void OutgoingStream::written(bool /*ok*/) noexcept {
  request_.Clear();
  let_go();
}

void OutgoingStream::was_read(bool ok) noexcept {
  if (!ok) {
    stream_->Finish(&status_, finished_.tag());
    return;
  }
  heard(message_);
  message_.Clear();
  {
    MutexLock lock(mutex_);
    rests_ = ++unread_ >= window_;
    if (rests_) return;
  }
  stream_->Read(&message_, read_.tag());
}

void OutgoingStream::messages_read(std::size_t count) noexcept {
  {
    MutexLock lock(mutex_);
    unread_ -= std::min(count, unread_);
    if (!rests_ || unread_ >= window_) return;
    rests_ = false;
  }
  stream_->Read(&message_, read_.tag());
}

void OutgoingStream::cancel() noexcept {
  context.TryCancel();
  messages_read(window_);
}

void OutgoingStream::finished(bool /*ok*/) noexcept {
  ended(status_);
  let_go();
}

void OutgoingStream::let_go() noexcept {
  if (--kept_by_ == 0) const std::shared_ptr<OutgoingStream> last = std::move(self_);
}

}  // namespace remotemedia::detail
