// SPDX-License-Identifier: Apache-2.0

#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "remotemedia/base/mutex.h"
#include "remotemedia/grpc/infer_handlers.h"
#include "remotemedia/grpc/message_handler.h"
#include "remotemedia/grpc/response_bytes.h"
#include "remotemedia/grpc/submit_infer.h"

namespace remotemedia::detail {
namespace {

/// Of one stream: beyond, it is not read until some are answered.
constexpr std::size_t kMostCalls = 64;

/// Alive until gRPC is done with it and the worker has answered all its calls.
class StreamInferHandler final : public CallHandler, public std::enable_shared_from_this<StreamInferHandler> {
 public:
  StreamInferHandler(StreamingCall& call, const InferService& service) : call_(call), service_(service) {}

  void begin() noexcept override {
    try {
      origin_ = std::make_unique<CallOrigin>(call_origin(call_.context(), service_.callers));
    } catch (const std::exception&) {
      {
        MutexLock lock(mutex_);
        finished_ = true;
      }
      fail(call_, std::current_exception());
      return;
    }
    call_.read(read_);
  }

  void read_done(bool ok) noexcept override {
    if (ok) take();
    {
      MutexLock lock(mutex_);
      reading_ = false;
      reads_are_over_ = !ok;
    }
    go_on();
  }

  void write_done(bool ok) noexcept override {
    std::shared_ptr<InferCall> read;
    {
      MutexLock lock(mutex_);
      read = std::move(writes_.front().call);
      writes_.pop_front();
      writing_ = false;
    }
    if (ok) {
      read->answer_read();
    } else {
      cancelled();
    }
    go_on();
  }

  /// Also where nobody reads any more.
  void cancelled() noexcept override {
    std::vector<std::shared_ptr<InferCall>> calls;
    {
      MutexLock lock(mutex_);
      broken_ = true;
      for (const auto& [call, share] : calls_) calls.push_back(call);
    }
    for (const auto& call : calls) call->cancel();
    go_on();
  }

 private:
  struct Write {
    grpc::ByteBuffer bytes;
    std::shared_ptr<InferCall> call;
  };

  void take() {
    const auto call = std::make_shared<InferCall>(
        [self = shared_from_this()](InferCall& of, Answer&& answer) { self->answered(of, std::move(answer)); });
    {
      MutexLock lock(mutex_);
      calls_.emplace(call, BytesInFlight::Share());
    }
    try {
      BytesInFlight::Share share = share_of(service_, read_.Length());
      {
        MutexLock lock(mutex_);
        calls_[call] = std::move(share);
      }
      const ReceivedRequest request = received_request(read_);
      read_.Clear();
      submit(*call, service_, *origin_, request, true);
    } catch (const std::exception&) {
      Answer answer;
      answer.error = std::current_exception();
      answered(*call, std::move(answer));
    }
    read_.Clear();
    bool broken = false;
    {
      MutexLock lock(mutex_);
      broken = broken_;
    }
    if (broken) call->cancel();
  }

  void answered(InferCall& call, Answer&& answer) {
    const bool last = answer.last;
    grpc::ByteBuffer bytes;
    bool tells = !last || answer.error != nullptr || call.wants_empty_final_response();
    try {
      if (answer.error != nullptr) std::rethrow_exception(answer.error);
      if (!last) {
        bytes = stream_response_bytes(call.head(), std::move(answer.outputs), call.signature());
      } else if (tells) {
        bytes = stream_end_bytes(call.head());
      }
    } catch (const std::exception&) {
      bytes = stream_error_bytes(call.head(), std::current_exception());
      tells = true;
    }
    {
      MutexLock lock(mutex_);
      if (tells && !broken_) writes_.push_back({bytes, call.shared_from_this()});
      if (last) calls_.erase(call.shared_from_this());
    }
    go_on();
  }

  /// Reads on, writes what waits, and ends when there is nothing to come. What is begun here is told elsewhere, so that
  /// the mutex may be held; without it the call could be finished, and gone, by another thread.
  void go_on() noexcept {
    std::deque<Write> dropped;
    MutexLock lock(mutex_);
    if (finished_) return;
    if (broken_ && !writing_) dropped.swap(writes_);
    if (!writing_ && !writes_.empty()) {
      writing_ = true;
      call_.write(writes_.front().bytes);
    }
    if (!reading_ && !reads_are_over_ && !broken_ && calls_.size() < kMostCalls) {
      reading_ = true;
      call_.read(read_);
    }
    finished_ = (reads_are_over_ || broken_) && calls_.empty() && writes_.empty();
    if (finished_) call_.finish(grpc::Status::OK);
  }

  StreamingCall& call_;
  const InferService service_;
  std::unique_ptr<CallOrigin> origin_;
  grpc::ByteBuffer read_;

  Mutex mutex_;
  std::map<std::shared_ptr<InferCall>, BytesInFlight::Share> calls_ REMOTEMEDIA_GUARDED_BY(mutex_);
  std::deque<Write> writes_ REMOTEMEDIA_GUARDED_BY(mutex_);
  bool writing_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;  ///< The first of them.
  bool reading_ REMOTEMEDIA_GUARDED_BY(mutex_) = true;
  bool reads_are_over_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;
  bool broken_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;
  bool finished_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;
};

}  // namespace

std::shared_ptr<CallHandler> stream_infer_handler(StreamingCall& call, const InferService& service) {
  return std::make_shared<StreamInferHandler>(call, service);
}

}  // namespace remotemedia::detail
