// SPDX-License-Identifier: Apache-2.0
//
// max_concurrent_loads: how many loaders run at once.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "remotemedia/registry/model_registry.h"
#include "remotemedia/registry/registry_core.h"
#include "testing/latch.h"
#include "testing/life.h"
#include "testing/running_count.h"
#include "testing/together.h"

namespace remotemedia {
namespace {

using detail::Flight;
using detail::RegistryCore;
using detail::Waiter;
using testing::Life;
using testing::Probe;
using testing::RunningCount;

TEST(LoadLimitTest, LoadersThatRunAtOnceNeverExceedIt) {
  for (const std::size_t limit : {std::size_t{1}, std::size_t{2}, std::size_t{5}}) {
    Life life;
    ModelRegistry registry{{.max_concurrent_loads = limit}};
    RunningCount running;
    testing::together(16, [&](std::size_t i) {
      for (int round = 0; round < 20; ++round) {
        registry.get_or_load<Probe>(std::to_string(i) + "/" + std::to_string(round), [&] {
          RunningCount::Scope here(running);
          std::this_thread::yield();
          return std::make_unique<Probe>(life);
        });
      }
    });
    EXPECT_LE(running.most(), static_cast<int>(limit));
    EXPECT_EQ(life.made, 320);
  }
}

TEST(LoadLimitTest, LoadsOfDifferentKeysRunInParallelUpToIt) {
  Life life;
  ModelRegistry registry{{.max_concurrent_loads = 8}};
  testing::Latch all_run(8);  // each waits for all: less than eight at once would never end
  testing::together(8, [&](std::size_t i) {
    registry.get_or_load<Probe>(std::to_string(i), [&] {
      all_run.arrive_and_wait();
      return std::make_unique<Probe>(life);
    });
  });
  EXPECT_EQ(life.made, 8);
}

/// Loads driven step by step, without threads.
class LoadQueueTest : public ::testing::Test {
 protected:
  ~LoadQueueTest() override { core_->close(); }

  struct Load {
    std::shared_ptr<Waiter> waiter;
    std::shared_ptr<Flight> flight;
    bool turn = false;
  };

  std::unique_ptr<Load> begin(const std::string& key, const std::shared_ptr<Flight>& parent = {}) {
    auto load = std::make_unique<Load>();
    load->waiter = core_->ask({key, typeid(Probe), {}, parent, {}});
    load->flight = load->waiter->flight;
    if (load->waiter->leads) core_->start(load->flight, [&turn = load->turn] { turn = true; });
    return load;
  }
  void publish(const Load& load) { core_->publish(load.flight, {std::make_shared<Probe>(life_), {}, {}, false}); }
  void release(const Load& load) {
    detail::ModelSlot* const slot = core_->take(load.waiter);
    ASSERT_NE(slot, nullptr);
    slot->release();
  }

  Life life_;
  const std::shared_ptr<RegistryCore> core_ = RegistryCore::open({.max_concurrent_loads = 1});
};

TEST_F(LoadQueueTest, LoadsGetTheirTurnInTheOrderInWhichTheyAsked) {
  const auto a = begin("a");
  const auto b = begin("b");
  const auto c = begin("c");
  EXPECT_TRUE(a->turn);
  EXPECT_FALSE(b->turn);
  EXPECT_FALSE(c->turn);
  publish(*a);
  EXPECT_TRUE(b->turn);
  EXPECT_FALSE(c->turn);
  publish(*b);
  EXPECT_TRUE(c->turn);
  publish(*c);
  release(*a);
  release(*b);
  release(*c);
}

TEST_F(LoadQueueTest, AFailureGivesTheTurnOn) {
  const auto a = begin("a");
  const auto b = begin("b");
  core_->fail(a->flight, std::make_exception_ptr(std::runtime_error("bad")));
  EXPECT_TRUE(b->turn);
  EXPECT_THROW(core_->take(a->waiter), std::runtime_error);
  publish(*b);
  release(*b);
}

TEST_F(LoadQueueTest, ALoadWithoutWaitersGoesOnAndIsKept) {
  const auto a = begin("a");
  core_->leave(a->waiter);
  publish(*a);
  EXPECT_EQ(core_->list_models().at(0).state, ModelState::ready);
  EXPECT_EQ(core_->list_models().at(0).reference_count, 0U);
}

TEST_F(LoadQueueTest, AnAbandonedLoadIsMadeByTheNextWhoWaits) {
  const auto a = begin("a");
  const auto second = core_->ask({"a", typeid(Probe), {}, {}, {}});
  EXPECT_FALSE(second->leads);
  core_->abandon(a->flight);
  EXPECT_TRUE(core_->wait(second, TimePoint::min()));
  EXPECT_EQ(core_->take(second), nullptr) << "ask again";
  const auto again = begin("a");
  EXPECT_TRUE(again->turn);
  publish(*again);
  release(*again);
}

TEST_F(LoadQueueTest, AWaitingLoaderDoesNotCountAndResumesOnlyWhenThereIsAPlace) {
  const auto parent = begin("parent");
  const auto other = begin("other");
  EXPECT_FALSE(other->turn);
  const auto part = begin("part", parent->flight);
  EXPECT_TRUE(other->turn) << "the parent waits, so the next in the queue runs";
  EXPECT_FALSE(part->turn);
  publish(*other);
  EXPECT_TRUE(part->turn);
  const auto third = begin("third");
  EXPECT_FALSE(third->turn);
  publish(*part);
  EXPECT_TRUE(core_->wait(part->waiter, TimePoint::min())) << "a loader that resumes goes before the queue";
  EXPECT_FALSE(third->turn);
  release(*part);
  publish(*parent);
  EXPECT_TRUE(third->turn);
  publish(*third);
  for (const auto* load : {&parent, &other, &third}) release(**load);
}

TEST_F(LoadQueueTest, OfTwoParentsOneResumesAfterTheOther) {
  const auto first = begin("first");
  const auto part = begin("part", first->flight);
  EXPECT_TRUE(part->turn);
  const auto second = begin("second");
  EXPECT_FALSE(second->turn);
  // The part itself waits for something, so that the second parent gets to run and to ask.
  const auto leaf = begin("leaf", part->flight);
  EXPECT_TRUE(second->turn);
  EXPECT_FALSE(leaf->turn);
  const auto part_again = begin("part", second->flight);
  EXPECT_FALSE(part_again->waiter->leads);
  EXPECT_TRUE(leaf->turn);
  publish(*leaf);
  EXPECT_TRUE(core_->wait(leaf->waiter, TimePoint::min()));
  publish(*part);
  EXPECT_TRUE(core_->wait(part->waiter, TimePoint::min()));
  EXPECT_FALSE(core_->wait(part_again->waiter, TimePoint::min())) << "one loader at a time";
  publish(*first);
  EXPECT_TRUE(core_->wait(part_again->waiter, TimePoint::min()));
  publish(*second);
  for (const auto* load : {&leaf, &part, &part_again, &first, &second}) release(**load);
}

TEST_F(LoadQueueTest, AWaiterIsToldOnceAndNotUnderALock) {
  const auto a = begin("a");
  int told = 0;
  const auto waiter = core_->ask({"a", typeid(Probe), {}, {}, [&] {
                                    ++told;
                                    EXPECT_EQ(core_->list_models().size(), 1U);
                                  }});
  EXPECT_EQ(told, 0);
  publish(*a);
  EXPECT_EQ(told, 1);
  core_->take(waiter)->release();
  release(*a);
  EXPECT_EQ(told, 1);
}

TEST_F(LoadQueueTest, AWaiterThatLeftIsNotTold) {
  const auto a = begin("a");
  int told = 0;
  const auto waiter = core_->ask({"a", typeid(Probe), {}, {}, [&] { ++told; }});
  core_->leave(waiter);
  publish(*a);
  EXPECT_EQ(told, 0);
  release(*a);
  EXPECT_EQ(core_->list_models().at(0).reference_count, 0U);
}

TEST_F(LoadQueueTest, LeavingWithTheAnswerInHandGivesItBack) {
  const auto a = begin("a");
  publish(*a);
  EXPECT_EQ(core_->list_models().at(0).reference_count, 1U);
  core_->leave(a->waiter);
  EXPECT_EQ(core_->list_models().at(0).reference_count, 0U);
}

TEST_F(LoadQueueTest, AResumingLoaderThatLeavesGoesOnAndGivesItsAnswerBack) {
  const auto first = begin("first");
  const auto part = begin("part", first->flight);
  const auto second = begin("second");
  const auto leaf = begin("leaf", part->flight);
  const auto part_again = begin("part", second->flight);
  publish(*leaf);
  publish(*part);
  EXPECT_FALSE(core_->wait(part_again->waiter, TimePoint::min()));
  core_->leave(part_again->waiter);
  publish(*first);
  publish(*second);
  for (const auto* load : {&leaf, &part, &first, &second}) release(**load);
  for (const ModelInfo& model : core_->list_models()) EXPECT_EQ(model.reference_count, 0U) << model.key;
  const auto next = begin("next");
  const auto after = begin("after");
  EXPECT_TRUE(next->turn);
  EXPECT_FALSE(after->turn) << "the limit holds again";
  publish(*next);
  publish(*after);
  release(*next);
  release(*after);
}

}  // namespace
}  // namespace remotemedia
