// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/worker_link.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include "remotemedia/memory/fork_generation.h"
#include "remotemedia/platform/machine.h"
#include "remotemedia/worker/backoff.h"

namespace remotemedia::detail {
namespace {

/// How long nobody asks whether a connection is still wanted.
constexpr Duration kAskTime = std::chrono::milliseconds{50};
constexpr Duration kLongestTry = std::chrono::seconds{1};  // of those that are not counted

[[noreturn]] void unavailable(const std::string& what) { throw Error(ErrorCode::worker_unavailable, what); }

std::string milliseconds(Duration time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time).count()) + " ms";
}

std::uint64_t seed_from(std::span<const std::byte, 16> client_id) {
  std::uint64_t seed = 0;
  std::memcpy(&seed, client_id.data(), sizeof seed);
  return seed;
}

}  // namespace

WorkerLink::WorkerLink(const EndpointScheme& scheme, std::string endpoint, const ConnectOptions& options,
                       const Clock& clock)
    : scheme_(scheme), endpoint_(std::move(endpoint)), options_(options), clock_(clock), made_in_(fork_generation()) {
  if (options_.transport == Transport::grpc && scheme_.transport == Transport::shared_memory) {
    throw Error(ErrorCode::invalid_argument, "asked for the transport " + std::string(to_string(*options_.transport)) +
                                                 ", but '" + endpoint_ + "' is reached by " +
                                                 std::string(to_string(scheme_.transport)));
  }
  platform::random_bytes(client_id_);
  connect_for_all(std::make_shared<Flight>(), deadline_after(options_.timeout), Tries::until_the_deadline);
}

TimePoint WorkerLink::deadline_after(const std::optional<Duration>& timeout) const {
  return timeout ? later(clock_.now(), *timeout) : TimePoint::max();
}

std::shared_ptr<WorkerConnection> WorkerLink::connection(TimePoint deadline) {
  check_not_inherited();
  std::shared_ptr<Flight> flight;
  {
    MutexLock lock(mutex_);
    for (;;) {
      check_open();
      if (!connection_->is_over()) return connection_;
      if (flight_ == nullptr) break;
      const std::shared_ptr<Flight> others = flight_;
      while (!others->over && clock_.now() < deadline) clock_.wait_until(changed_, mutex_, deadline);
      if (others->error != nullptr) std::rethrow_exception(others->error);
      if (!others->over)
        unavailable("another call still tries to reach '" + endpoint_ + "', and this one's time is up");
    }
    flight = flight_ = std::make_shared<Flight>();
  }
  return connect_for_all(flight, std::min(deadline, deadline_after(options_.timeout)), Tries::counted);
}

// The mutex is not held while a try lasts. close() ends the waiting between them.
std::shared_ptr<WorkerConnection> WorkerLink::connect_for_all(const std::shared_ptr<Flight>& flight, TimePoint deadline,
                                                              Tries tries) {
  std::shared_ptr<WorkerConnection> made;
  std::exception_ptr error;
  bool in_time = true;
  try {
    made = connect(deadline, tries, in_time);
  } catch (...) {
    error = std::current_exception();
  }
  bool closed = false;
  {
    MutexLock lock(mutex_);
    flight->over = true;
    if (in_time) flight->error = error;
    flight_ = nullptr;
    closed = closed_;
    if (made != nullptr && !closed) connection_ = made;
    changed_.notify_all();
  }
  if (error != nullptr) std::rethrow_exception(error);
  if (!closed) return made;
  made->close();
  unavailable("the client of '" + endpoint_ + "' was closed");
}

std::shared_ptr<WorkerConnection> WorkerLink::connect(TimePoint deadline, Tries tries, bool& in_time) {
  const bool until_given_up = tries == Tries::until_the_deadline && options_.given_up != nullptr;
  const TimePoint began = clock_.now();
  Backoff backoff(seed_from(client_id_));
  for (unsigned tried = 1;; ++tried) {
    std::string cause;
    const TimePoint longest = until_given_up ? later(clock_.now(), kLongestTry) : TimePoint::max();
    if (std::shared_ptr<WorkerConnection> made = try_once(std::min(deadline, longest), cause)) return made;
    const bool last = tries == Tries::counted && tried > options_.max_retries;
    in_time = last || sleep(backoff.next(), deadline);
    if (!last && in_time) continue;
    unavailable("no worker at '" + endpoint_ + "' after " + std::to_string(tried) + (tried == 1 ? " try" : " tries") +
                " in " + milliseconds(clock_.now() - began) + ": " + cause);
  }
}

// Null where nobody is there, with what was in the way.
std::shared_ptr<WorkerConnection> WorkerLink::try_once(TimePoint deadline, std::string& cause) const {
  try {
    return scheme_.connect(endpoint_, client_id_, options_, deadline);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::worker_unavailable && error.code() != ErrorCode::deadline_exceeded) throw;
    cause = error.what();
  }
  return nullptr;
}

bool WorkerLink::sleep(Duration time, TimePoint deadline) {
  const TimePoint until = std::min(later(clock_.now(), time), deadline);
  for (;;) {
    if (options_.given_up && options_.given_up()) {
      throw Error(ErrorCode::cancelled, "connecting to '" + endpoint_ + "' was given up");
    }
    MutexLock lock(mutex_);
    check_open();
    const TimePoint now = clock_.now();
    if (now >= until) return now < deadline;
    clock_.wait_until(changed_, mutex_, options_.given_up ? std::min(until, later(now, kAskTime)) : until);
  }
}

std::shared_ptr<WorkerConnection> WorkerLink::newest() const {
  check_not_inherited();
  MutexLock lock(mutex_);
  return connection_;
}

void WorkerLink::close() {
  check_not_inherited();
  std::shared_ptr<WorkerConnection> last;
  {
    MutexLock lock(mutex_);
    if (std::exchange(closed_, true)) return;
    last = connection_;
    changed_.notify_all();
  }
  last->close();
}

bool WorkerLink::is_inherited() const noexcept { return made_in_ != fork_generation(); }

void WorkerLink::check_not_inherited() const {
  if (!is_inherited()) return;
  unavailable("the client of '" + endpoint_ + "' is the parent's of this forked process: connect anew");
}

void WorkerLink::check_open() const {
  if (closed_) unavailable("the client of '" + endpoint_ + "' was closed");
}

}  // namespace remotemedia::detail
