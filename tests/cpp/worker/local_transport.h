// SPDX-License-Identifier: Apache-2.0
//
// LocalTransport: the scheme "local:", by which clients and workers of one process meet, and what tests may do to it.

#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "remotemedia/base/error.h"
#include "remotemedia/worker/transport.h"
#include "testing/event_count.h"

namespace remotemedia::testing {

/// Calls the worker directly.
class LocalConnection final : public detail::WorkerConnection, public std::enable_shared_from_this<LocalConnection> {
 public:
  LocalConnection(const detail::ServedWorker& worker, std::uint64_t client_id);

  Transport transport() const noexcept override { return Transport::shared_memory; }
  const detail::WorkerDescription& worker() const noexcept override { return description_; }
  bool is_over() const noexcept override;
  TensorBuffer allocate(const Dims& shape, DataType dtype) override;
  using WorkerConnection::submit;
  std::uint64_t submit(const TensorMap& inputs, detail::Call&& call, detail::ReceivedBy receiver,
                       detail::Waiting waiting) override;
  void cancel(std::uint64_t call) noexcept override;
  void answers_read(std::uint64_t call, std::uint32_t count) noexcept override;
  void close_session(const std::string& session_id) override;
  bool receive_until(std::uint64_t /*call*/, detail::ReceivedBy /*receiver*/, const std::function<bool()>& done,
                     TimePoint deadline) override;
  WorkerInfo status(TimePoint deadline) override;
  detail::HealthReport health(TimePoint deadline) override;
  void close() noexcept override;

  /// As when the worker dies: what waits is answered with worker_unavailable.
  void break_off();

  EventCount cancels;
  EventCount submitted;

 private:
  struct Pending {
    std::function<void(detail::Answer)> on_answer;
    detail::RequestPtr request;
  };

  void deliver(std::uint64_t number, detail::Answer answer);
  detail::RequestPtr request_of(std::uint64_t number) const;
  void check_open() const;

  const detail::ServedWorker served_;
  const std::shared_ptr<detail::Caller> caller_;
  detail::WorkerDescription description_;
  mutable std::mutex mutex_;
  std::condition_variable answered_;
  bool over_ = false;
  std::uint64_t last_ = 0;
  std::map<std::uint64_t, Pending> pending_;
};

/// All that listen and connect in this process.
class LocalTransport {
 public:
  static LocalTransport& instance();

  /// Forgets what a test has done.
  void reset();

  /// So many connections are refused, and the next one's first call is lost on its way.
  void refuse_next(int connections);
  void lose_next_call();
  bool takes_call_away();

  /// Tries to connect, and connections.
  EventCount tries;
  std::vector<std::shared_ptr<LocalConnection>> connections() const;
  std::shared_ptr<LocalConnection> newest() const { return connections().back(); }

  /// What listeners were told, in order: "listen local:a", "drain local:a", "stop local:a".
  std::vector<std::string> told() const;

  /// Says worker_unavailable if nobody is there.
  std::shared_ptr<LocalConnection> connect(const std::string& endpoint, std::span<const std::byte, 16> client_id);
  void add(const std::string& endpoint, const detail::ServedWorker& worker);
  void remove(const std::string& endpoint);
  void tell(const std::string& what);

 private:
  mutable std::mutex mutex_;
  std::map<std::string, detail::ServedWorker> workers_;
  std::vector<std::shared_ptr<LocalConnection>> connections_;
  std::vector<std::string> told_;
  int refused_ = 0;
  bool loses_call_ = false;
};

/// Bytes of shared memory that each listener says it has.
inline constexpr std::size_t kLocalListenerBytes = 4096;

}  // namespace remotemedia::testing
