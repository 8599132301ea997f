// SPDX-License-Identifier: Apache-2.0
//
// A budget of memory: what is idle makes room for what is asked for, what is held does not, and a load that cannot
// fit is refused with the names of those that are in the way.

#include <remotemedia/registry/model_registry.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace {

struct Voice {
  std::vector<char> samples = std::vector<char>(40'000'000);
};

void print_models(const remotemedia::ModelRegistry& registry) {
  std::printf("in memory:");
  for (const remotemedia::ModelInfo& info : registry.list_models()) std::printf(" %s", info.key.c_str());
  std::printf("\n");
}

}  // namespace

int main() {
  remotemedia::ModelRegistry registry{{.max_memory_bytes = 100'000'000}};
  const auto speak = [&registry](const std::string& key) {
    return registry.get_or_load<Voice>(key, [] { return std::make_unique<Voice>(); }, {.memory_bytes = 40'000'000});
  };

  speak("anna@cpu").release();
  speak("bert@cpu").release();
  print_models(registry);

  auto carla = speak("carla@cpu");  // anna, idle for the longest time, makes room
  print_models(registry);

  auto bert = speak("bert@cpu");  // still there
  try {
    speak("anna@cpu");
  } catch (const remotemedia::OutOfMemory& error) {
    std::printf("%zu bytes needed, %zu could be free; held:", error.needed, error.available);
    for (const std::string& key : error.holders) std::printf(" %s", key.c_str());
    std::printf("\n");
  }

  bert.release();
  auto anna = speak("anna@cpu");
  print_models(registry);
}
