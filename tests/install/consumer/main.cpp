// SPDX-License-Identifier: Apache-2.0
//
// One load for many threads, a hold that keeps, a failure that is told: with the installed library.

#include <remotemedia/registry/model_registry.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

struct Vocabulary {
  std::vector<std::string> words{"one", "two", "three"};
};

int faults = 0;

void expect(bool holds, const char* fact) {
  if (holds) return;
  std::fprintf(stderr, "not so: %s\n", fact);
  ++faults;
}

}  // namespace

int main() {
  remotemedia::RegistryConfig config;
  config.ttl = std::chrono::seconds{0};
  remotemedia::ModelRegistry registry{config};

  std::atomic<int> loads{0};
  const auto load = [&loads] {
    ++loads;
    return std::make_unique<Vocabulary>();
  };

  {
    const auto keeper = registry.get_or_load<Vocabulary>("vocabulary@cpu", load);
    std::vector<std::jthread> readers;
    for (int reader = 0; reader < 8; ++reader) {
      readers.emplace_back([&] {
        const auto handle = registry.get_or_load<Vocabulary>("vocabulary@cpu", load);
        expect(handle->words.size() == 3, "every reader sees the model");
      });
    }
    readers.clear();
    expect(loads == 1, "many threads, one load");
    expect(!registry.evict("vocabulary@cpu"), "what is held stays");
  }

  registry.clear();
  expect(registry.list_models().empty(), "what nobody holds is gone after clear");

  try {
    registry.get_or_load<Vocabulary>(
        "missing@cpu", []() -> std::unique_ptr<Vocabulary> { throw std::runtime_error("no such vocabulary"); });
    expect(false, "a loader that throws is an error");
  } catch (const remotemedia::Error& error) {
    expect(error.code() == remotemedia::ErrorCode::load_failed, "the error has a code");
    expect(std::string{error.what()}.find("no such vocabulary") != std::string::npos, "the error keeps the cause");
  }

  if (faults == 0) std::puts("consumer: ok");
  return faults == 0 ? 0 : 1;
}
