// SPDX-License-Identifier: Apache-2.0
//
// RegistryOfProbesTest: a registry whose models are probes, whose events are kept, and whose time stands still.

#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "remotemedia/registry/model_registry.h"
#include "testing/event_log.h"
#include "testing/life.h"
#include "testing/thrown.h"

namespace remotemedia::testing {

class RegistryOfProbesTest : public ::testing::Test {
 protected:
  void make(RegistryConfig config) {
    config.clock = &clock_;
    registry_.emplace(config);
    log_.listen_to(*registry_);
  }
  ModelHandle<Probe> hold(const std::string& key, std::size_t bytes = 0) {
    LoadOptions options;
    options.memory_bytes = bytes;
    return registry_->get_or_load<Probe>(key, probe_loader(life_), options);
  }
  void load(const std::string& key, std::size_t bytes = 0) { hold(key, bytes).release(); }
  OutOfMemory refused(const std::string& key, std::size_t bytes = 0) {
    return thrown<OutOfMemory>([&] { hold(key, bytes); });
  }
  ModelHandle<SizedProbe> hold_sized(const std::string& key, std::size_t declared, std::size_t real) {
    LoadOptions options;
    options.memory_bytes = declared;
    return registry_->get_or_load<SizedProbe>(
        key, [this, real] { return std::make_unique<SizedProbe>(life_, real); }, options);
  }
  std::vector<std::string> there() const {
    std::vector<std::string> keys;
    for (const ModelInfo& model : registry_->list_models()) {
      if (model.state == ModelState::ready) keys.push_back(model.key);
    }
    return keys;
  }
  std::size_t bytes() const { return registry_->metrics().total_memory_bytes; }

  Life life_;
  EventLog log_;
  ManualClock clock_;
  std::optional<ModelRegistry> registry_;
};

}  // namespace remotemedia::testing
