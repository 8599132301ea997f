// SPDX-License-Identifier: Apache-2.0

#include "worker/local_transport.h"

#include <array>
#include <cstring>
#include <utility>

#include "remotemedia/worker/worker_core.h"
#include "worker/accepted_requests.h"

namespace remotemedia {
namespace testing {
namespace {

Error gone() { return Error(ErrorCode::worker_unavailable, "the worker has gone"); }

class LocalListener final : public detail::WorkerListener {
 public:
  LocalListener(const detail::ServedWorker& worker, std::string endpoint) : endpoint_(std::move(endpoint)) {
    LocalTransport::instance().add(endpoint_, worker);
  }
  ~LocalListener() override { stop(); }

  const std::string& endpoint() const noexcept override { return endpoint_; }
  void announce_drain() noexcept override { LocalTransport::instance().tell("drain " + endpoint_); }
  void stop() noexcept override {
    if (!std::exchange(stopped_, true)) LocalTransport::instance().remove(endpoint_);
  }
  std::size_t shared_memory_bytes() const noexcept override { return kLocalListenerBytes; }

 private:
  const std::string endpoint_;
  bool stopped_ = false;
};

std::unique_ptr<detail::WorkerListener> listen(const detail::ServedWorker& worker, const std::string& endpoint) {
  return std::make_unique<LocalListener>(worker, endpoint);
}

std::shared_ptr<detail::WorkerConnection> connect(const std::string& endpoint, std::span<const std::byte, 16> client_id,
                                                  const ConnectOptions& /*options*/, TimePoint) {
  return LocalTransport::instance().connect(endpoint, client_id);
}

std::string default_endpoint() { return "local:default"; }

}  // namespace

LocalConnection::LocalConnection(const detail::ServedWorker& worker, std::uint64_t client_id)
    : served_(worker), caller_(std::make_shared<LocalCaller>(client_id)) {
  description_.model_id = served_.core.model_id();
  description_.signature = served_.core.signature();
  description_.max_batch_size = served_.core.max_batch_size();
}

bool LocalConnection::is_over() const noexcept {
  const std::lock_guard lock(mutex_);
  return over_;
}

void LocalConnection::check_open() const {
  if (is_over()) throw gone();
}

TensorBuffer LocalConnection::allocate(const Dims& shape, DataType dtype) {
  check_open();
  return TensorBuffer::allocate(shape, dtype);
}

std::uint64_t LocalConnection::submit(const TensorMap& inputs, detail::Call&& call, detail::ReceivedBy,
                                      detail::Waiting) {
  if (LocalTransport::instance().takes_call_away()) break_off();
  check_open();
  std::uint64_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    number = ++last_;
    pending_[number].on_answer = std::move(call.on_answer);
  }
  call.inputs = inputs;
  call.on_answer = [self = shared_from_this(), number](detail::Answer answer) {
    self->deliver(number, std::move(answer));
  };
  try {
    const detail::RequestPtr request = served_.core.submit(caller_, std::move(call));
    const std::lock_guard lock(mutex_);
    if (const auto place = pending_.find(number); place != pending_.end()) place->second.request = request;
  } catch (const Error&) {
    deliver(number, {{}, std::current_exception(), true});
  }
  submitted.add();
  return number;
}

void LocalConnection::deliver(std::uint64_t number, detail::Answer answer) {
  std::function<void(detail::Answer)> give;
  {
    const std::lock_guard lock(mutex_);
    const auto place = pending_.find(number);
    if (place == pending_.end()) return;
    give = place->second.on_answer;
    if (answer.last) pending_.erase(place);
  }
  give(std::move(answer));
  const std::lock_guard lock(mutex_);
  answered_.notify_all();
}

detail::RequestPtr LocalConnection::request_of(std::uint64_t number) const {
  const std::lock_guard lock(mutex_);
  const auto place = pending_.find(number);
  return place == pending_.end() ? nullptr : place->second.request;
}

void LocalConnection::cancel(std::uint64_t call) noexcept {
  if (const detail::RequestPtr request = request_of(call)) served_.core.cancel(request);
  cancels.add();
}

void LocalConnection::answers_read(std::uint64_t call, std::uint32_t count) noexcept {
  if (const detail::RequestPtr request = request_of(call)) served_.core.answers_read(request, count);
}

void LocalConnection::close_session(const std::string& session_id) {
  check_open();
  served_.core.close_session({caller_->client_id(), session_id});
}

bool LocalConnection::receive_until(std::uint64_t /*call*/, detail::ReceivedBy /*receiver*/,
                                    const std::function<bool()>& done, TimePoint deadline) {
  std::unique_lock lock(mutex_);
  if (deadline != TimePoint::max()) return answered_.wait_until(lock, deadline, done);
  answered_.wait(lock, done);
  return true;
}

WorkerInfo LocalConnection::status(TimePoint) {
  check_open();
  return served_.status();
}

detail::HealthReport LocalConnection::health(TimePoint) {
  check_open();
  return {.healthy = served_.core.healthy(), .reason = {}};
}

void LocalConnection::close() noexcept { break_off(); }

void LocalConnection::break_off() {
  std::map<std::uint64_t, Pending> ended;
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
    ended.swap(pending_);
  }
  for (auto& [number, pending] : ended) pending.on_answer({{}, std::make_exception_ptr(gone()), true});
  const std::lock_guard lock(mutex_);
  answered_.notify_all();
}

LocalTransport& LocalTransport::instance() {
  static LocalTransport all;
  return all;
}

void LocalTransport::reset() {
  const std::lock_guard lock(mutex_);
  connections_.clear();
  told_.clear();
  refused_ = 0;
  loses_call_ = false;
}

void LocalTransport::refuse_next(int connections) {
  const std::lock_guard lock(mutex_);
  refused_ = connections;
}

void LocalTransport::lose_next_call() {
  const std::lock_guard lock(mutex_);
  loses_call_ = true;
}

bool LocalTransport::takes_call_away() {
  const std::lock_guard lock(mutex_);
  return std::exchange(loses_call_, false);
}

std::vector<std::shared_ptr<LocalConnection>> LocalTransport::connections() const {
  const std::lock_guard lock(mutex_);
  return connections_;
}

std::vector<std::string> LocalTransport::told() const {
  const std::lock_guard lock(mutex_);
  return told_;
}

std::shared_ptr<LocalConnection> LocalTransport::connect(const std::string& endpoint,
                                                         std::span<const std::byte, 16> client_id) {
  tries.add();
  std::uint64_t id = 0;
  std::memcpy(&id, client_id.data(), sizeof id);
  const std::lock_guard lock(mutex_);
  const auto place = workers_.find(endpoint);
  if (place == workers_.end() || refused_ > 0) {
    if (refused_ > 0) --refused_;
    throw Error(ErrorCode::worker_unavailable, "nobody listens");
  }
  connections_.push_back(std::make_shared<LocalConnection>(place->second, id));
  return connections_.back();
}

void LocalTransport::add(const std::string& endpoint, const detail::ServedWorker& worker) {
  const std::lock_guard lock(mutex_);
  if (!workers_.emplace(endpoint, worker).second) {
    throw Error(ErrorCode::shared_memory_unavailable, "a living process serves " + endpoint);
  }
  told_.push_back("listen " + endpoint);
}

void LocalTransport::remove(const std::string& endpoint) {
  std::vector<std::shared_ptr<LocalConnection>> ended;
  {
    const std::lock_guard lock(mutex_);
    workers_.erase(endpoint);
    told_.push_back("stop " + endpoint);
    ended = connections_;
  }
  for (const auto& connection : ended) connection->break_off();
}

void LocalTransport::tell(const std::string& what) {
  const std::lock_guard lock(mutex_);
  told_.push_back(what);
}

}  // namespace testing

namespace detail {

std::span<const EndpointScheme> endpoint_schemes() noexcept {
  static const std::array<EndpointScheme, 1> schemes{
      {{"local:", Transport::shared_memory, &testing::listen, &testing::connect, &testing::default_endpoint, nullptr}}};
  return schemes;
}

}  // namespace detail
}  // namespace remotemedia
