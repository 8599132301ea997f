// SPDX-License-Identifier: Apache-2.0
//
// ModelKey: the name of a model, hashed once and bound to its place in a registry on first use: the key for
// those who ask for the same model millions of times.
//
//     static const ModelKey kEmbedder{"minilm@cpu"};
//     auto embedder = registry.get_or_load<Embedder>(kEmbedder, load);

#pragma once

#include <atomic>
#include <cstddef>
#include <string>
#include <string_view>

#include "remotemedia/base/export.h"

namespace remotemedia {

namespace detail {
class RegistryCore;
struct ModelSlot;
}  // namespace detail

/// By convention "<model>@<device>", with every option that makes another model.
///
/// Threads:  one key may be used from many threads at once.
/// Cost:     bound to the first registry it is used with; with others it is as fast as a string.
class REMOTEMEDIA_API ModelKey {
 public:
  explicit ModelKey(std::string_view text);
  ModelKey(const ModelKey& other);
  ModelKey& operator=(const ModelKey& other);
  ~ModelKey();

  const std::string& text() const noexcept { return text_; }

 private:
  friend class detail::RegistryCore;

  std::string text_;
  std::size_t hash_;
  mutable std::atomic<detail::ModelSlot*> slot_{nullptr};
};

}  // namespace remotemedia
