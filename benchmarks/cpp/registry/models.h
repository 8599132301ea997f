// SPDX-License-Identifier: Apache-2.0
//
// What the hits are measured on: a thousand models, half of them for each of two threads.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "remotemedia/registry/model_registry.h"

namespace remotemedia::bench {

inline constexpr std::size_t kModels = 1000;
inline constexpr std::size_t kModelsPerThread = kModels / 2;

struct Model {
  std::uint64_t value = 0;
};

/// 30 characters.
inline std::string key_text(std::size_t index) {
  char text[64];
  std::snprintf(text, sizeof text, "acme/embedder-%06zu-int8@cpu:0", index);
  return text;
}

inline std::unique_ptr<Model> load_model() { return std::make_unique<Model>(); }

/// A time limit that releases have to look at, as with the default of 30 s, but too long to pass here.
inline RegistryConfig long_ttl() { return {.ttl = std::chrono::hours{1}}; }

/// A registry with every model loaded and nobody holding one.
struct LoadedRegistry {
  explicit LoadedRegistry(const RegistryConfig& config = long_ttl()) : registry(config) {
    for (std::size_t i = 0; i < kModels; ++i) {
      texts.push_back(key_text(i));
      keys.emplace_back(texts.back());
      registry.get_or_load<Model>(keys.back(), load_model, {.memory_bytes = 1});
    }
  }

  ModelRegistry registry;
  std::vector<std::string> texts;
  std::vector<ModelKey> keys;
};

}  // namespace remotemedia::bench
