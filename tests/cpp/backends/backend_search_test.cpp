// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/backends/backend_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <system_error>

#include "backends/written_file.h"
#include "remotemedia/base/error.h"
#include "testing/thrown.h"

namespace remotemedia {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::thrown;
using testing::WrittenFile;

namespace fs = std::filesystem;

class BackendSearchTest : public ::testing::Test {
 protected:
  BackendSearchTest()
      : folder_(fs::temp_directory_path() /
                (std::string("backends.") + ::testing::UnitTest::GetInstance()->current_test_info()->name())) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~BackendSearchTest() override {
    std::error_code ignored;  // Windows keeps what is loaded
    fs::remove_all(folder_, ignored);
  }

  void put(const std::string& plugin, const std::string& stem) {
    fs::copy_file(plugin, folder_ / (stem + fs::path(plugin).extension().string()));
  }

  std::string refusal(const std::string& path, const std::string& backend) {
    const Error refused = thrown([&] { find_backend(path, backend, {folder_}); });
    EXPECT_EQ(refused.code(), ErrorCode::load_failed);
    return refused.what();
  }

  fs::path folder_;
  WrittenFile linear_{"one.linear", "1 1 1"};
  WrittenFile other_{"one.other", ""};
};

TEST_F(BackendSearchTest, TakesTheOneThatReadsTheFile) {
  put(REMOTEMEDIA_HOSTILE_PLUGIN, "a");
  put(REMOTEMEDIA_LINEAR_PLUGIN, "b");
  EXPECT_EQ(find_backend(linear_.path(), "", {folder_}).name(), "linear");
}

TEST_F(BackendSearchTest, TakesTheOneThatIsNamedWhateverItReads) {
  put(REMOTEMEDIA_HOSTILE_PLUGIN, "a");
  put(REMOTEMEDIA_LINEAR_PLUGIN, "b");
  EXPECT_EQ(find_backend(linear_.path(), "a", {folder_}).name(), "hostile");
  EXPECT_EQ(find_backend(linear_.path(), REMOTEMEDIA_HOSTILE_PLUGIN, {}).name(), "hostile");
}

TEST_F(BackendSearchTest, OneThatCannotBeUsedStandsInNobodysWay) {
  put(REMOTEMEDIA_OTHER_ABI_PLUGIN, "a");
  put(REMOTEMEDIA_LINEAR_PLUGIN, "b");
  EXPECT_EQ(find_backend(linear_.path(), "", {folder_ / "missing", folder_}).name(), "linear");
}

TEST_F(BackendSearchTest, ARefusalSaysWhereWasLookedAndWhatWasThere) {
  put(REMOTEMEDIA_OTHER_ABI_PLUGIN, "a");
  put(REMOTEMEDIA_LINEAR_PLUGIN, "b");
  EXPECT_THAT(refusal(other_.path(), ""), AllOf(HasSubstr(other_.path()), HasSubstr(folder_.string()),
                                                HasSubstr("version 2"), HasSubstr("linear reads .linear")));
  EXPECT_THAT(refusal(linear_.path(), "tensorrt"), AllOf(HasSubstr("'tensorrt'"), HasSubstr(folder_.string())));
  EXPECT_THAT(refusal(linear_.path(), "a"), HasSubstr("version 2"));
  EXPECT_THAT(refusal("/no/such/model.linear", ""), HasSubstr("no model file '/no/such/model.linear'"));
}

}  // namespace
}  // namespace remotemedia
