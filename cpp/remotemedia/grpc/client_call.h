// SPDX-License-Identifier: Apache-2.0
//
// ClientCall: one call of a client over gRPC, with one answer or many.

#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/byte_buffer.h>

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "remotemedia/base/clock.h"
#include "remotemedia/grpc/callers_queue.h"
#include "remotemedia/grpc/client_queue.h"
#include "remotemedia/grpc/completion.h"
#include "remotemedia/grpc/grpc_connection.h"
#include "remotemedia/worker/request.h"

namespace remotemedia::detail {

/// Its answers are given by the thread of client_queue(), or by whoever tells; it lasts until gRPC is done with it.
///
/// Threads:  any.
class ClientCall {
 public:
  using OnAnswer = std::function<void(Answer&&)>;

  /// session: empty for a call of none.
  ClientCall(std::shared_ptr<GrpcConnection> connection, std::uint64_t call, std::string its_session,
             OnAnswer on_answer);
  ClientCall(const ClientCall&) = delete;
  ClientCall& operator=(const ClientCall&) = delete;
  virtual ~ClientCall() = default;

  const std::uint64_t number;
  const std::string session;
  std::atomic<bool> cancelled_here{false};  ///< Not by the worker, or because the connection is over.

  virtual grpc::ClientContext& metadata() noexcept = 0;  ///< To be added to before it starts.
  virtual void start(const grpc::ByteBuffer& request) = 0;
  virtual void answers_read(std::uint32_t /*count*/) noexcept {}
  virtual void cancel() noexcept = 0;

  /// With one answer or many.
  static std::shared_ptr<ClientCall> make(bool stream, std::shared_ptr<GrpcConnection> connection, std::uint64_t number,
                                          std::string session, OnAnswer on_answer);

  /// Before it starts, one of both: who is told its answer, and as soon as it comes.
  void receive_at_once() { prompt_.emplace(); }
  void receive_by_caller() {
    prompt_.reset();
    callers_.emplace();
  }

  /// Waits for what comes next of one that its caller receives, and gives the answer with the last of it; of all others
  /// that is done elsewhere.
  CallersQueue::Told tell(TimePoint looks_until, TimePoint deadline) {
    return callers_ ? callers_->tell(looks_until, deadline) : CallersQueue::Told::elsewhere;
  }

  /// Until it is over, or somebody else tells.
  void tell_all() {
    while (tell(TimePoint{}, TimePoint::max()) == CallersQueue::Told::here) continue;
  }

  /// Before it waits for its turn: it does no longer than this.
  void wait_at_most_until(std::shared_ptr<ClientCall> self, TimePoint deadline);

  /// Gives the last answer, unless it was given. Of one that has started gRPC does this.
  void is_done(const grpc::Status& status) noexcept;

 protected:
  GrpcConnection& connection() const noexcept { return *connection_; }
  grpc::CompletionQueue& queue() noexcept { return callers_ ? callers_->get() : client_queue(); }
  void give(Answer&& answer) noexcept;
  void give_error(const std::exception_ptr& error) noexcept;
  Error error_of(const grpc::Status& status, std::string_view name) const;
  bool has_ended() const noexcept { return ended_; }

 private:
  std::shared_ptr<GrpcConnection> connection_;  ///< Until it is done.
  const std::weak_ptr<GrpcConnection> waits_at_;
  OnAnswer on_answer_;
  bool ended_ = false;  ///< The last one was given.
  std::optional<CallersQueue> callers_;
  std::optional<Prompt> prompt_;

  void rang(bool ok) noexcept;
  std::shared_ptr<ClientCall> kept_by_alarm_;
  std::optional<grpc::Alarm> alarm_;
  CompletionOf<ClientCall, &ClientCall::rang> rang_{*this};
};

}  // namespace remotemedia::detail
