// SPDX-License-Identifier: Apache-2.0
//
// One load for one key, whoever asks.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <new>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "remotemedia/registry/model_registry.h"
#include "testing/latch.h"
#include "testing/life.h"
#include "testing/thrown.h"
#include "testing/together.h"

namespace remotemedia {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using testing::Life;
using testing::Probe;
using testing::probe_loader;

/// Options of a caller that counts once it waits for a load that has reported something.
LoadOptions tells(testing::Latch& waits) {
  LoadOptions options;
  options.progress = [&waits](const LoadProgress&) { waits.count_down(); };
  return options;
}

TEST(SingleFlightTest, SixtyFourThreadsAskForOneColdKeyAndItIsLoadedOnce) {
  for (int round = 0; round < 10; ++round) {
    Life life;
    ModelRegistry registry;
    std::vector<ModelHandle<Probe>> handles(64);
    testing::together(64, [&](std::size_t i) { handles[i] = registry.get_or_load<Probe>("cold", probe_loader(life)); });
    EXPECT_EQ(life.made, 1);
    for (const auto& handle : handles) EXPECT_EQ(&*handle, &*handles[0]);
    const RegistryMetrics metrics = registry.metrics();
    EXPECT_EQ(metrics.loads, 1U);
    EXPECT_EQ(metrics.cache_misses, 1U);
    EXPECT_EQ(metrics.cache_hits, 63U);
    EXPECT_EQ(registry.list_models().at(0).reference_count, 64U);
  }
}

TEST(SingleFlightTest, CallersThatComeWhileItLoadsWaitForTheSameObject) {
  Life life;
  ModelRegistry registry;
  testing::Latch all_wait(64);  // the leader reports once, everybody hears it
  const auto load = [&](const ReportProgress& report) {
    report(0.5, "half");
    all_wait.wait();
    return std::make_unique<Probe>(life);
  };
  std::vector<ModelHandle<Probe>> handles(64);
  testing::together(64,
                    [&](std::size_t i) { handles[i] = registry.get_or_load<Probe>("cold", load, tells(all_wait)); });
  EXPECT_EQ(life.made, 1);
  for (const auto& handle : handles) EXPECT_EQ(&*handle, &*handles[0]);
  EXPECT_EQ(registry.metrics().cache_hits, 63U);
}

TEST(SingleFlightTest, EveryWayOfAskingJoinsTheSameFlight) {
  Life life;
  ModelRegistry registry;
  const ModelKey key("cold");
  LoadOptions with_timeout;
  with_timeout.timeout = 1h;
  LoadOptions with_label;
  with_label.holder = "labelled";
  std::vector<ModelHandle<Probe>> handles(32);
  testing::together(32, [&](std::size_t i) {
    const auto load = probe_loader(life);
    switch (i % 4) {
      case 0:
        handles[i] = registry.get_or_load<Probe>("cold", load);
        break;
      case 1:
        handles[i] = registry.get_or_load<Probe>(key, load);
        break;
      case 2:
        handles[i] = registry.get_or_load<Probe>("cold", load, with_timeout);
        break;
      default:
        handles[i] = registry.get_or_load<Probe>(key, load, with_label);
    }
  });
  EXPECT_EQ(life.made, 1);
  for (const auto& handle : handles) EXPECT_EQ(&*handle, &*handles[0]);
}

TEST(SingleFlightTest, ManyRoundsOfLoadAndEvictionNeverHaveTwoLiveCopies) {
  Life life;
  ModelRegistry registry{{.ttl = 0ns}};
  testing::together(4, [&](std::size_t i) {
    for (int round = 0; round < 300; ++round) {
      const auto handle = registry.get_or_load<Probe>("a", probe_loader(life));
      if (i == 0) registry.evict("a");
    }
  });
  EXPECT_EQ(life.most_alive, 1);
  registry.clear();
  EXPECT_EQ(life.alive, 0);
}

TEST(SingleFlightTest, WaitersHoldBeforeAnybodyCanEvict) {
  // Gone at once when nobody holds it, room for one, and another key that presses all the time. All eight wait for
  // one load; had one of them lost the model between its publication and its own hold, it would have loaded again.
  for (int round = 0; round < 40; ++round) {
    Life life;
    Life pressure;
    ModelRegistry registry{{.ttl = 0ns, .max_models = 1, .max_concurrent_loads = 4}};
    testing::Latch all_wait(8);
    const auto load = [&](const ReportProgress& report) {
      report(std::nullopt, "");
      all_wait.wait();
      return std::make_unique<Probe>(life);
    };
    std::atomic<bool> over{false};
    std::jthread presses([&] {
      while (!over) {
        try {
          registry.get_or_load<Probe>("other", probe_loader(pressure)).release();
        } catch (const OutOfMemory&) {
        }
        registry.evict("a");
        registry.evict_expired();
      }
    });
    std::set<const Probe*> seen;
    std::mutex mutex;
    testing::Latch all_have_it(8);
    testing::together(8, [&](std::size_t) {
      while (true) {
        try {
          const auto handle = registry.get_or_load<Probe>("a", load, tells(all_wait));
          EXPECT_EQ(life.alive, 1);
          const std::scoped_lock lock(mutex);
          seen.insert(&*handle);
          all_have_it.count_down();
          return;
        } catch (const OutOfMemory&) {  // the other key was there first
        }
      }
    });
    over = true;
    presses.join();
    EXPECT_EQ(life.made, 1) << "in round " << round;
    EXPECT_EQ(seen.size(), 1U);
  }
}

TEST(SingleFlightTest, AFailureReachesAllWaitersWithItsTypeAndCauseAndTheNextCallTriesAgain) {
  ModelRegistry registry;
  std::atomic<int> tries{0};
  for (int attempt = 1; attempt <= 2; ++attempt) {
    testing::Latch all_wait(16);
    const auto load = [&](const ReportProgress& report) -> std::unique_ptr<Probe> {
      ++tries;
      report(std::nullopt, "");
      all_wait.wait();
      throw std::out_of_range("no such file");
    };
    std::vector<std::exception_ptr> errors(16);
    testing::together(16, [&](std::size_t i) {
      errors[i] = testing::thrown_by([&] { registry.get_or_load<Probe>("broken", load, tells(all_wait)); });
    });
    EXPECT_EQ(tries, attempt);
    for (const std::exception_ptr& error : errors) {
      EXPECT_EQ(error, errors[0]) << "one exception for all";
      EXPECT_EQ(testing::code_thrown([&] { std::rethrow_exception(error); }), ErrorCode::load_failed);
      EXPECT_THROW(std::rethrow_exception(testing::cause_of(error)), std::out_of_range);
      EXPECT_THAT(testing::chain_of(error), HasSubstr("'broken'"));
      EXPECT_THAT(testing::chain_of(error), HasSubstr("no such file <- no such file"));
    }
    EXPECT_TRUE(registry.list_models().empty());
    EXPECT_FALSE(registry.get<Probe>("broken").has_value());
  }
  Life life;
  EXPECT_TRUE(registry.get_or_load<Probe>("broken", probe_loader(life)));
  EXPECT_EQ(registry.metrics().failed_loads, 2U);
  EXPECT_EQ(registry.metrics().loads, 1U);
}

TEST(SingleFlightTest, WhatIsNoStdExceptionIsTheCauseJustAsWell) {
  ModelRegistry registry;
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto error = testing::thrown_by(
        [&] { registry.get_or_load<Probe>("broken", []() -> std::unique_ptr<Probe> { throw 42; }); });
    EXPECT_EQ(testing::code_thrown([&] { std::rethrow_exception(error); }), ErrorCode::load_failed);
    EXPECT_THROW(std::rethrow_exception(testing::cause_of(error)), int);
  }
}

TEST(SingleFlightTest, ALoaderThatReturnsNullIsAFailure) {
  ModelRegistry registry;
  for (int attempt = 0; attempt < 2; ++attempt) {
    const Error error =
        testing::thrown([&] { registry.get_or_load<Probe>("nothing", [] { return std::unique_ptr<Probe>(); }); });
    EXPECT_EQ(error.code(), ErrorCode::load_failed);
    EXPECT_THAT(error.what(), HasSubstr("null"));
    EXPECT_THAT(error.what(), HasSubstr("'nothing'"));
  }
  EXPECT_TRUE(registry.list_models().empty());
}

TEST(SingleFlightTest, AFailureOfOneKeyIsNoneOfAnother) {
  Life life;
  ModelRegistry registry;
  testing::together(8, [&](std::size_t i) {
    for (int round = 0; round < 50; ++round) {
      if (i % 2 == 0) {
        EXPECT_EQ(testing::code_thrown([&] {
                    registry.get_or_load<Probe>("bad", []() -> std::unique_ptr<Probe> { throw std::bad_alloc(); });
                  }),
                  ErrorCode::load_failed);
      } else {
        registry.get_or_load<Probe>("good", probe_loader(life));
      }
    }
  });
  EXPECT_EQ(life.made, 1);
}

TEST(SingleFlightTest, KeysOfAllKindsAreToldApart) {
  Life life;
  ModelRegistry registry;
  const std::string keys[] = {
      "a",     "A", "a ", "a@cpu", std::string("a\0b", 3), std::string("a\0c", 3), std::string(100'000, 'x'),
      "übung", "\n"};
  std::set<const Probe*> models;
  std::vector<ModelHandle<Probe>> handles;
  for (const std::string& key : keys) {
    handles.push_back(registry.get_or_load<Probe>(key, probe_loader(life)));
    EXPECT_EQ(handles.back().key(), key);
    models.insert(&*handles.back());
  }
  EXPECT_EQ(models.size(), std::size(keys));
}

TEST(SingleFlightTest, AnEmptyKeyIsRefusedAndNothingChanges) {
  Life life;
  ModelRegistry registry;
  for (int attempt = 0; attempt < 2; ++attempt) {
    EXPECT_EQ(testing::code_thrown([&] { registry.get_or_load<Probe>("", probe_loader(life)); }),
              ErrorCode::invalid_argument);
    EXPECT_EQ(testing::code_thrown([&] { registry.get_or_load<Probe>(ModelKey(""), probe_loader(life)); }),
              ErrorCode::invalid_argument);
  }
  EXPECT_FALSE(registry.get<Probe>("").has_value());
  EXPECT_EQ(life.made, 0);
  EXPECT_EQ(registry.metrics().cache_misses, 0U);
}

TEST(SingleFlightTest, RegistriesDoNotShareModels) {
  Life life;
  ModelRegistry first;
  ModelRegistry second;
  const auto one = first.get_or_load<Probe>("a", probe_loader(life));
  const auto two = second.get_or_load<Probe>("a", probe_loader(life));
  EXPECT_NE(&*one, &*two);
}

TEST(SingleFlightTest, TheProcessHasOneRegistryOfItsOwn) {
  testing::together(8, [](std::size_t) { EXPECT_EQ(&ModelRegistry::process(), &ModelRegistry::process()); });
  EXPECT_EQ(*ModelRegistry::process().get_or_load<int>("seven", [] { return std::make_unique<int>(7); }), 7);
  ModelRegistry::process().clear();
}

TEST(ProgressTest, EveryWaiterHearsWhatTheLoaderReports) {
  ModelRegistry registry;
  testing::Latch all_wait(4);
  std::atomic<int> heard{0};
  const auto load = [&](const ReportProgress& report) {
    report(0.25, "weights");
    all_wait.wait();
    report(std::nullopt, "warm-up");
    return std::make_unique<int>(1);
  };
  testing::together(4, [&](std::size_t) {
    LoadOptions options;
    options.progress = [&](const LoadProgress& progress) {
      EXPECT_EQ(progress.key, "a");
      if (progress.message == "weights") {
        EXPECT_EQ(progress.fraction, 0.25);
        all_wait.count_down();
      } else {
        EXPECT_EQ(progress.message, "warm-up");
        EXPECT_EQ(progress.fraction, std::nullopt);
        ++heard;
      }
    };
    registry.get_or_load<int>("a", load, options);
  });
  EXPECT_EQ(heard, 4);
}

TEST(ProgressTest, AListenerThatThrowsSpoilsNothing) {
  ModelRegistry registry{{.ttl = std::nullopt}};
  testing::Latch all_wait(3);
  const auto load = [&](const ReportProgress& report) {
    report(0.5, "half");
    all_wait.wait();
    report(1.0, "whole");
    return std::make_unique<int>(1);
  };
  testing::together(3, [&](std::size_t i) {
    LoadOptions options;
    options.progress = [&, i](const LoadProgress& progress) {
      if (progress.message == "half") all_wait.count_down();
      if (i == 0) throw std::runtime_error("the screen is gone");
      throw 42;
    };
    EXPECT_EQ(*registry.get_or_load<int>("a", load, options), 1);
  });
  EXPECT_EQ(registry.list_models().at(0).reference_count, 0U) << "a hold of a waiter was lost";
  EXPECT_TRUE(registry.evict("a"));
}

TEST(ProgressTest, WhatIsReportedAfterTheLoadIsHeardByNobody) {
  ModelRegistry registry;
  ReportProgress kept;
  int heard = 0;
  LoadOptions options;
  options.progress = [&](const LoadProgress&) { ++heard; };
  const auto handle = registry.get_or_load<int>(
      "a",
      [&](const ReportProgress& report) {
        kept = report;
        report(1.0, "done");
        return std::make_unique<int>(1);
      },
      options);
  EXPECT_EQ(heard, 1);
  kept(0.5, "late");
  EXPECT_EQ(heard, 1);
}

TEST(ProgressTest, AReportKeptPastTheRegistrysEndIsHarmless) {
  ReportProgress kept;
  {
    ModelRegistry registry;
    registry.get_or_load<int>("a", [&](const ReportProgress& report) {
      kept = report;
      return std::make_unique<int>(1);
    });
  }
  kept(0.5, "late");
}

TEST(ProgressTest, ManyThreadsOfOneLoaderReportAtOnce) {
  ModelRegistry registry;
  std::atomic<int> heard{0};
  LoadOptions options;
  options.progress = [&](const LoadProgress&) { ++heard; };
  registry.get_or_load<int>(
      "a",
      [&](const ReportProgress& report) {
        testing::together(4, [&](std::size_t) {
          for (int i = 0; i < 100; ++i) report(0.5, "");
        });
        return std::make_unique<int>(1);
      },
      options);
  EXPECT_EQ(heard, 400);
}

}  // namespace
}  // namespace remotemedia
