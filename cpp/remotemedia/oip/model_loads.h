// SPDX-License-Identifier: Apache-2.0
//
// ModelLoads: loads that clients ask for, one after the other on a thread of their own: whoever reads requests goes on.

#pragma once

#include <deque>
#include <exception>
#include <functional>
#include <string>
#include <thread>
#include <utility>

#include "remotemedia/base/export.h"
#include "remotemedia/base/mutex.h"
#include "remotemedia/oip/served_models.h"

namespace remotemedia::detail {

/// Threads:   any.
/// Lifetime:  `models` outlives it.
class REMOTEMEDIA_API ModelLoads {
 public:
  /// Called on another thread, with why not. Must not throw.
  using Done = std::function<void(const std::exception_ptr& error)>;

  explicit ModelLoads(ServedModels& models) : models_(models) {}
  ModelLoads(const ModelLoads&) = delete;
  ModelLoads& operator=(const ModelLoads&) = delete;

  /// After the loads that were asked for.
  ~ModelLoads();

  /// Errors:  rejected where many wait already; done is not called then.
  void begin(const std::string& model, Done done);

 private:
  void run();

  ServedModels& models_;
  Mutex mutex_;
  CondVar changed_;
  bool ending_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;
  std::deque<std::pair<std::string, Done>> waiting_ REMOTEMEDIA_GUARDED_BY(mutex_);
  std::thread thread_ REMOTEMEDIA_GUARDED_BY(mutex_);  ///< From the first load on.
};

}  // namespace remotemedia::detail
