// SPDX-License-Identifier: Apache-2.0
//
// Transport: the ways on which a worker is reached. A room that has one gives it here; which there are, the room
// `transports` says.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/export.h"
#include "remotemedia/worker/request.h"
#include "remotemedia/worker/wire_access.h"
#include "remotemedia/worker/worker_core.h"

namespace remotemedia {

/// How tensors travel between a client and its worker.
enum class Transport : std::uint8_t { shared_memory, grpc };

REMOTEMEDIA_API std::string_view to_string(Transport transport) noexcept;

struct ConnectOptions {
  /// How long connect() waits for somebody to listen, and every call that has no timeout of its own for a new
  /// connection.
  Duration timeout = std::chrono::seconds{5};

  /// How often a call tries to connect anew after the first time, before it says worker_unavailable.
  unsigned max_retries = 3;

  /// None: shared memory where both sides share machine and user, also where the endpoint is of gRPC.
  std::optional<Transport> transport = std::nullopt;

  /// Of the wire: whom it trusts, and what it shows a worker that asks for a certificate. None: it does not encrypt.
  std::optional<TlsConfig> tls = std::nullopt;

  /// What the worker wants to be told, if it does.
  std::string token = {};

  /// Asked now and then by a thread that tries to connect, between its tries: true, and what it does is cancelled. For
  /// an interrupt. Must not throw.
  std::function<bool()> given_up = {};
};

namespace detail {

class ModelsConnection;

/// What a listener serves.
///
/// Lifetime:  `core` outlives the listener.
struct ServedWorker {
  WorkerCore& core;
  std::function<WorkerInfo()> status;  ///< From any thread.
};

/// Where calls come in.
///
/// Threads:  any.
class REMOTEMEDIA_API WorkerListener {
 public:
  WorkerListener() = default;
  WorkerListener(const WorkerListener&) = delete;
  WorkerListener& operator=(const WorkerListener&) = delete;

  /// As stop().
  virtual ~WorkerListener();

  /// By which clients connect.
  virtual const std::string& endpoint() const noexcept = 0;

  /// Tells the clients that nothing new is accepted.
  virtual void announce_drain() noexcept = 0;

  /// Lets all clients go. Answers that were given before are on their way. Twice is once.
  virtual void stop() noexcept = 0;

  virtual std::size_t shared_memory_bytes() const noexcept = 0;
};

struct HealthReport {
  bool healthy = true;
  std::string reason;
};

/// What a client knows of the worker that it has reached.
struct WorkerDescription {
  std::string worker_id;
  std::string model_id;
  std::string device;
  ModelSignature signature;
  std::int64_t max_batch_size = 0;  ///< Rows of one call, the worker's own limit counted.
};

/// Who receives the answer of a call.
enum class ReceivedBy : std::uint8_t {
  caller,      ///< Whoever made the call, in receive_until(), which is called at once: the quick way.
  connection,  ///< A thread of the connection, or whoever waits for such a call in receive_until().
};

/// Whether a call may wait until it can be sent, for memory that the worker reads.
enum class Waiting : std::uint8_t { allowed, refused };

/// A session with one worker. Once it is over, it stays so.
///
/// Threads:  any.
/// Errors:   worker_unavailable once it is over, and in a forked child.
class REMOTEMEDIA_API WorkerConnection {
 public:
  WorkerConnection() = default;
  WorkerConnection(const WorkerConnection&) = delete;
  WorkerConnection& operator=(const WorkerConnection&) = delete;

  /// As close().
  virtual ~WorkerConnection();

  virtual Transport transport() const noexcept = 0;
  virtual const WorkerDescription& worker() const noexcept = 0;
  virtual bool is_over() const noexcept = 0;

  /// Memory that the worker reads; of the heap where there is no other.
  virtual TensorBuffer allocate(const Dims& shape, DataType dtype) = 0;

  /// Sends a call and returns its number. on_answer is called on whichever thread receives, also before this returns;
  /// never when this throws, and then the worker did not get the call.
  std::uint64_t submit(Call call, ReceivedBy receiver) {
    const TensorMap inputs = std::move(call.inputs);
    return submit(inputs, std::move(call), receiver, Waiting::allowed);
  }

  /// The same with inputs that stay the caller's; those of `call` are none. 0, and nothing is sent, where it would have
  /// to wait and must not.
  virtual std::uint64_t submit(const TensorMap& inputs, Call&& call, ReceivedBy receiver, Waiting waiting) = 0;

  /// Nothing, where the call has ended.
  virtual void cancel(std::uint64_t call) noexcept = 0;
  virtual void answers_read(std::uint64_t call, std::uint32_t count) noexcept = 0;

  virtual void close_session(const std::string& session_id) = 0;

  /// Receives until `done` says so, which is asked after every answer, or until `deadline`; whether it did. Waiting
  /// here for an answer to `call`, which `receiver` receives, is quicker than waiting elsewhere for on_answer.
  virtual bool receive_until(std::uint64_t call, ReceivedBy receiver, const std::function<bool()>& done,
                             TimePoint deadline) = 0;

  /// Whether receive_until() may be called for ReceivedBy::connection. The connection's thread lets whoever does so
  /// receive, and takes over a moment after the last one.
  virtual bool lets_others_receive() const noexcept { return false; }

  /// A thread took an answer that the connection had received, without having been told of it. Such a thread would as
  /// well receive itself, and is let.
  virtual void answer_taken() noexcept {}

  virtual WorkerInfo status(TimePoint deadline) = 0;
  virtual HealthReport health(TimePoint deadline) = 0;

  /// Ends it; what waits is answered with worker_unavailable.
  virtual void close() noexcept = 0;
};

/// All that begins with `scheme`, as "unix:".
struct EndpointScheme {
  std::string_view scheme;
  Transport transport = Transport::shared_memory;

  /// Errors:  invalid_argument for an address that makes no sense; platform::OsError, EADDRINUSE among them.
  std::unique_ptr<WorkerListener> (*listen)(const ServedWorker& worker, const std::string& endpoint);

  /// Tries once.
  ///
  /// Errors:  worker_unavailable if nobody is there; deadline_exceeded; protocol_error; rejected;
  ///          shared_memory_unavailable where options.transport asks for it and the worker has none for this client.
  std::shared_ptr<WorkerConnection> (*connect)(const std::string& endpoint, std::span<const std::byte, 16> client_id,
                                               const ConnectOptions& options, TimePoint deadline);

  /// Where a worker listens that was not told.
  std::string (*default_endpoint)();

  /// For RemoteModels.
  ///
  /// Errors:  as connect; invalid_argument where this way has nothing of the kind.
  std::shared_ptr<ModelsConnection> (*connect_models)(const std::string& endpoint, const ConnectOptions& options);
};

/// Those of this build; the first is the default. Defined in the room `transports`, which sees them all.
REMOTEMEDIA_API std::span<const EndpointScheme> endpoint_schemes() noexcept;

/// Errors:  invalid_argument that names those there are.
REMOTEMEDIA_API const EndpointScheme& scheme_of(const std::string& endpoint);

}  // namespace detail
}  // namespace remotemedia
