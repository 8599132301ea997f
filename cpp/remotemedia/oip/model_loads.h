// SPDX-License-Identifier: Apache-2.0
//
// ModelLoads: loads that clients ask for, on threads of their own: whoever reads requests goes on. All who ask for a
// model while it is being loaded wait for the same load.

#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>

#include "remotemedia/base/export.h"
#include "remotemedia/base/mutex.h"
#include "remotemedia/oip/served_models.h"
#include "remotemedia/registry/load_options.h"
#include "remotemedia/worker/model_memory.h"

namespace remotemedia::detail {

/// Threads:   any.
/// Lifetime:  `models` outlives it.
class REMOTEMEDIA_API ModelLoads {
 public:
  /// Who waits for a load. Everything is called on whichever thread, and must neither throw nor wait.
  struct Waiter {
    /// With why not, and with a lease where one is wanted.
    std::function<void(const std::exception_ptr& error, ModelMemory::Lease lease)> done;

    /// With what was reported last, also before begin() returns; never after done. Must not call this class.
    std::function<void(const LoadProgress&)> progress = {};

    /// Asks for a lease: called where it ends by force.
    std::function<void()> taken = {};
  };
  using Ticket = std::uint64_t;

  explicit ModelLoads(ServedModels& models) : models_(models) {}
  ModelLoads(const ModelLoads&) = delete;
  ModelLoads& operator=(const ModelLoads&) = delete;

  /// After the loads that are under way.
  ~ModelLoads();

  /// Joins the model's load, or begins one.
  ///
  /// Errors:  model_not_found; rejected where many wait already; done is not called then.
  Ticket begin(const std::string& model, Waiter waiter);

  /// Waits no more. The load goes on; done may be under way.
  void leave(const std::string& model, Ticket ticket) noexcept;

 private:
  struct Waiting {
    Waiter waiter;
    ModelMemory::Lease lease;
  };
  using Waiters = std::map<Ticket, Waiting>;

  /// The loads of one model, one after the other.
  struct Line {
    Waiters waiters;
    std::optional<LoadProgress> last;  ///< Of the load that is under way.
    bool runs = false;                 ///< Otherwise `thread` has ended, or is about to.
    std::thread thread;
  };

  void run(const std::string& model, Line& line);
  bool goes_on(Line& line);
  void load(const std::string& model, Line& line);
  Waiters take_waiters(Line& line);
  void report(const std::string& model, Line& line, std::optional<double> fraction, std::string_view message);

  ServedModels& models_;
  Mutex mutex_;
  std::map<std::string, Line> lines_ REMOTEMEDIA_GUARDED_BY(mutex_);
  Ticket last_ticket_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;
  std::size_t waiting_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;
};

}  // namespace remotemedia::detail
