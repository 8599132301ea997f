// SPDX-License-Identifier: Apache-2.0
//
// Request: one accepted call on its way through a worker; Caller: whoever made it, as the worker knows them.

#pragma once

#include <atomic>
#include <compare>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/export.h"
#include "remotemedia/worker/answer_function.h"
#include "remotemedia/worker/call_trace.h"
#include "remotemedia/worker/parameters.h"
#include "remotemedia/worker/tensor_map.h"

namespace remotemedia::detail {

/// Numbers the clients of this process's workers, by whatever way they come.
REMOTEMEDIA_API std::uint64_t new_client_id() noexcept;

/// One client. Its sessions and limits are those of client_id, whatever connection it comes by.
///
/// Threads:  all functions are called from any thread, without a lock of the worker.
class REMOTEMEDIA_API Caller {
 public:
  /// transport: as CallTrace has it, a literal. place: of the source where its calls come from, unless that is the
  /// first one that the worker has.
  explicit Caller(std::uint64_t client_id, std::string_view transport = {}, const void* place = nullptr) noexcept
      : client_id_(client_id), transport_(transport), place_(place) {}
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;
  virtual ~Caller();

  std::uint64_t client_id() const noexcept { return client_id_; }
  std::string_view transport() const noexcept { return transport_; }
  const void* place() const noexcept { return place_; }

  /// Memory that the client reads.
  virtual TensorBuffer allocate(const Dims& shape, DataType dtype) = 0;

 private:
  std::uint64_t client_id_;
  std::string_view transport_;
  const void* place_;
};

/// Where calls come from, for one instance that has nothing to do: it looks for the next call itself, and sleeps there,
/// rather than sleep until another thread has taken the call and wakes it.
///
/// Threads:  one instance at a time, without a lock of the worker; end_wait() any, with one.
class REMOTEMEDIA_API CallSource {
 public:
  CallSource() = default;
  CallSource(const CallSource&) = delete;
  CallSource& operator=(const CallSource&) = delete;
  virtual ~CallSource();

  /// What the callers of its calls have as their place.
  virtual const void* place() const noexcept { return this; }

  /// Whether look() is called before wait(). Otherwise an instance that has nothing to do waits there at once, and is
  /// to look for twice as long: its callers take longer between two calls.
  virtual bool has_looks() const noexcept { return true; }

  /// Submits what has come; whether there was something.
  virtual bool look() noexcept = 0;

  /// Waits until calls come, which it submits, or end_wait() is called; sometimes it returns for nothing. False where
  /// it cannot: somebody else is to look then.
  ///
  /// looks_until:  it does not sleep before, unless it has looks.
  virtual bool wait(TimePoint looks_until) noexcept = 0;

  /// Ends a wait(), or the next one.
  virtual void end_wait() noexcept = 0;

  /// No instance will look for a while.
  virtual void end_looks() noexcept = 0;
};

/// What a call ends with, or one answer of a stream.
struct Answer {
  TensorMap outputs;
  std::exception_ptr error;  ///< With it the call is over, and `outputs` empty.
  bool last = true;
  TensorMap inputs = {};  ///< Of the call, with the last one: let go by whoever sends it.
};

/// What is asked of a worker.
struct Call {
  TensorMap inputs;
  Parameters parameters;
  std::optional<std::string> session_id;
  int priority = 0;  ///< Higher runs first.
  TimePoint deadline = TimePoint::max();
  bool stream = false;
  std::shared_ptr<const TraceContext> trace;  ///< Null for none. Not compared when calls are put together.

  /// Called once with the last answer, and before that with each one of a stream, whose last has no outputs; by one
  /// thread at a time, without a lock of the worker. Must not throw.
  AnswerFunction on_answer;
};

/// A session, as a worker knows it: equal names of two clients are two sessions.
struct SessionKey {
  std::uint64_t client_id = 0;
  std::string session_id;

  auto operator<=>(const SessionKey&) const = default;  // NOLINT(modernize-use-nullptr): clang-tidy 14's mistake
};

/// Guarded by the mutex of its worker, but for what never changes and `over`.
struct Request {
  enum class Place { queued, running, ended };

  Request(std::uint64_t number, std::shared_ptr<Caller> from, Call&& what, std::int64_t row_count, TimePoint now)
      : id(number), caller(std::move(from)), call(std::move(what)), rows(row_count), accepted_at(now) {
    if (call.session_id) session = SessionKey{caller->client_id(), *call.session_id};
  }

  const std::uint64_t id;
  const std::shared_ptr<Caller> caller;
  Call call;
  const std::int64_t rows;
  const TimePoint accepted_at;
  std::optional<SessionKey> session;

  /// It has its last answer. The model reads this.
  std::atomic<bool> over{false};

  Place place = Place::queued;
  TimePoint began_at;                ///< When it was taken out of the queue.
  std::size_t unanswered_at = 0;     ///< Its place among its client's.
  std::unique_ptr<CallTrace> trace;  ///< Of one that is recorded, until it is told.

  // Of a stream:
  std::size_t unread_answers = 0;
  bool giving = false;                ///< An answer is being given: the last one waits for it,
  std::optional<Answer> last_answer;  ///< here.
};

using RequestPtr = std::shared_ptr<Request>;

}  // namespace remotemedia::detail
