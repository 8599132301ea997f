// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/model_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "testing/event_count.h"
#include "testing/rounds.h"
#include "testing/thrown.h"
#include "testing/together.h"
#include "worker/leaving_model.h"

namespace remotemedia::detail {
namespace {

using testing::EventCount;
using ::testing::HasSubstr;
using testing::LeavingModel;
using testing::thrown;

class ModelMemoryTest : public ::testing::Test {
 protected:
  ModelMemory::Lease lease() {
    return memory_.lease(memory_.load({}), [this] { taken_.add(); });
  }

  const std::shared_ptr<LeavingModel> model_ = std::make_shared<LeavingModel>("vad");
  ModelMemory memory_{model_};
  EventCount taken_;
};

TEST_F(ModelMemoryTest, WhatNobodyHoldsLeaves) {
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(memory_.leave(false), LeavingModel::kBytes);
    EXPECT_EQ(memory_.residence().state, ModelState::absent);
    EXPECT_EQ(memory_.leave(false), std::nullopt);
    memory_.load({});
    EXPECT_EQ(memory_.residence().state, ModelState::ready);
  }
}

TEST_F(ModelMemoryTest, WhatIsHeldStaysAndTheRefusalSaysByHowMany) {
  ModelMemory::Lease first = lease();
  ModelMemory::Lease second = lease();
  bool allowed = false;
  for (int round = 0; round < 2; ++round) {
    const Error error = thrown([&] { memory_.leave(false, [&] { allowed = true; }); });
    EXPECT_EQ(error.code(), ErrorCode::rejected);
    EXPECT_THAT(error.what(), HasSubstr("'vad' stays in memory: 2 leases hold it"));
  }
  first.reset();
  EXPECT_THAT(thrown([&] { memory_.leave(false); }).what(), HasSubstr("1 lease holds it"));
  EXPECT_FALSE(allowed);
  second.reset();
  EXPECT_EQ(memory_.leases(), 0U);
  EXPECT_EQ(memory_.leave(false, [&] { allowed = true; }), LeavingModel::kBytes);
  EXPECT_TRUE(allowed);
  EXPECT_EQ(taken_.count(), 0);
}

TEST_F(ModelMemoryTest, ByForceTheLeasesEndAndTheirHoldersAreTold) {
  ModelMemory::Lease first = lease();
  ModelMemory::Lease second = lease();
  EXPECT_EQ(model_->stayers(), 2);
  EXPECT_EQ(memory_.leave(true), LeavingModel::kBytes);
  EXPECT_EQ(taken_.count(), 2);
  EXPECT_EQ(memory_.leases(), 0U);
  EXPECT_EQ(model_->stayers(), 0);
  first.reset();
  second.reset();
  EXPECT_EQ(memory_.leave(true), std::nullopt);
  EXPECT_EQ(taken_.count(), 2);
}

TEST_F(ModelMemoryTest, AHolderThatIsToldMayLetGo) {
  ModelMemory::Lease held;
  held = memory_.lease(memory_.load({}), [&] { held.reset(); });
  EXPECT_EQ(memory_.leave(true), LeavingModel::kBytes);
  EXPECT_EQ(held, nullptr);
}

TEST_F(ModelMemoryTest, ALeaseMayOutliveIt) {
  std::optional<ModelMemory> memory(model_);
  ModelMemory::Lease lease = memory->lease(memory->load({}), [] {});
  memory.reset();
  EXPECT_EQ(model_->stayers(), 1);
  lease.reset();
  EXPECT_EQ(model_->stayers(), 0);
}

TEST_F(ModelMemoryTest, NobodyHoldsWhatHasLeft) {
  std::atomic<int> holders{0};
  testing::together(4, [&](std::size_t who) {
    for (std::uint64_t round = 0; round < testing::slow_rounds(2000); ++round) {
      if (who > 0) {
        ModelMemory::Lease mine = lease();
        ++holders;
        EXPECT_TRUE(model_->in_memory);
        --holders;
      } else {
        try {
          memory_.leave(false, [&] { EXPECT_EQ(holders, 0); });
        } catch (const Error& error) {
          EXPECT_EQ(error.code(), ErrorCode::rejected);
        }
      }
    }
  });
  EXPECT_EQ(model_->stayers(), 0);
}

}  // namespace
}  // namespace remotemedia::detail
