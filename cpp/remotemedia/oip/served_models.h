// SPDX-License-Identifier: Apache-2.0
//
// ServedModels: the models that one endpoint of the wire serves, by name.

#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "remotemedia/base/export.h"
#include "remotemedia/base/mutex.h"
#include "remotemedia/worker/transport.h"

namespace remotemedia::detail {

/// The version of every model.
inline constexpr std::string_view kModelVersion = "1";

/// Threads:   any.
/// Lifetime:  longer than every Use.
class REMOTEMEDIA_API ServedModels {
 public:
  /// Keeps a model from being removed.
  using Use = std::shared_ptr<const ServedWorker>;

  ServedModels() = default;
  ServedModels(const ServedModels&) = delete;
  ServedModels& operator=(const ServedModels&) = delete;
  ~ServedModels() = default;

  /// Errors:  invalid_argument for a name that is there already.
  void add(const ServedWorker& worker);

  /// Waits until nobody uses it.
  void remove(const std::string& model_id);

  bool empty() const;

  /// version: empty for any.
  ///
  /// Errors:  model_not_found that names the model, of an unloaded one too.
  Use find(const std::string& name, const std::string& version) const;

  std::vector<Use> all() const;

  /// Also one that is unloaded.
  ///
  /// Errors:  model_not_found.
  Use known(const std::string& name) const;

  /// From now on it is there, but takes no calls, until it is said to be loaded. Also leaves memory, if it can.
  ///
  /// Errors:  model_not_found; rejected where leases hold it.
  void unload(const std::string& name);
  void set_loaded(const std::string& name) { set_unloaded(name, false); }
  bool is_unloaded(const std::string& name) const;

  /// Whether one is there, takes calls, and its model says that it is well; and whether that is so of all that are not
  /// unloaded.
  bool is_serving(const std::string& name, const std::string& version) const;
  bool are_serving() const;

 private:
  struct Model {
    Use use;
    bool unloaded = false;
    std::shared_ptr<bool> in_use;  ///< Guarded by mutex_. False once the last Use is gone, and the ServedWorker too.
  };

  /// Errors:  model_not_found.
  const Model& named(const std::string& name) const REMOTEMEDIA_REQUIRES(mutex_);

  void set_unloaded(const std::string& name, bool unloaded);

  mutable Mutex mutex_;
  CondVar let_go_;
  std::map<std::string, Model, std::less<>> models_ REMOTEMEDIA_GUARDED_BY(mutex_);  // ends first: its ends lock
};

}  // namespace remotemedia::detail
