// SPDX-License-Identifier: Apache-2.0
//
// Plug-ins that do wrong: the error says who did what, the host goes on, and nothing stays loaded.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "backends/written_file.h"
#include "remotemedia/backends/backend.h"
#include "remotemedia/base/error.h"
#include "remotemedia/worker/inference_context.h"
#include "testing/thrown.h"
#include "worker/floats.h"

namespace remotemedia {
namespace {

using ::testing::ElementsAre;
using testing::floats;
using ::testing::HasSubstr;
using testing::thrown;
using testing::values;
using testing::WrittenFile;

class HostilePluginTest : public ::testing::Test {
 protected:
  std::shared_ptr<BackendModel> loaded(const std::string& word) {
    const WrittenFile file("model.hostile", word);
    return engine_.load({.path = file.path(), .model_id = "m"});
  }

  TensorMap answer_of(BackendModel& model) {
    InferenceContext context({});
    return model.infer({{"x", floats({1}, 5)}}, context);
  }

  /// Twice, so that the first time leaves nothing that helps or hinders the second.
  void expect_no_load(const std::string& word, const std::string& why) {
    for (int round = 0; round < 2; ++round) {
      const Error refused = thrown([&] { loaded(word); });
      EXPECT_EQ(refused.code(), ErrorCode::load_failed) << word;
      EXPECT_THAT(refused.what(), HasSubstr("hostile 0.1")) << word;
      EXPECT_THAT(refused.what(), HasSubstr(why)) << word;
    }
    EXPECT_EQ(living(), 1) << word;
  }

  void expect_no_answer(const std::string& word, ErrorCode code, const std::string& why) {
    const auto model = loaded(word);
    for (int round = 0; round < 2; ++round) {
      const Error failed = thrown([&] { answer_of(*model); });
      EXPECT_EQ(failed.code(), code) << word;
      EXPECT_THAT(failed.what(), HasSubstr(why)) << word;
    }
  }

  /// Models that the plug-in has loaded and not unloaded, with the one that is asked.
  int living() { return static_cast<int>(values(answer_of(*loaded("tells-how-many-live")).at("y"))[0]); }

  Backend engine_ = Backend::open(REMOTEMEDIA_HOSTILE_PLUGIN);
};

TEST_F(HostilePluginTest, WhatIsThrownOrToldInLoadIsALoadThatFailed) {
  expect_no_load("throws-in-load", "thrown in load");
  expect_no_load("throws-a-number-in-load", "no std::exception");
  expect_no_load("fails-to-load", "the weights are torn");
  expect_no_load("says-nothing", "did not say why");
  expect_no_load("says-too-much", std::string(2047, 'x'));
}

TEST_F(HostilePluginTest, AWrongDescriptionIsRefusedAndTheModelUnloaded) {
  expect_no_load("describes-nothing", "nothing");
  expect_no_load("throws-in-describe", "thrown in describe");
  expect_no_load("no-name", "has no name");
  expect_no_load("no-dtype", "has no dtype");
  expect_no_load("unknown-dtype", "float31");
  expect_no_load("bytes", "no dtype of a tensor");
  expect_no_load("too-many-dimensions", "80 dimensions");
  expect_no_load("no-shape", "no shape");
  expect_no_load("negative-extent", "-2");
  expect_no_load("name-twice", "'x'");
  expect_no_load("no-inputs-there", "none is there");
  expect_no_load("endless-inputs", "inputs");
  expect_no_load("no-outputs", "no output");
  expect_no_load("negative-batch", "-1");
}

TEST_F(HostilePluginTest, WhatIsThrownOrToldInInferFailsTheCallAlone) {
  expect_no_answer("throws-in-infer", ErrorCode::inference_failed, "thrown in infer");
  expect_no_answer("fails-to-infer", ErrorCode::inference_failed, "the engine stalled");
  expect_no_answer("gives-what-it-did-not-describe", ErrorCode::inference_failed, "'z'");
  expect_no_answer("gives-no-name", ErrorCode::inference_failed, "did not describe");
  expect_no_answer("gives-it-twice", ErrorCode::inference_failed, "'y' twice");
  EXPECT_EQ(living(), 1);
}

TEST_F(HostilePluginTest, SeveralInputsComeInTheirOrder) {
  const auto model = loaded("adds-two-inputs");
  InferenceContext context({});
  const TensorMap answer = model->infer({{"x", floats({1}, 5)}, {"z", floats({1}, 7)}}, context);
  EXPECT_THAT(values(answer.at("y")), ElementsAre(12));
}

TEST_F(HostilePluginTest, AnOutputThatCannotBeAllocatedFailsWithThatReason) {
  expect_no_answer("gives-too-much", ErrorCode::invalid_tensor, "");
}

TEST_F(HostilePluginTest, ProgressBeyondAllBoundsIsTakenAsItCanBe) {
  const WrittenFile file("model.hostile", "well");
  std::vector<std::optional<double>> told;
  engine_.load({.path = file.path(),
                .progress = [&](std::optional<double> fraction, std::string_view) { told.push_back(fraction); }});
  EXPECT_THAT(told, ElementsAre(std::nullopt, 1.0));
}

TEST_F(HostilePluginTest, WhatIsThrownInUnloadHarmsNobody) {
  loaded("throws-in-unload").reset();
  EXPECT_EQ(living(), 1);
}

}  // namespace
}  // namespace remotemedia
