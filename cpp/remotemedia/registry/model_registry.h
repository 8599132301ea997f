// SPDX-License-Identifier: Apache-2.0
//
// ModelRegistry: the models of this process. Ask for a model by key and get a handle; it is loaded exactly
// once however many threads ask at the same time, stays while anybody holds it, and goes by time or pressure.
//
//     ModelRegistry registry{{.ttl = 5min, .max_memory_bytes = 4'000'000'000}};
//     auto embedder = registry.get_or_load<Embedder>("minilm@cpu", [&] { return std::make_unique<Embedder>(path); },
//                                                    {.memory_bytes = 90'000'000});
//     embedder->embed("hello");
//
// Life of a model: loading -> ready -> (last handle released, time or pressure) -> evicting -> gone. It is
// destroyed on the registry's own thread, and until its destructor has returned its bytes count.

#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "remotemedia/base/export.h"
#include "remotemedia/registry/eviction.h"
#include "remotemedia/registry/keep_alive.h"
#include "remotemedia/registry/load_driver.h"
#include "remotemedia/registry/load_options.h"
#include "remotemedia/registry/model_handle.h"
#include "remotemedia/registry/model_info.h"
#include "remotemedia/registry/model_key.h"
#include "remotemedia/registry/registry_config.h"

namespace remotemedia {

/// Something that makes a T: returns std::unique_ptr<T> or std::shared_ptr<T>, and may take a
/// `const ReportProgress&`.
template <class F, class T>
concept LoaderOf = (std::invocable<F&> && std::convertible_to<std::invoke_result_t<F&>, std::shared_ptr<T>>) ||
                   (std::invocable<F&, const ReportProgress&> &&
                    std::convertible_to<std::invoke_result_t<F&, const ReportProgress&>, std::shared_ptr<T>>);

/// Threads:  everything may be called from any thread, from loaders and from models' destructors, except as said
///           at get_or_load(), clear() and the destructor.
/// Cost:     a hit and its release take no lock and make no system call (docs/benchmarks.md).
class REMOTEMEDIA_API ModelRegistry {
 public:
  /// Errors:  invalid_argument, naming the option.
  explicit ModelRegistry(const RegistryConfig& config = {});
  ModelRegistry(const ModelRegistry&) = delete;
  ModelRegistry& operator=(const ModelRegistry&) = delete;

  /// Destroys what nobody holds and waits for it and for loads that run in the background; loads that wait
  /// for their turn end with `cancelled`. What is held stays valid for its holders.
  ///
  /// Threads:  no other thread may be in a call of this registry. Handles may be released meanwhile.
  ~ModelRegistry();

  /// The registry that this process shares, made on first use.
  static ModelRegistry& process();

  /// A hold on the model `key`, loaded by `loader` on this thread if it is not there and nobody is loading it.
  ///
  /// A loader may ask for other keys. With the first caller's key, loader and options the model lives; a later
  /// caller gets what is there. A shared_ptr that the loader keeps counts as a hold.
  ///
  /// Errors:  load_failed with the loader's exception nested, the same for all who waited, and the next call
  ///          tries again; load_failed if loaders would wait for each other in a ring; type_mismatch;
  ///          out_of_memory (OutOfMemory), and nothing was evicted; deadline_exceeded (LoadOptions::timeout);
  ///          cancelled if the registry is closed meanwhile; rejected beyond two million holds of one model;
  ///          invalid_argument for an empty key or a negative timeout, and from a listener or a model's destructor,
  ///          where a load would wait for itself.
  template <class T, LoaderOf<T> Loader>
  ModelHandle<T> get_or_load(std::string_view key, Loader&& loader) {
    if (detail::ModelSlot* slot = core_->try_hold(key, typeid(T))) [[likely]]
      return ModelHandle<T>(slot);
    return load<T>(key, std::forward<Loader>(loader), {});
  }
  template <class T, LoaderOf<T> Loader>
  ModelHandle<T> get_or_load(const ModelKey& key, Loader&& loader) {
    if (detail::ModelSlot* slot = core_->try_hold(key, typeid(T))) [[likely]]
      return ModelHandle<T>(slot);
    return load<T>(key.text(), std::forward<Loader>(loader), {});
  }
  template <class T, LoaderOf<T> Loader>
  ModelHandle<T> get_or_load(std::string_view key, Loader&& loader, const LoadOptions& options) {
    if (detail::ModelSlot* slot = hit(key, typeid(T), options)) return labelled<T>(slot, options);
    return load<T>(key, std::forward<Loader>(loader), options);
  }
  template <class T, LoaderOf<T> Loader>
  ModelHandle<T> get_or_load(const ModelKey& key, Loader&& loader, const LoadOptions& options) {
    if (detail::ModelSlot* slot = hit(key, typeid(T), options)) return labelled<T>(slot, options);
    return load<T>(key.text(), std::forward<Loader>(loader), options);
  }

  /// A hold if the model is there now; never loads, never waits.
  ///
  /// Errors:  type_mismatch.
  template <class T>
  std::optional<ModelHandle<T>> get(std::string_view key) {
    return found<T>(core_->try_hold(key, typeid(T)));
  }
  template <class T>
  std::optional<ModelHandle<T>> get(const ModelKey& key) {
    return found<T>(core_->try_hold(key, typeid(T)));
  }

  /// Whether the model is loaded and to be had now.
  bool contains(std::string_view key) const;

  /// True when it was there and nobody held or pinned it; otherwise it stays. Its destructor runs later.
  bool evict(std::string_view key);

  /// Evicts what has expired now, without waiting for the registry's own thread to do it.
  EvictionResult evict_expired();

  /// Neither pressure nor time nor evict() takes it any more.
  ///
  /// Errors:  model_not_found.
  void pin(std::string_view key);

  /// Ends what pin() began: the model's time counts from its last release.
  ///
  /// Errors:  model_not_found.
  void unpin(std::string_view key);

  /// Evicts what nobody holds, pinned models too, forgets failures, and returns when all that was evicted is
  /// destroyed.
  ///
  /// Errors:   deadline_exceeded if that takes longer than `timeout`; invalid_argument from a listener or a
  ///           model's destructor, where it would wait for itself.
  void clear(std::optional<Duration> timeout = std::nullopt);

  /// What loading `key` with `memory_bytes` would evict, without doing it.
  LoadPlan plan(std::string_view key, std::size_t memory_bytes) const;

  /// By key, from loading until the memory is released.
  std::vector<ModelInfo> list_models() const;
  RegistryMetrics metrics() const;

  /// Of all registries of this process together; what those have counted that are gone included.
  static RegistryMetrics metrics_of_all();

  /// Calls `listener` for every event from now on, in order, on the registry's own thread, which destroys models too;
  /// returns what ends that. What it throws is logged. A listener that falls 65,536 events behind misses hits and
  /// releases.
  ///
  /// Lifetime:  the listener may still be running when what is returned has been called. That may be called late,
  ///            even when the registry is gone.
  /// Cost:      one branch for each hit and release while nobody listens.
  std::function<void()> subscribe(std::function<void(const RegistryEvent&)> listener);

  /// What bindings build on.
  const std::shared_ptr<detail::RegistryCore>& core() const noexcept { return core_; }

 private:
  template <class Key>
  detail::ModelSlot* hit(const Key& key, const std::type_info& type, const LoadOptions& options) {
    const bool more_to_do = options.keep_alive || (options.timeout && *options.timeout < Duration{0});
    return more_to_do ? nullptr : core_->try_hold(key, type);
  }

  template <class T>
  ModelHandle<T> labelled(detail::ModelSlot* slot, const LoadOptions& options) {
    return ModelHandle<T>(detail::labelled(*core_, slot, options));
  }

  template <class T>
  static std::optional<ModelHandle<T>> found(detail::ModelSlot* slot) {
    if (slot == nullptr) return std::nullopt;
    return ModelHandle<T>(slot);
  }

  template <class T, class F>
  ModelHandle<T> load(std::string_view key, F&& loader, const LoadOptions& options) {
    if (!options.timeout) {
      return ModelHandle<T>(detail::load(core_, key, typeid(T), options,
                                         [&loader](const ReportProgress& report) { return made<T>(loader, report); }));
    }
    if constexpr (std::constructible_from<std::decay_t<F>, F>) {
      auto own = std::make_shared<std::decay_t<F>>(std::forward<F>(loader));
      return ModelHandle<T>(detail::load(core_, key, typeid(T), options,
                                         [own](const ReportProgress& report) { return made<T>(*own, report); }));
    } else {
      throw Error(ErrorCode::invalid_argument, "with a timeout a loader that cannot be copied must be moved in");
    }
  }

  template <class T, class F>
  static detail::LoadedModel made(F& loader, const ReportProgress& report) {
    std::shared_ptr<T> model;
    if constexpr (std::invocable<F&, const ReportProgress&>) {
      model = loader(report);
    } else {
      model = loader();
    }
    detail::LoadedModel loaded;
    if (model == nullptr) return loaded;
    if constexpr (requires(const T& m) {
                    { m.memory_usage() } -> std::convertible_to<std::size_t>;
                  }) {
      loaded.memory_bytes = model->memory_usage();
    }
    if constexpr (requires(const T& m) {
                    { m.model_id() } -> std::convertible_to<std::string>;
                  }) {
      loaded.model_id = model->model_id();
    }
    loaded.object = std::const_pointer_cast<std::remove_const_t<T>>(std::move(model));
    return loaded;
  }

  std::shared_ptr<detail::RegistryCore> core_;
};

}  // namespace remotemedia
