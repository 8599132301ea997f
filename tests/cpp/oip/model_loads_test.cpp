// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/oip/model_loads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "testing/event_count.h"
#include "testing/thrown.h"
#include "worker/leaving_model.h"

namespace remotemedia::detail {
namespace {

using testing::code_thrown;
using ::testing::ElementsAre;
using testing::EventCount;
using testing::LeavingModel;

/// One who waits for a load, and what he was told.
class Asker {
 public:
  ModelLoads::Waiter waiter(bool wants_a_lease = false) {
    ModelLoads::Waiter waiter{.done =
                                  [this](const std::exception_ptr& why, ModelMemory::Lease given) {
                                    error = why;
                                    lease = std::move(given);
                                    done.add();
                                  },
                              .progress =
                                  [this](const LoadProgress& progress) {
                                    fractions.push_back(progress.fraction.value_or(-1));
                                    told.add();
                                  }};
    if (wants_a_lease) waiter.taken = [this] { taken.add(); };
    return waiter;
  }

  std::string why_not() const {
    try {
      if (error != nullptr) std::rethrow_exception(error);
    } catch (const std::exception& thrown) {
      return thrown.what();
    }
    return {};
  }

  std::vector<double> fractions;
  std::exception_ptr error;
  ModelMemory::Lease lease;
  EventCount told;
  EventCount done;
  EventCount taken;
};

class ModelLoadsTest : public ::testing::Test {
 protected:
  ModelLoadsTest() {
    for (WorkerCore* core : {&core_, &other_core_}) {
      models_.add({*core, [] { return WorkerInfo(); }});
    }
  }
  ~ModelLoadsTest() override { may_end_.add(); }

  /// The next loads report so much, and wait until they may end.
  void load_slowly() {
    model_->load = [this](const ReportProgress& report) {
      report(0.5, "half");
      begun_.add();
      may_end_.wait_for(1);
      report(1.0, "all");
    };
  }

  EventCount begun_;
  EventCount may_end_;
  const std::shared_ptr<LeavingModel> model_ = std::make_shared<LeavingModel>("a");
  const std::shared_ptr<LeavingModel> other_ = std::make_shared<LeavingModel>("b");
  WorkerCore core_{model_, {}, "worker of a"};
  WorkerCore other_core_{other_, {}, "worker of b"};
  ServedModels models_;
  ModelLoads loads_{models_};  // ends first
};

TEST_F(ModelLoadsTest, AllWhoAskMeanwhileWaitForTheSameLoadAndHearOfIt) {
  load_slowly();
  Asker first;
  Asker second;
  Asker late;
  loads_.begin("a", first.waiter());
  begun_.wait_for(1);
  loads_.begin("a", second.waiter(true));
  loads_.begin("a", late.waiter());
  EXPECT_EQ(second.told.count(), 1);
  may_end_.add();
  for (Asker* asker : {&first, &second, &late}) {
    asker->done.wait_for(1);
    EXPECT_EQ(asker->error, nullptr);
    EXPECT_THAT(asker->fractions, ElementsAre(0.5, 1.0));
  }
  EXPECT_EQ(model_->loads.count(), 1);
  EXPECT_EQ(first.lease, nullptr);
  EXPECT_NE(second.lease, nullptr);
  EXPECT_EQ(core_.memory().leases(), 1U);
}

TEST_F(ModelLoadsTest, AFailureIsToldToAllAndTheNextIsTriedAnew) {
  for (int round = 0; round < 2; ++round) {
    model_->load = [](const ReportProgress&) { throw std::runtime_error("no such file"); };
    Asker first;
    Asker second;
    loads_.begin("a", first.waiter(true));
    loads_.begin("a", second.waiter());
    for (Asker* asker : {&first, &second}) {
      asker->done.wait_for(1);
      EXPECT_EQ(asker->why_not(), "no such file");
      EXPECT_EQ(asker->lease, nullptr);
    }
    model_->load = nullptr;
    Asker again;
    loads_.begin("a", again.waiter(true));
    again.done.wait_for(1);
    EXPECT_NE(again.lease, nullptr);
  }
}

TEST_F(ModelLoadsTest, WhoLeavesHearsNothingAndTheLoadGoesOn) {
  load_slowly();
  Asker stays;
  Asker leaves;
  loads_.begin("a", stays.waiter());
  begun_.wait_for(1);
  const ModelLoads::Ticket ticket = loads_.begin("a", leaves.waiter(true));
  loads_.leave("a", ticket);
  loads_.leave("a", ticket);
  loads_.leave("nothing", ticket);
  may_end_.add();
  stays.done.wait_for(1);
  EXPECT_EQ(leaves.done.count(), 0);
  EXPECT_EQ(core_.memory().leases(), 0U);
  EXPECT_EQ(model_->loads.count(), 1);
}

TEST_F(ModelLoadsTest, ASlowModelHoldsNobodyUpWhoWantsAnother) {
  load_slowly();
  Asker slow;
  Asker quick;
  loads_.begin("a", slow.waiter());
  begun_.wait_for(1);
  loads_.begin("b", quick.waiter());
  quick.done.wait_for(1);
  EXPECT_EQ(slow.done.count(), 0);
  may_end_.add();
  slow.done.wait_for(1);
}

TEST_F(ModelLoadsTest, AnUnloadedModelTakesCallsAgainWhenItIsLoaded) {
  for (int round = 0; round < 2; ++round) {
    models_.unload("a");
    EXPECT_TRUE(models_.is_unloaded("a"));
    EXPECT_FALSE(model_->in_memory);
    Asker asker;
    loads_.begin("a", asker.waiter(true));
    asker.done.wait_for(1);
    EXPECT_FALSE(models_.is_unloaded("a"));
    for (int again = 0; again < 2; ++again) {
      EXPECT_EQ(code_thrown([&] { models_.unload("a"); }), ErrorCode::rejected);
      EXPECT_FALSE(models_.is_unloaded("a"));
    }
    asker.lease.reset();
  }
}

TEST_F(ModelLoadsTest, AModelThatIsNotThereIsRefusedAtOnce) {
  Asker asker;
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(code_thrown([&] { loads_.begin("c", asker.waiter()); }), ErrorCode::model_not_found);
  }
  EXPECT_EQ(asker.done.count(), 0);
}

TEST_F(ModelLoadsTest, MoreThanSoManyMayNotWait) {
  load_slowly();
  Asker asker;
  std::optional<ErrorCode> refused;
  int waiting = 0;
  while (!refused) {
    try {
      loads_.begin("a", asker.waiter());
      ++waiting;
    } catch (const Error& error) {
      refused = error.code();
    }
  }
  EXPECT_EQ(refused, ErrorCode::rejected);
  may_end_.add();
  asker.done.wait_for(waiting);
  loads_.begin("b", asker.waiter());
  asker.done.wait_for(waiting + 1);
}

}  // namespace
}  // namespace remotemedia::detail
