// SPDX-License-Identifier: Apache-2.0
//
// GrpcConnection: a client's end over gRPC. Its tensors travel by the calls of the Open Inference Protocol.

#pragma once

#include <grpcpp/client_context.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "remotemedia/base/mutex.h"
#include "remotemedia/grpc/callers.h"
#include "remotemedia/grpc/callers_queue.h"
#include "remotemedia/grpc/client_channel.h"
#include "remotemedia/grpc/session_lines.h"
#include "remotemedia/worker/spin_time.h"
#include "remotemedia/worker/transport.h"

namespace remotemedia::detail {

class ClientCall;
class Attachment;

/// Lifetime:  close() ends it, and waits for gRPC to be done with its calls.
class GrpcConnection final : public WorkerConnection, public std::enable_shared_from_this<GrpcConnection> {
 public:
  /// target: as gRPC takes it. model: empty for the only one.
  ///
  /// Errors:  as EndpointScheme::connect.
  static std::shared_ptr<GrpcConnection> connect(const std::string& endpoint, const std::string& target,
                                                 const ClientId& client, const std::string& model,
                                                 const ConnectOptions& options, TimePoint deadline);

  GrpcConnection(const std::string& endpoint, const std::string& target, const ConnectOptions& options);
  ~GrpcConnection() override;

  Transport transport() const noexcept override { return Transport::grpc; }
  const WorkerDescription& worker() const noexcept override { return worker_; }

  /// Where the worker says that it serves the same by shared memory; empty: nowhere.
  const std::string& shared_memory_endpoint() const noexcept { return shared_memory_endpoint_; }

  bool is_over() const noexcept override;
  TensorBuffer allocate(const Dims& shape, DataType dtype) override;
  using WorkerConnection::submit;
  std::uint64_t submit(const TensorMap& inputs, Call&& call, ReceivedBy receiver, Waiting waiting) override;
  void cancel(std::uint64_t call) noexcept override;
  void answers_read(std::uint64_t call, std::uint32_t count) noexcept override;
  void close_session(const std::string& session_id) override;
  bool receive_until(std::uint64_t call, ReceivedBy receiver, const std::function<bool()>& done,
                     TimePoint deadline) override;
  WorkerInfo status(TimePoint deadline) override;
  HealthReport health(TimePoint deadline) override;
  void close() noexcept override;

  ClientChannel& channel() noexcept { return channel_; }

 private:
  friend class ClientCall;

  void attach(const ClientId& client, const std::string& model, TimePoint deadline);
  void attachment_is_over() noexcept;
  std::vector<std::shared_ptr<ClientCall>> calls() const;
  void check_usable() const;
  std::shared_ptr<ClientCall> make_call(std::uint64_t number, const TensorMap& inputs, const Call& call,
                                        std::function<void(Answer&&)> on_answer, grpc::ByteBuffer& request);
  void heard(const TensorMap& outputs) noexcept;
  std::shared_ptr<ClientCall> find(std::uint64_t call) const;
  bool withdraw(ClientCall& call, const grpc::Status& status) noexcept;
  CallersQueue::Told tell(ClientCall& call, TimePoint deadline);
  void answered() noexcept;
  void is_done(const ClientCall& call) noexcept;
  Error error_of(const grpc::Status& status, std::string_view name, bool cancelled_here) const;
  Error error_of(const grpc::Status& status, const grpc::ClientContext& context, bool cancelled_here = false);
  template <class Response, class Request>
  Response ask(const char* method, const Request& request, TimePoint deadline);

  ClientChannel channel_;
  std::string attachment_token_;
  std::string shared_memory_endpoint_;
  WorkerDescription worker_;
  mutable std::atomic<bool> over_{false};
  std::atomic<std::uint64_t> last_number_{0};
  std::atomic<std::uint64_t> given_{0};        // answers; counted with the mutex
  std::atomic<bool> answers_in_parts_{false};  // are wanted, as the last one was long
  SessionLines lines_;
  std::atomic<bool> caller_looks_{false};
  SpinTime callers_spin_;  // of who does

  mutable Mutex mutex_;
  CondVar changed_;
  std::shared_ptr<Attachment> attachment_ REMOTEMEDIA_GUARDED_BY(mutex_);
  std::map<std::uint64_t, std::shared_ptr<ClientCall>> calls_ REMOTEMEDIA_GUARDED_BY(mutex_);
};

}  // namespace remotemedia::detail
