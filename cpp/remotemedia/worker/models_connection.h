// SPDX-License-Identifier: Apache-2.0
//
// ModelsConnection: what a way to a worker has to do for RemoteModels.

#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "remotemedia/base/export.h"
#include "remotemedia/worker/remote_models.h"

namespace remotemedia::detail {

/// Lets go when it ends.
///
/// Threads:  any.
class REMOTEMEDIA_API RemoteLease {
 public:
  RemoteLease() = default;
  RemoteLease(const RemoteLease&) = delete;
  RemoteLease& operator=(const RemoteLease&) = delete;
  virtual ~RemoteLease();

  virtual bool is_held() const noexcept = 0;
  virtual void release() noexcept = 0;
};

/// As RemoteModels, which says what each does.
///
/// Threads:  any.
class REMOTEMEDIA_API ModelsConnection {
 public:
  ModelsConnection() = default;
  ModelsConnection(const ModelsConnection&) = delete;
  ModelsConnection& operator=(const ModelsConnection&) = delete;
  virtual ~ModelsConnection();

  virtual std::vector<RemoteModel> list() = 0;
  virtual RemoteModel get(const std::string& name) = 0;
  virtual EvictionResult evict(const std::string& name, bool by_force) = 0;
  virtual RemoteModelHandle get_or_load(const std::string& name, const RemoteLoadOptions& options) = 0;

 protected:
  static RemoteModelHandle handle(RemoteModel model, std::shared_ptr<RemoteLease> lease) noexcept {
    return {std::move(model), std::move(lease)};
  }
};

}  // namespace remotemedia::detail
