// SPDX-License-Identifier: Apache-2.0
//
// ChannelServer: listens on a unix socket and serves all sessions that come by it with one thread, the poller.
//
// While calls come, the poller looks at the rings and asks the system for nothing but a look at the sockets now and
// then; when none has come for WorkerConfig::spin it sleeps until a bell, a message, a death or a caller wakes it.
// While an instance of the worker looks at the rings itself, or sleeps at their bells, the poller has the sockets
// alone.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/mutex.h"
#include "remotemedia/channel/server_session.h"
#include "remotemedia/channel/work_thread.h"
#include "remotemedia/memory/not_inherited.h"
#include "remotemedia/memory/shared_memory_allocator.h"
#include "remotemedia/platform/alarm.h"
#include "remotemedia/platform/descriptor_channel.h"
#include "remotemedia/platform/doorbell.h"
#include "remotemedia/worker/transport.h"

namespace remotemedia::detail {

class ChannelServer final : public WorkerListener, public SessionHost, private CallSource {
 public:
  /// Errors:  platform::OsError, EADDRINUSE among them; invalid_argument for a path that is too long.
  ChannelServer(const ServedWorker& worker, const std::string& endpoint, const std::string& path);
  ~ChannelServer() override;

  const std::string& endpoint() const noexcept override { return endpoint_; }
  void announce_drain() noexcept override;
  void stop() noexcept override;
  std::size_t shared_memory_bytes() const noexcept override;

 private:
  using Sessions = std::vector<std::shared_ptr<ServerSession>>;

  struct KnownClient {
    std::uint64_t number = 0;
    std::size_t sessions = 0;
  };

  const ServedWorker& worker() const noexcept override { return worker_; }
  SharedMemoryAllocator& allocator() noexcept override { return allocator_; }
  std::uint64_t enter(const ClientId& client) override;
  bool leave(const ClientId& client) noexcept override;
  void run_beside(std::function<void()> work) override;
  void run_on_poller(std::function<void()> work) override;
  void wake_poller() noexcept override;
  void rings_made() noexcept override;

  bool look() noexcept override;
  bool wait(TimePoint looks_until) noexcept override;
  void end_wait() noexcept override;
  void end_looks() noexcept override;

  // channel_server_looks.cpp
  struct Bells;
  bool begin_wait(Bells& bells) REMOTEMEDIA_REQUIRES(serving_);
  void end_rest(bool alarm) REMOTEMEDIA_REQUIRES(serving_);
  void wake_up(const Bells& bells, const std::vector<std::size_t>& ready) REMOTEMEDIA_REQUIRES(serving_);
  void run() noexcept;
  bool instance_looks(TimePoint now) noexcept;
  bool serve_rings() REMOTEMEDIA_REQUIRES(serving_);
  /// How long the poller looks at the sockets: not at all; until something comes, the bells of the rings included; or
  /// for as long as it need not look after an instance that has the rings.
  enum class Look { at_once, asleep, beside_an_instance };
  void look_at_sockets(Look look);
  TimePoint begin_look(Look& look, TimePoint now) REMOTEMEDIA_REQUIRES(serving_);
  void serve_ready(const Sessions& sessions, const std::vector<std::size_t>& begins,
                   const std::vector<std::size_t>& ready) REMOTEMEDIA_REQUIRES(serving_);
  bool may_accept(TimePoint now) const REMOTEMEDIA_REQUIRES(serving_);
  void accept_some() REMOTEMEDIA_REQUIRES(serving_);
  void accept(platform::DescriptorChannel channel) REMOTEMEDIA_REQUIRES(serving_);
  std::shared_ptr<ClientProcess> process_of(std::int64_t process) REMOTEMEDIA_REQUIRES(serving_);
  void end_overdue_leases(TimePoint now) REMOTEMEDIA_REQUIRES(serving_);
  void do_posted() REMOTEMEDIA_REQUIRES(serving_);
  template <class Serve>
  void serve(ServerSession& session, Serve serve) noexcept REMOTEMEDIA_REQUIRES(serving_);
  void forget_ended() REMOTEMEDIA_REQUIRES(serving_);
  TimePoint next_wake(TimePoint now) const REMOTEMEDIA_REQUIRES(serving_);
  void end_all() noexcept;

  const ServedWorker worker_;
  const std::string endpoint_;
  const std::uint64_t fork_generation_;
  const std::size_t quota_;  // of each kind of memory, for one process
  SharedMemoryAllocator allocator_;
  NotInherited<platform::ChannelListener> listener_;
  NotInherited<platform::Doorbell> doorbell_;
  NotInherited<platform::Alarm> alarm_;  ///< Wakes the poller where an instance that has woken runs its model for long.
  std::atomic<bool> ending_{false};
  std::atomic<std::size_t> input_bytes_{0};

  // An instance of the worker that looks at the rings, or sleeps there and hears their bells.
  NotInherited<platform::Doorbell> instance_bell_;
  std::atomic<bool> waits_{false};  // set with `serving_` held
  std::atomic<bool> looks_{false};
  std::atomic<std::uint64_t> looked_{0};  // so many times
  std::uint64_t looked_before_ = 0;       // when the poller asked last,
  TimePoint looked_at_;                   // and when it saw that change

  /// Held by whoever serves sessions: the poller, or an instance.
  Mutex serving_;
  Sessions sessions_ REMOTEMEDIA_GUARDED_BY(serving_);
  bool poller_rests_ REMOTEMEDIA_GUARDED_BY(serving_) = false;  ///< An instance that wakes is to set the alarm,
  bool alarm_is_set_ REMOTEMEDIA_GUARDED_BY(serving_) = false;  ///< as it did then.
  std::uint64_t last_session_ REMOTEMEDIA_GUARDED_BY(serving_) = 0;
  std::map<std::int64_t, std::weak_ptr<ClientProcess>> processes_ REMOTEMEDIA_GUARDED_BY(serving_);
  TimePoint accept_from_ REMOTEMEDIA_GUARDED_BY(serving_);
  TimePoint leases_from_ REMOTEMEDIA_GUARDED_BY(serving_);  // when they were looked at last
  std::map<ClientId, KnownClient> clients_;                 // likewise

  Mutex mutex_;
  std::vector<std::function<void()>> posted_ REMOTEMEDIA_GUARDED_BY(mutex_);

  std::unique_ptr<WorkThread> beside_;
  std::thread poller_;
};

}  // namespace remotemedia::detail
