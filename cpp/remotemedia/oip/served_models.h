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

  /// From now on it is there, but takes no calls, until load() has brought it back to memory.
  ///
  /// Errors:  model_not_found; of load() what the model throws, and it stays unloaded.
  void unload(const std::string& name);
  void load(const std::string& name);
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

  Use known(const std::string& name) const;
  void set_unloaded(const std::string& name, bool unloaded);

  mutable Mutex mutex_;
  CondVar let_go_;
  std::map<std::string, Model, std::less<>> models_ REMOTEMEDIA_GUARDED_BY(mutex_);  // ends first: its ends lock
};

}  // namespace remotemedia::detail
