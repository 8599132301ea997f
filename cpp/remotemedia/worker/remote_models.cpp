// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/remote_models.h"

#include <utility>

#include "remotemedia/worker/models_connection.h"

namespace remotemedia {

RemoteModelHandle::RemoteModelHandle(RemoteModel model, std::shared_ptr<detail::RemoteLease> lease) noexcept
    : model_(std::move(model)), lease_(std::move(lease)) {}
RemoteModelHandle::RemoteModelHandle(RemoteModelHandle&&) noexcept = default;
RemoteModelHandle& RemoteModelHandle::operator=(RemoteModelHandle&&) noexcept = default;
RemoteModelHandle::~RemoteModelHandle() = default;

bool RemoteModelHandle::is_held() const noexcept { return lease_ != nullptr && lease_->is_held(); }

void RemoteModelHandle::release() noexcept {
  if (lease_ != nullptr) lease_->release();
}

RemoteModels::RemoteModels(std::shared_ptr<detail::ModelsConnection> connection) noexcept
    : connection_(std::move(connection)) {}

RemoteModels RemoteModels::connect(const std::string& endpoint, const ConnectOptions& options) {
  return RemoteModels(detail::scheme_of(endpoint).connect_models(endpoint, options));
}

std::vector<RemoteModel> RemoteModels::list_models() { return connection_->list(); }

RemoteModel RemoteModels::get_model(const std::string& name) { return connection_->get(name); }

RemoteModelHandle RemoteModels::get_or_load(const std::string& name, const RemoteLoadOptions& options) {
  return connection_->get_or_load(name, options);
}

EvictionResult RemoteModels::evict(const std::string& name, bool by_force) {
  return connection_->evict(name, by_force);
}

}  // namespace remotemedia
