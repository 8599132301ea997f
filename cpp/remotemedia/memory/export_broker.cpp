// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/memory/export_broker.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <system_error>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/base/mutex.h"
#include "remotemedia/memory/export_table.h"
#include "remotemedia/memory/once_per_process.h"
#include "remotemedia/platform/machine.h"
#include "remotemedia/platform/monotonic_clock.h"
#include "remotemedia/platform/os_error.h"
#include "remotemedia/platform/waiting.h"

namespace remotemedia {
namespace {

constexpr TimePoint kNoWait{};                  // long past
constexpr std::chrono::milliseconds kRest{20};  // where the system refuses again and again
constexpr int kFairShare = 16;                  // callers

struct Running {
  Mutex mutex;
  ExportBroker* broker REMOTEMEDIA_GUARDED_BY(mutex) = nullptr;
  bool over REMOTEMEDIA_GUARDED_BY(mutex) = false;
};

constinit OncePerProcess<Running> running;

struct StopAtExit {
  StopAtExit() noexcept = default;
  StopAtExit(const StopAtExit&) = delete;
  StopAtExit& operator=(const StopAtExit&) = delete;
  ~StopAtExit() {
    Running* const ours = running.existing();
    if (ours == nullptr) return;
    ExportBroker* broker = nullptr;
    {
      MutexLock lock(ours->mutex);
      ours->over = true;
      broker = ours->broker;
    }
    if (broker != nullptr) broker->stop();
  }
};

}  // namespace

BrokerName ExportBroker::name_of_running() {
  [[maybe_unused]] static StopAtExit stop_at_exit;
  Running& ours = running.get();
  MutexLock lock(ours.mutex);
  if (ours.over) throw Error(ErrorCode::shared_memory_unavailable, "nothing is exported while the process ends");
  if (ours.broker == nullptr) ours.broker = std::make_unique<ExportBroker>().release();
  return ours.broker->name_;
}

void ExportBroker::look_at_leases() noexcept {
  Running* const ours = running.existing();
  if (ours == nullptr) return;
  MutexLock lock(ours->mutex);
  if (ours->broker != nullptr && !ours->over) ours->broker->doorbell_->ring();
}

ExportBroker::ExportBroker() : accept_from_(kNoWait) {
  platform::remove_dead_addresses(platform::run_directory());
  platform::random_bytes(name_);
  (void)ExportTable::process();  // so that the thread need not
  doorbell_.set(platform::Doorbell::create());
  listener_.set(platform::ChannelListener::listen(broker_address(name_)));
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& error) {
    throw platform::OsError("pthread_create", error.code().value(), "start the thread that serves importers");
  }
}

void ExportBroker::stop() noexcept {
  ending_ = true;
  doorbell_->ring();
  thread_.join();
  listener_.reset();
}

void ExportBroker::run() noexcept {
  while (!ending_) {
    try {
      serve_once();
    } catch (const std::exception&) {
      std::this_thread::sleep_for(kRest);
    }
  }
}

void ExportBroker::serve_once() {
  const TimePoint now = monotonic_clock().now();
  const std::optional<Duration> lease = ExportTable::process().end_overdue();
  TimePoint until = lease ? later(now, *lease) : TimePoint::max();
  const bool accepts = now >= accept_from_;
  if (!accepts) until = std::min(until, accept_from_);

  std::vector<platform::NativeHandle> handles;
  handles.reserve(connections_.size() + 2);
  for (const auto& connection : connections_) handles.push_back(connection->wait_handle());
  handles.push_back(doorbell_->wait_handle());
  if (accepts) handles.push_back(listener_->wait_handle());

  bool somebody_calls = false;
  for (const std::size_t i : platform::wait_for_any(handles, until)) {
    if (i < connections_.size()) {
      if (!connections_[i]->serve()) connections_[i].reset();
    } else if (i == connections_.size()) {
      doorbell_->wait(kNoWait);
    } else {
      somebody_calls = true;
    }
  }
  std::erase(connections_, nullptr);
  if (somebody_calls) accept_all();
}

void ExportBroker::accept_all() noexcept {
  try {
    for (int i = 0; i < kFairShare; ++i) {
      std::optional<platform::DescriptorChannel> channel = listener_->accept(kNoWait);
      if (!channel) return;
      auto connection = std::make_unique<ImporterConnection>(*std::move(channel));
      if (has_room_for(*connection)) connections_.push_back(std::move(connection));
    }
  } catch (const std::exception&) {
    accept_from_ = later(monotonic_clock().now(), kRest);
  }
}

bool ExportBroker::has_room_for(const ImporterConnection& connection) const noexcept {
  if (connections_.size() >= kMaxImporterConnections) return false;
  const auto of_that_process =
      std::ranges::count_if(connections_, [&](const auto& other) { return other->process() == connection.process(); });
  return connection.process() == 0 || static_cast<std::size_t>(of_that_process) < kMaxConnectionsOfOneProcess;
}

}  // namespace remotemedia
