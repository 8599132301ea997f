// SPDX-License-Identifier: Apache-2.0
//
// RemoteModels: the models behind an endpoint of gRPC, in the words of a registry.
//
//     RemoteModels models = RemoteModels::connect("grpc://127.0.0.1:8001");
//     RemoteModelHandle vad = models.get_or_load("vad");   // in memory as long as this is held
//     ModelWorkerClient client = ModelWorkerClient::connect("grpc://127.0.0.1:8001#vad");

#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/export.h"
#include "remotemedia/registry/load_options.h"
#include "remotemedia/registry/model_info.h"
#include "remotemedia/registry/model_state.h"
#include "remotemedia/worker/model_signature.h"
#include "remotemedia/worker/transport.h"

namespace remotemedia {

namespace detail {
class ModelsConnection;
class RemoteLease;
}  // namespace detail

/// What an endpoint tells of one of its models.
struct RemoteModel {
  std::string name;
  ModelState state = ModelState::absent;
  bool serving = false;  ///< Takes calls at this endpoint; one that is absent is loaded by them.
  std::string device;
  std::size_t memory_bytes = 0;       ///< While it is in memory.
  std::size_t leases = 0;             ///< That hold it now, whoever has them.
  std::optional<Duration> load_time;  ///< Of its last load, if anybody has measured it.
  std::optional<std::chrono::system_clock::time_point> last_used;
  ModelSignature signature;
};

struct RemoteLoadOptions {
  /// How long this call waits. The load itself goes on.
  std::optional<Duration> timeout = std::nullopt;

  /// Called on the thread that waits, with what the loader reported last. What it throws, get_or_load() throws.
  std::function<void(const LoadProgress&)> progress = {};

  /// As ConnectOptions'.
  std::function<bool()> given_up = {};
};

/// A lease: until it is released, or its process has ended, its model stays in memory, unless it is evicted by force.
///
/// Threads:  as a std::unique_ptr; is_held() from any.
class REMOTEMEDIA_API RemoteModelHandle {
 public:
  RemoteModelHandle(RemoteModelHandle&&) noexcept;
  RemoteModelHandle& operator=(RemoteModelHandle&&) noexcept;

  /// Lets go without waiting for the worker to have heard.
  ~RemoteModelHandle();

  /// As it was when it had been loaded.
  const RemoteModel& model() const noexcept { return model_; }

  /// False from the moment at which this side knows that it is over.
  bool is_held() const noexcept;

  /// Returns when the worker has heard, or cannot be reached. Twice is once.
  void release() noexcept;

 private:
  friend class detail::ModelsConnection;
  RemoteModelHandle(RemoteModel model, std::shared_ptr<detail::RemoteLease> lease) noexcept;

  RemoteModel model_;
  std::shared_ptr<detail::RemoteLease> lease_;
};

/// Threads:   any.
/// Lifetime:  handles may outlive it.
/// Errors:    worker_unavailable where nobody is there within ConnectOptions::timeout, and in a forked child;
///            model_not_found.
class REMOTEMEDIA_API RemoteModels {
 public:
  /// Errors:  also invalid_argument for an endpoint that is not gRPC's, and where the worker wants another token.
  static RemoteModels connect(const std::string& endpoint, const ConnectOptions& options = {});

  /// By name.
  std::vector<RemoteModel> list_models();
  RemoteModel get_model(const std::string& name);

  /// Loads it, if nobody has yet; all who ask meanwhile wait for the same load.
  ///
  /// Errors:  what its loader threw, as the worker says it; deadline_exceeded; rejected for more leases than there
  ///          may be; cancelled where `given_up` says so.
  RemoteModelHandle get_or_load(const std::string& name, const RemoteLoadOptions& options = {});

  /// What has left memory by it: nothing where calls have it, which it leaves after them, or where it cannot leave.
  ///
  /// Errors:  rejected where leases hold it; by_force ends them.
  EvictionResult evict(const std::string& name, bool by_force = false);

 private:
  explicit RemoteModels(std::shared_ptr<detail::ModelsConnection> connection) noexcept;

  std::shared_ptr<detail::ModelsConnection> connection_;
};

}  // namespace remotemedia
