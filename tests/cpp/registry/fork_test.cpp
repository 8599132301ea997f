// SPDX-License-Identifier: Apache-2.0
//
// A registry in a forked child: usable, whatever other threads of the parent were doing.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "remotemedia/registry/model_registry.h"
#include "testing/latch.h"
#include "testing/life.h"
#include "testing/together.h"

namespace remotemedia {
namespace {

using namespace std::chrono_literals;
using testing::Life;
using testing::Probe;
using testing::probe_loader;

/// Runs `check` in a forked child and says whether it returned true there.
bool holds_in_child(const std::function<bool()>& check) {
  const pid_t child = fork();
  if (child == 0) {
    try {
      _exit(check() ? 0 : 1);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "in the child: %s\n", error.what());
      _exit(2);
    }
  }
  int status = 1;
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(ForkedRegistryTest, FindsItsModelsLoadsOthersAndEvicts) {
  Life life;
  ModelRegistry registry{{.ttl = std::nullopt}};
  auto handle = registry.get_or_load<Probe>("a", probe_loader(life));
  EXPECT_TRUE(holds_in_child([&] {
    bool good = registry.get<Probe>("a").has_value();
    registry.get_or_load<Probe>("b", probe_loader(life)).release();
    good = good && life.made == 2 && registry.evict("b") && !registry.evict("a");
    handle.release();
    registry.clear();
    return good && life.alive == 0 && registry.list_models().empty();
  }));
  EXPECT_EQ(life.alive, 1) << "the parent's model is its own";
  EXPECT_TRUE(handle);
  EXPECT_EQ(registry.list_models().at(0).reference_count, 1U);
}

TEST(ForkedRegistryTest, ItsThreadStartsAgainAndTakesWhatExpires) {
  Life life;
  ModelRegistry registry{{.ttl = 0ns}};
  auto handle = registry.get_or_load<Probe>("a", probe_loader(life));
  EXPECT_TRUE(holds_in_child([&] {
    registry.get_or_load<Probe>("b", probe_loader(life)).release();
    while (life.alive > 1) std::this_thread::yield();
    handle.release();
    while (life.alive > 0) std::this_thread::yield();
    return true;
  }));
}

TEST(ForkedRegistryTest, EndsInTheChildAndInTheParent) {
  Life life;
  auto registry = std::make_unique<ModelRegistry>();
  auto handle = registry->get_or_load<Probe>("a", probe_loader(life));
  registry->get_or_load<Probe>("b", probe_loader(life)).release();
  EXPECT_TRUE(holds_in_child([&] {
    registry.reset();
    const bool one_held = life.alive == 1;
    handle.release();
    return one_held && life.alive == 0;
  }));
  registry.reset();
  EXPECT_EQ(life.alive, 1);
  handle.release();
  EXPECT_EQ(life.alive, 0);
}

TEST(ForkedRegistryTest, ALoadOfAnotherThreadIsOverInTheChildAndMayBeMadeThere) {
  Life life;
  ModelRegistry registry{{.ttl = std::nullopt, .max_memory_bytes = 100, .max_concurrent_loads = 1}};
  testing::Latch begun(1);
  testing::Latch may_end(1);
  std::jthread loads([&] {
    registry.get_or_load<Probe>("a",
                                [&] {
                                  begun.count_down();
                                  may_end.wait();
                                  return std::make_unique<Probe>(life);
                                },
                                {.memory_bytes = 80});
  });
  begun.wait();
  EXPECT_TRUE(holds_in_child([&] {
    const bool free_again = registry.metrics().total_memory_bytes == 0 && registry.list_models().empty();
    registry.get_or_load<Probe>("b", probe_loader(life), {.memory_bytes = 80}).release();
    registry.get_or_load<Probe>("a", probe_loader(life), {.memory_bytes = 80}).release();
    return free_again && registry.metrics().total_memory_bytes == 80;
  }));
  may_end.count_down();
  loads.join();
  EXPECT_EQ(life.made, 1);
  EXPECT_TRUE(registry.get<Probe>("a").has_value());
}

TEST(ForkedRegistryTest, AtAnyMomentOfOtherThreadsWork) {
  Life life;
  ModelRegistry registry{{.ttl = 0ns, .max_concurrent_loads = 2}};
  ModelRegistry other;
  std::atomic<bool> over{false};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; !over; ++i) {
          try {
            registry.get_or_load<Probe>(std::to_string((i + t) % 5), probe_loader(life)).release();
            other.get_or_load<Probe>("other", probe_loader(life)).release();
            registry.list_models();
          } catch (const Error&) {
          }
        }
      });
    }
    for (int round = 0; round < 15; ++round) {
      EXPECT_TRUE(holds_in_child([&] {
        for (int i = 0; i < 20; ++i) {
          registry.get_or_load<Probe>("child " + std::to_string(i % 4), probe_loader(life)).release();
        }
        registry.clear();
        return other.get_or_load<Probe>("other", probe_loader(life)) && !registry.contains("child 0");
      })) << "in round "
          << round;
    }
    over = true;
  }
}

}  // namespace
}  // namespace remotemedia
