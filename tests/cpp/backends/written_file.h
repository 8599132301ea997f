// SPDX-License-Identifier: Apache-2.0
//
// A file with a given text, while the object lives.

#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

namespace remotemedia::testing {

class WrittenFile {
 public:
  /// The running test's name makes it another file in every test.
  WrittenFile(const std::string& name, const std::string& text) {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    path_ = std::filesystem::temp_directory_path() /
            (std::string(test->test_suite_name()) + "." + test->name() + "." + name);
    std::ofstream(path_) << text;
  }
  WrittenFile(const WrittenFile&) = delete;
  WrittenFile& operator=(const WrittenFile&) = delete;
  ~WrittenFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }

  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace remotemedia::testing
