// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/oip/served_models.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "testing/event_count.h"
#include "testing/rounds.h"
#include "testing/thrown.h"
#include "testing/together.h"
#include "worker/served_model.h"

namespace remotemedia::detail {
namespace {

using ::testing::AllOf;
using testing::code_thrown;
using ::testing::ElementsAre;
using testing::EventCount;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::thrown;

class NamedModel final : public testing::ServedModel {
 public:
  explicit NamedModel(std::string name) : ServedModel(testing::rows_of_numbers(8)), name_(std::move(name)) {}
  std::string model_id() const override { return name_; }

 private:
  std::string name_;
};

/// A worker that does not run, and what a listener is given of it.
class Worker {
 public:
  explicit Worker(const std::string& name) : core_(std::make_shared<NamedModel>(name), {}, "worker of " + name) {}

  const WorkerCore& core() const { return core_; }
  ServedWorker served() {
    return {core_, [this, each = copies_] {
              WorkerInfo info;
              info.worker_id = "worker of " + core_.model_id();
              return info;
            }};
  }

  /// How many of what was given are left.
  long copies() const { return copies_.use_count() - 1; }

 private:
  WorkerCore core_;
  std::shared_ptr<int> copies_ = std::make_shared<int>();
};

bool is_known(const ServedModels& models, const std::string& name) {
  try {
    models.find(name, "");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::model_not_found);
    return false;
  }
  return true;
}

void wait_until_unknown(const ServedModels& models, const std::string& name) {
  while (is_known(models, name)) std::this_thread::yield();
}

std::vector<std::string> names_of(const ServedModels& models) {
  std::vector<std::string> names;
  for (const ServedModels::Use& use : models.all()) names.push_back(use->core.model_id());
  return names;
}

TEST(ServedModelsTest, AModelIsFoundByItsNameAndItsVersionOrAny) {
  Worker worker("a");
  ServedModels models;
  models.add(worker.served());
  for (const std::string version : {"", "1"}) {
    const ServedModels::Use use = models.find("a", version);
    EXPECT_EQ(&use->core, &worker.core());
    EXPECT_EQ(use->status().worker_id, "worker of a");
  }
}

TEST(ServedModelsTest, AnUnknownNameIsRefusedByName) {
  Worker worker("a");
  ServedModels models;
  EXPECT_EQ(code_thrown([&] { models.find("a", ""); }), ErrorCode::model_not_found);
  models.add(worker.served());
  const Error error = thrown([&] { models.find("tagger", ""); });
  EXPECT_EQ(error.code(), ErrorCode::model_not_found);
  EXPECT_THAT(error.what(), HasSubstr("'tagger'"));
  for (const std::string name : {"", "A", "a ", "aa"}) {
    EXPECT_EQ(code_thrown([&] { models.find(name, "1"); }), ErrorCode::model_not_found) << name;
  }
  EXPECT_TRUE(is_known(models, "a"));
}

TEST(ServedModelsTest, AnotherVersionIsRefusedByModelAndVersion) {
  Worker worker("a");
  ServedModels models;
  models.add(worker.served());
  const Error error = thrown([&] { models.find("a", "17"); });
  EXPECT_EQ(error.code(), ErrorCode::model_not_found);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("'a'"), HasSubstr("'17'")));
  for (const std::string version : {"0", "01", "1 ", "latest"}) {
    EXPECT_EQ(code_thrown([&] { models.find("a", version); }), ErrorCode::model_not_found) << version;
  }
  EXPECT_EQ(&models.find("a", "1")->core, &worker.core());
}

TEST(ServedModelsTest, ALongNameOrVersionMakesNoLongRefusal) {
  Worker worker("a");
  ServedModels models;
  models.add(worker.served());
  const std::string longest(100'000, 'x');
  EXPECT_LT(std::string(thrown([&] { models.find(longest, ""); }).what()).size(), 400U);
  EXPECT_LT(std::string(thrown([&] { models.find("a", longest); }).what()).size(), 400U);
}

TEST(ServedModelsTest, ANameThatIsThereIsRefusedAndTheFirstStays) {
  Worker first("a");
  Worker second("a");
  ServedModels models;
  models.add(first.served());
  const Error error = thrown([&] { models.add(second.served()); });
  EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
  EXPECT_THAT(error.what(), HasSubstr("'a'"));
  EXPECT_EQ(second.copies(), 0);
  EXPECT_EQ(&models.find("a", "")->core, &first.core());
  models.remove("a");
  models.add(second.served());
  EXPECT_EQ(&models.find("a", "")->core, &second.core());
}

TEST(ServedModelsTest, AllAreInTheOrderOfTheirNames) {
  Worker a("a");
  Worker b("b");
  Worker c("c");
  ServedModels models;
  EXPECT_TRUE(models.empty());
  EXPECT_THAT(names_of(models), IsEmpty());
  models.add(c.served());
  models.add(a.served());
  models.add(b.served());
  EXPECT_FALSE(models.empty());
  EXPECT_THAT(names_of(models), ElementsAre("a", "b", "c"));
  models.remove("b");
  EXPECT_THAT(names_of(models), ElementsAre("a", "c"));
  models.remove("a");
  models.remove("c");
  EXPECT_TRUE(models.empty());
}

TEST(ServedModelsTest, ARemovedModelIsUnknownAndNothingOfItIsLeft) {
  Worker a("a");
  Worker b("b");
  ServedModels models;
  models.add(a.served());
  models.add(b.served());
  models.remove("a");
  EXPECT_FALSE(is_known(models, "a"));
  EXPECT_EQ(a.copies(), 0);
  EXPECT_TRUE(is_known(models, "b"));
}

TEST(ServedModelsTest, ToRemoveWhatIsNotThereIsNothing) {
  Worker worker("a");
  ServedModels models;
  models.remove("a");
  models.add(worker.served());
  models.remove("b");
  models.remove("");
  EXPECT_TRUE(is_known(models, "a"));
  models.remove("a");
  models.remove("a");
}

TEST(ServedModelsTest, ModelsThatNobodyRemovedEndWithIt) {
  Worker a("a");
  Worker b("b");
  std::optional<ServedModels> models(std::in_place);
  models->add(a.served());
  models->add(b.served());
  EXPECT_EQ(a.copies(), 1);
  models.reset();
  EXPECT_EQ(a.copies(), 0);
  EXPECT_EQ(b.copies(), 0);
}

TEST(ServedModelsTest, RemoveWaitsUntilEveryUseIsGone) {
  Worker worker("a");
  ServedModels models;
  models.add(worker.served());
  ServedModels::Use first = models.find("a", "");
  ServedModels::Use second = models.all().front();
  ServedModels::Use copy = second;
  std::atomic<bool> last_let_go{false};
  EventCount removed;
  std::jthread remover([&] {
    models.remove("a");
    EXPECT_TRUE(last_let_go);
    EXPECT_EQ(worker.copies(), 0);
    removed.add();
  });
  wait_until_unknown(models, "a");
  EXPECT_TRUE(models.empty());
  first.reset();
  second.reset();
  EXPECT_EQ(removed.count(), 0);
  EXPECT_EQ(&copy->core, &worker.core());
  EXPECT_EQ(copy->status().worker_id, "worker of a");
  last_let_go = true;
  copy.reset();
  removed.wait_for(1);
}

TEST(ServedModelsTest, RemoveWaitsForAUseOnAnotherThread) {
  Worker worker("a");
  ServedModels models;
  models.add(worker.served());
  EventCount used;
  EventCount may_end;
  std::atomic<bool> ended{false};
  std::jthread user([&] {
    const ServedModels::Use use = models.find("a", "1");
    used.add();
    may_end.wait_for(1);
    EXPECT_EQ(use->core.model_id(), "a");
    ended = true;
  });
  used.wait_for(1);
  std::jthread teller([&] {
    wait_until_unknown(models, "a");
    may_end.add();
  });
  models.remove("a");
  EXPECT_TRUE(ended);
  EXPECT_EQ(worker.copies(), 0);
}

TEST(ServedModelsTest, AModelIsRemovedWhileOthersAreUsed) {
  Worker a("a");
  Worker b("b");
  ServedModels models;
  models.add(a.served());
  models.add(b.served());
  const ServedModels::Use use = models.find("b", "");
  models.remove("a");
  EXPECT_EQ(a.copies(), 0);
  EXPECT_EQ(use->core.model_id(), "b");
}

TEST(ServedModelsTest, ANameIsFreeAsSoonAsItsModelIsUnknown) {
  Worker old("a");
  Worker young("a");
  ServedModels models;
  models.add(old.served());
  ServedModels::Use use = models.find("a", "");
  std::jthread remover([&] { models.remove("a"); });
  wait_until_unknown(models, "a");
  models.add(young.served());
  EXPECT_EQ(&models.find("a", "")->core, &young.core());
  EXPECT_EQ(&use->core, &old.core());
  use.reset();
  remover.join();
  EXPECT_EQ(old.copies(), 0);
  EXPECT_EQ(&models.find("a", "")->core, &young.core());
}

TEST(ServedModelsTest, NobodyWaitsForAModelThatCameToThePlaceOfARemovedOne) {
  Worker old("old");
  Worker young("young");
  ServedModels models;
  for (std::uint64_t round = 0; round < testing::slow_rounds(200); ++round) {
    models.add(old.served());
    ServedModels::Use use = models.find("old", "");
    std::jthread remover([&] { models.remove("old"); });
    wait_until_unknown(models, "old");
    use.reset();
    // So that now and then the new one comes to the address that was just given back.
    std::vector<std::unique_ptr<ServedWorker>> between;
    for (std::uint64_t i = 0; i < round % 3; ++i) between.push_back(std::make_unique<ServedWorker>(young.served()));
    models.add(young.served());
    remover.join();
    models.remove("young");
  }
}

TEST(ServedModelsTest, ManyFindAModelThatComesAndGoes) {
  Worker worker("a");
  Worker other("b");
  ServedModels models;
  models.add(other.served());
  std::atomic<bool> over{false};
  std::atomic<int> users{0};
  testing::together(5, [&](std::size_t who) {
    if (who == 0) {
      for (std::uint64_t round = 0; round < testing::slow_rounds(500); ++round) {
        models.add(worker.served());
        std::this_thread::yield();
        models.remove("a");
        EXPECT_EQ(users, 0);
        EXPECT_EQ(worker.copies(), 0);
      }
      over = true;
      return;
    }
    while (!over) {
      try {
        const ServedModels::Use use = models.find("a", who % 2 == 0 ? "" : "1");
        ++users;
        EXPECT_EQ(use->core.model_id(), "a");
        EXPECT_EQ(use->status().worker_id, "worker of a");
        --users;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::model_not_found);
      }
      EXPECT_EQ(&models.find("b", "")->core, &other.core());
      EXPECT_GE(models.all().size(), 1U);
      EXPECT_FALSE(models.empty());
    }
  });
  EXPECT_THAT(names_of(models), ElementsAre("b"));
}

TEST(ServedModelsTest, SeveralAddAndRemoveAtOnce) {
  ServedModels models;
  testing::together(4, [&](std::size_t who) {
    Worker worker("model " + std::to_string(who));
    for (std::uint64_t round = 0; round < testing::slow_rounds(500); ++round) {
      models.add(worker.served());
      EXPECT_EQ(&models.find(worker.core().model_id(), "")->core, &worker.core());
      models.remove(worker.core().model_id());
      EXPECT_EQ(worker.copies(), 0);
    }
  });
  EXPECT_TRUE(models.empty());
}

}  // namespace
}  // namespace remotemedia::detail
