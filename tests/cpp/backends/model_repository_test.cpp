// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/backends/model_repository.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backends/written_file.h"
#include "remotemedia/registry/model_registry.h"
#include "testing/thrown.h"
#include "testing/together.h"
#include "worker/floats.h"

namespace remotemedia {
namespace {

using testing::code_thrown;
using ::testing::ElementsAre;
using testing::floats;
using ::testing::HasSubstr;
using testing::thrown;
using testing::together;
using testing::values;
using testing::WrittenFile;

constexpr std::size_t kModelBytes = 4 * sizeof(float);

/// Two models of kModelBytes: y = [x0 + x1, x0], and y = [x1, 2 x0].
class ModelRepositoryTest : public ::testing::Test {
 protected:
  std::shared_ptr<InferenceModel> add(ModelRepository& repository, const WrittenFile& file, const std::string& name) {
    return repository.add({.path = file.path(), .model_id = name, .max_batch_size = 0}, REMOTEMEDIA_LINEAR_PLUGIN);
  }

  static std::vector<float> answer_of(InferenceModel& model) {
    InferenceContext context({});
    return values(model.infer({{"x", floats({2}, 1)}}, context).at("y"));
  }

  static RegistryConfig room_for(std::size_t models) {
    return {.ttl = std::nullopt, .max_memory_bytes = models * kModelBytes + 1};
  }

  void rewrite(const WrittenFile& file, const std::string& text) { std::ofstream(file.path()) << text; }

  WrittenFile sums_{"sums.linear", "2 2  1 1  1 0"};
  WrittenFile swaps_{"swaps.linear", "2 2  0 1  2 0"};
};

TEST_F(ModelRepositoryTest, WhatItGivesIsTheFilesModel) {
  ModelRepository repository({});
  const auto sums = add(repository, sums_, "sums");
  EXPECT_EQ(sums->model_id(), "sums");
  EXPECT_EQ(sums->device(), "cpu");
  EXPECT_EQ(sums->memory_usage(), kModelBytes);
  EXPECT_EQ(sums->signature(),
            (ModelSignature{.inputs = {{"x", DataType::float32, {2}}}, .outputs = {{"y", DataType::float32, {2}}}}));
  EXPECT_THAT(answer_of(*sums), ElementsAre(3, 1));
}

TEST_F(ModelRepositoryTest, AModelIsCalledAsItsFileUnlessItHasAName) {
  ModelRepository repository({});
  EXPECT_EQ(add(repository, sums_, "")->model_id(), std::filesystem::path(sums_.path()).stem().string());
}

TEST_F(ModelRepositoryTest, TheIdleOneLeavesForTheOtherAndComesBackWhenItIsCalled) {
  ModelRepository repository(room_for(1));
  const auto sums = add(repository, sums_, "sums");
  const auto swaps = add(repository, swaps_, "swaps");
  EXPECT_FALSE(repository.registry().contains("sums"));
  EXPECT_TRUE(repository.registry().contains("swaps"));
  EXPECT_THAT(answer_of(*sums), ElementsAre(3, 1));
  EXPECT_TRUE(repository.registry().contains("sums"));
  EXPECT_FALSE(repository.registry().contains("swaps"));
  EXPECT_THAT(answer_of(*swaps), ElementsAre(2, 2));
  EXPECT_EQ(repository.registry().metrics().loads, 4U);
}

TEST_F(ModelRepositoryTest, WithRoomForBothEachIsLoadedOnce) {
  ModelRepository repository(room_for(2));
  const auto sums = add(repository, sums_, "sums");
  const auto swaps = add(repository, swaps_, "swaps");
  for (int call = 0; call < 10; ++call) {
    EXPECT_THAT(answer_of(*sums), ElementsAre(3, 1));
    EXPECT_THAT(answer_of(*swaps), ElementsAre(2, 2));
  }
  EXPECT_EQ(repository.registry().metrics().loads, 2U);
}

TEST_F(ModelRepositoryTest, ModelsThatAreCalledAtTheSameTimeTakeTurnsWithTheRoomForOne) {
  constexpr int kCalls = 50;
  ModelRepository repository(room_for(1));
  const std::vector<std::shared_ptr<InferenceModel>> models{add(repository, sums_, "sums"),
                                                            add(repository, swaps_, "swaps")};
  together(4, [&](std::size_t i) {
    for (int call = 0; call < kCalls; ++call) {
      if (i % 2 == 0) {
        EXPECT_THAT(answer_of(*models[0]), ElementsAre(3, 1));
      } else {
        EXPECT_THAT(answer_of(*models[1]), ElementsAre(2, 2));
      }
    }
  });
}

TEST_F(ModelRepositoryTest, OneThatIsNotKeptIsLoadedForEachCall) {
  ModelRepository repository({.ttl = Duration{0}});
  const auto sums = add(repository, sums_, "sums");
  for (int call = 0; call < 3; ++call) {
    repository.registry().clear();  // waits until it has left
    EXPECT_THAT(answer_of(*sums), ElementsAre(3, 1));
  }
  EXPECT_EQ(repository.registry().metrics().loads, 4U);
}

TEST_F(ModelRepositoryTest, AModelBeyondTheBudgetIsRefused) {
  ModelRepository repository({.max_memory_bytes = 3});
  EXPECT_EQ(code_thrown([&] { add(repository, sums_, "sums"); }), ErrorCode::out_of_memory);
}

TEST_F(ModelRepositoryTest, TwoModelsHaveTwoNames) {
  ModelRepository repository({});
  const auto sums = add(repository, sums_, "model");
  EXPECT_THAT(thrown([&] { add(repository, swaps_, "model"); }).what(), HasSubstr("'model'"));
  EXPECT_EQ(code_thrown([&] { add(repository, swaps_, "model"); }), ErrorCode::invalid_argument);
}

TEST_F(ModelRepositoryTest, ANameWhoseFileCannotBeLoadedIsFree) {
  ModelRepository repository({});
  const WrittenFile broken("broken.linear", "2 2  1");
  EXPECT_EQ(code_thrown([&] { add(repository, broken, "model"); }), ErrorCode::load_failed);
  EXPECT_THAT(answer_of(*add(repository, sums_, "model")), ElementsAre(3, 1));
}

TEST_F(ModelRepositoryTest, AFileThatIsGoneFailsTheCallsUntilItIsBack) {
  ModelRepository repository({});
  const auto sums = add(repository, sums_, "sums");
  repository.registry().clear();
  std::filesystem::remove(sums_.path());
  EXPECT_THAT(thrown([&] { answer_of(*sums); }).what(), HasSubstr(sums_.path()));
  EXPECT_EQ(code_thrown([&] { answer_of(*sums); }), ErrorCode::load_failed);
  rewrite(sums_, "2 2  1 1  0 1");
  EXPECT_THAT(answer_of(*sums), ElementsAre(3, 2));
}

TEST_F(ModelRepositoryTest, AFileWithOtherInputsIsRefused) {
  ModelRepository repository({});
  const auto sums = add(repository, sums_, "sums");
  repository.registry().clear();
  rewrite(sums_, "2 3  1 1 1  1 0 0");
  EXPECT_THAT(thrown([&] { answer_of(*sums); }).what(), HasSubstr("other inputs or outputs"));
}

TEST_F(ModelRepositoryTest, AModelThatLeavesIsAbsentUntilItIsCalled) {
  ModelRepository repository({.ttl = std::nullopt});
  const auto sums = add(repository, sums_, "sums");
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(sums->residence().state, ModelState::ready);
    EXPECT_EQ(sums->leave_memory(), kModelBytes);
    EXPECT_EQ(sums->leave_memory(), std::nullopt);
    repository.registry().clear();  // waits until it has left
    EXPECT_EQ(sums->residence().state, ModelState::absent);
    EXPECT_THAT(answer_of(*sums), ElementsAre(3, 1));
    EXPECT_THAT(answer_of(*sums), ElementsAre(3, 1));
  }
  EXPECT_EQ(repository.registry().metrics().loads, 3U);
  EXPECT_GT(sums->residence().load_time, Duration{0});
}

TEST_F(ModelRepositoryTest, WhatIsToStayLeavesWithTheLastWhoWantsIt) {
  ModelRepository repository({.ttl = std::nullopt});
  const auto sums = add(repository, sums_, "sums");
  std::shared_ptr<void> first = sums->stay_in_memory({});
  std::shared_ptr<void> second = sums->stay_in_memory({});
  EXPECT_EQ(sums->leave_memory(), std::nullopt);
  first.reset();
  EXPECT_TRUE(repository.registry().contains("sums"));
  second.reset();
  EXPECT_FALSE(repository.registry().contains("sums"));
}

TEST_F(ModelRepositoryTest, WhoWantsAModelToStayHearsItsLoader) {
  ModelRepository repository({.ttl = std::nullopt});
  const auto sums = add(repository, sums_, "sums");
  std::vector<std::optional<double>> fractions;
  const ReportProgress report = [&](std::optional<double> fraction, std::string_view) {
    fractions.push_back(fraction);
  };
  EXPECT_NE(sums->stay_in_memory(report), nullptr);
  EXPECT_THAT(fractions, ElementsAre());
  sums->leave_memory();
  EXPECT_NE(sums->stay_in_memory(report), nullptr);
  EXPECT_THAT(fractions, ElementsAre(0.25, 0.5, 0.75, 1.0));
}

TEST_F(ModelRepositoryTest, WhatIsToStayIsNotTakenByAnotherModel) {
  ModelRepository repository(room_for(1));
  const auto swaps = add(repository, swaps_, "swaps");
  const auto sums = add(repository, sums_, "sums");
  std::shared_ptr<void> stay = sums->stay_in_memory({});
  for (int call = 0; call < 2; ++call) {
    EXPECT_EQ(code_thrown([&] { answer_of(*swaps); }), ErrorCode::out_of_memory);
    EXPECT_THAT(answer_of(*sums), ElementsAre(3, 1));
  }
  stay.reset();
  EXPECT_THAT(answer_of(*swaps), ElementsAre(2, 2));
}

TEST_F(ModelRepositoryTest, WhatItGivesMayOutliveIt) {
  std::shared_ptr<InferenceModel> sums;
  {
    ModelRepository repository({.ttl = Duration{0}});
    sums = add(repository, sums_, "sums");
  }
  EXPECT_THAT(answer_of(*sums), ElementsAre(3, 1));
}

}  // namespace
}  // namespace remotemedia
