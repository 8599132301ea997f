// SPDX-License-Identifier: Apache-2.0
//
// WorkerLink: a client's way to its worker. It has one connection, and makes another when that is over and somebody
// asks.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/error.h"
#include "remotemedia/base/export.h"
#include "remotemedia/base/mutex.h"
#include "remotemedia/worker/transport.h"

namespace remotemedia::detail {

/// Threads:  all functions may be called from any thread. In a forked child each throws worker_unavailable.
class REMOTEMEDIA_API WorkerLink {
 public:
  /// Connects, and tries until options.timeout while nobody listens.
  ///
  /// Errors:  worker_unavailable if nobody came; invalid_argument if `scheme` has not the transport that was asked for;
  ///          those of EndpointScheme::connect.
  WorkerLink(const EndpointScheme& scheme, std::string endpoint, const ConnectOptions& options, const Clock& clock);
  WorkerLink(const WorkerLink&) = delete;
  WorkerLink& operator=(const WorkerLink&) = delete;
  ~WorkerLink() = default;

  const ConnectOptions& options() const noexcept { return options_; }

  /// The clock's time after `timeout`; never, for none.
  TimePoint deadline_after(const std::optional<Duration>& timeout) const;

  /// A connection that was not over a moment ago. Where there is none, one of those who ask connects for all: once and
  /// max_retries times more, until `deadline` or options.timeout has passed.
  ///
  /// Errors:  worker_unavailable with the endpoint, the number of tries and the last one's error, or after close();
  ///          those of EndpointScheme::connect.
  std::shared_ptr<WorkerConnection> connection(TimePoint deadline);

  /// The newest, over or not.
  std::shared_ptr<WorkerConnection> newest() const;

  /// What `action` gives of a connection; where that throws worker_unavailable, which says that the worker knows
  /// nothing of it, once more of another.
  template <class Action>
  auto with_connection(TimePoint deadline, Action action) {
    const std::shared_ptr<WorkerConnection> first = connection(deadline);
    try {
      return action(first);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::worker_unavailable || options_.max_retries == 0) throw;
    }
    return action(connection(deadline));
  }

  /// Closes the connection; there is no other then.
  void close();

  /// Whether this process is a forked child of the one that made it.
  bool is_inherited() const noexcept;

 private:
  /// One attempt to connect, for all who wait.
  struct Flight {
    bool over = false;
    std::exception_ptr error;  ///< For all; none where only the time of who tried was up.
  };
  enum class Tries { counted, until_the_deadline };

  void check_not_inherited() const;
  void check_open() const REMOTEMEDIA_REQUIRES(mutex_);
  std::shared_ptr<WorkerConnection> connect_for_all(const std::shared_ptr<Flight>& flight, TimePoint deadline,
                                                    Tries tries);
  std::shared_ptr<WorkerConnection> connect(TimePoint deadline, Tries tries, bool& in_time);
  std::shared_ptr<WorkerConnection> try_once(TimePoint deadline, std::string& cause) const;
  bool sleep(Duration time, TimePoint deadline);

  const EndpointScheme& scheme_;
  const std::string endpoint_;
  const ConnectOptions options_;
  const Clock& clock_;
  const std::uint64_t made_in_;
  std::array<std::byte, 16> client_id_{};

  mutable Mutex mutex_;
  CondVar changed_;
  bool closed_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;
  std::shared_ptr<WorkerConnection> connection_ REMOTEMEDIA_GUARDED_BY(mutex_);
  std::shared_ptr<Flight> flight_ REMOTEMEDIA_GUARDED_BY(mutex_);
};

}  // namespace remotemedia::detail
