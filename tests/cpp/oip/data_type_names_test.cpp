// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/oip/data_type_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "testing/thrown.h"

namespace remotemedia::detail {
namespace {

using testing::code_thrown;
using ::testing::HasSubstr;
using testing::thrown;

/// As the protocol's page has them.
constexpr std::array<std::pair<std::string_view, DataType>, 14> kOfTheProtocol{{
    {"BOOL", DataType::boolean},
    {"UINT8", DataType::uint8},
    {"UINT16", DataType::uint16},
    {"UINT32", DataType::uint32},
    {"UINT64", DataType::uint64},
    {"INT8", DataType::int8},
    {"INT16", DataType::int16},
    {"INT32", DataType::int32},
    {"INT64", DataType::int64},
    {"FP16", DataType::float16},
    {"BF16", DataType::bfloat16},
    {"FP32", DataType::float32},
    {"FP64", DataType::float64},
    {"BYTES", DataType::bytes},
}};

bool is_of_the_protocol(DataType dtype) {
  return std::ranges::any_of(kOfTheProtocol, [&](const auto& named) { return named.second == dtype; });
}

TEST(DataTypeNamesTest, EveryNameOfTheProtocolIsATypeAndItsName) {
  for (const auto& [name, dtype] : kOfTheProtocol) {
    EXPECT_EQ(data_type_of_oip(name), dtype) << name;
    EXPECT_EQ(oip_name(dtype), name);
    EXPECT_EQ(checked_oip_name(dtype), name);
  }
}

TEST(DataTypeNamesTest, NoTwoTypesHaveOneName) {
  std::set<std::string_view> names;
  for (const DataTypeInfo& info : kDataTypes) names.insert(oip_name(info.type));
  EXPECT_EQ(names.size(), kDataTypes.size());
}

TEST(DataTypeNamesTest, TypesThatTheProtocolHasNotKeepOurName) {
  std::size_t others = 0;
  for (const DataTypeInfo& info : kDataTypes) {
    if (is_of_the_protocol(info.type)) continue;
    ++others;
    EXPECT_EQ(oip_name(info.type), info.name);
  }
  EXPECT_EQ(others, kDataTypes.size() - kOfTheProtocol.size());
}

TEST(DataTypeNamesTest, TypesThatTheProtocolHasNotAreRefusedWhereTheyWouldBeSent) {
  for (const DataTypeInfo& info : kDataTypes) {
    if (is_of_the_protocol(info.type)) continue;
    const Error error = thrown([&] { checked_oip_name(info.type); });
    EXPECT_EQ(error.code(), ErrorCode::invalid_tensor);
    EXPECT_THAT(error.what(), HasSubstr(std::string(info.name)));
    EXPECT_EQ(checked_oip_name(DataType::float32), "FP32");
  }
}

TEST(DataTypeNamesTest, OurOwnNamesAreRefused) {
  for (const DataTypeInfo& info : kDataTypes) {
    EXPECT_EQ(code_thrown([&] { data_type_of_oip(info.name); }), ErrorCode::invalid_tensor) << info.name;
  }
  EXPECT_EQ(data_type_of_oip("FP32"), DataType::float32);
}

TEST(DataTypeNamesTest, WhatIsAlmostANameIsRefused) {
  for (const std::string_view name :
       {"", "fp32", "FP32 ", " FP32", "FP", "FP8", "INT", "INT128", "STRING", "TYPE_FP32"}) {
    EXPECT_EQ(code_thrown([&] { data_type_of_oip(name); }), ErrorCode::invalid_tensor) << name;
  }
  EXPECT_EQ(code_thrown([] { data_type_of_oip(std::string_view("FP32\0", 5)); }), ErrorCode::invalid_tensor);
  EXPECT_EQ(data_type_of_oip("FP32"), DataType::float32);
}

TEST(DataTypeNamesTest, ARefusalSaysWhatWasFoundAndWhatThereIs) {
  const std::string text = thrown([] { data_type_of_oip("FLOAT"); }).what();
  EXPECT_THAT(text, HasSubstr("'FLOAT'"));
  for (const auto& [name, dtype] : kOfTheProtocol) EXPECT_THAT(text, HasSubstr(std::string(name)));
}

TEST(DataTypeNamesTest, ALongNameMakesNoLongRefusal) {
  EXPECT_LT(std::string(thrown([] { data_type_of_oip(std::string(100'000, 'F')); }).what()).size(), 400U);
}

}  // namespace
}  // namespace remotemedia::detail
