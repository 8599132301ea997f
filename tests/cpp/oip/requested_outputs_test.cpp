// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/oip/requested_outputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "testing/thrown.h"

namespace remotemedia::detail {
namespace {

using ::testing::AllOf;
using testing::code_thrown;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::thrown;

using Names = std::vector<std::string>;

/// Declares them in an order that is not that of their names.
ModelSignature giving(const Names& outputs) {
  ModelSignature signature{.inputs = {{"x"}}};
  for (const std::string& name : outputs) signature.outputs.push_back({name});
  return signature;
}

TensorMap outputs(const Names& names) {
  TensorMap made;
  for (const std::string& name : names) made.emplace(name, TensorBuffer::allocate({1}, DataType::uint8));
  return made;
}

Names order_of(const TensorMap& given, const Names& requested, const ModelSignature& signature) {
  Names names;
  for (const auto& [name, tensor] : in_requested_order(given, requested, signature)) {
    EXPECT_EQ(tensor.data(), given.at(name).data()) << name;
    names.push_back(name);
  }
  return names;
}

TEST(RequestedOutputsTest, NoneMayBeRequestedOfAnyModel) {
  check_requested({}, giving({"y"}), "m");
  check_requested({}, giving({}), "m");
  check_requested({}, {}, "m");
}

TEST(RequestedOutputsTest, ThoseOfTheSignatureMayBeRequestedInAnyOrder) {
  const ModelSignature signature = giving({"c", "a", "b"});
  check_requested({"a", "b", "c"}, signature, "m");
  check_requested({"b"}, signature, "m");
}

TEST(RequestedOutputsTest, AnotherIsRefusedByModelAndOutput) {
  const ModelSignature signature = giving({"c", "a"});
  const Error error = thrown([&] { check_requested({"a", "d"}, signature, "tagger"); });
  EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("'tagger'"), HasSubstr("'d'")));
  for (const std::string name : {"", "A", "x", "a "}) {
    EXPECT_EQ(code_thrown([&] { check_requested({name}, signature, "m"); }), ErrorCode::invalid_argument) << name;
  }
  check_requested({"a"}, signature, "tagger");
}

TEST(RequestedOutputsTest, OneThatIsRequestedTwiceIsRefusedByModelAndOutput) {
  const ModelSignature signature = giving({"c", "a"});
  const Error error = thrown([&] { check_requested({"a", "c", "a"}, signature, "tagger"); });
  EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("'tagger'"), HasSubstr("'a'")));
  check_requested({"a", "c"}, signature, "tagger");
}

TEST(RequestedOutputsTest, AModelThatDeclaresNothingMayBeAskedForAnythingOnce) {
  check_requested({"whatever", "", "z"}, {}, "m");
  EXPECT_EQ(code_thrown([] { check_requested({"z", "z"}, {}, "m"); }), ErrorCode::invalid_argument);
  check_requested({"z"}, {}, "m");
}

TEST(RequestedOutputsTest, AModelThatDeclaresInputsOnlyGivesNothing) {
  EXPECT_EQ(code_thrown([] { check_requested({"y"}, giving({}), "m"); }), ErrorCode::invalid_argument);
  check_requested({}, giving({}), "m");
}

TEST(RequestedOutputsTest, TheyGoInTheOrderOfTheRequest) {
  const ModelSignature signature = giving({"c", "a", "b"});
  EXPECT_THAT(order_of(outputs({"a", "b", "c"}), {"b", "c", "a"}, signature), ElementsAre("b", "c", "a"));
  EXPECT_THAT(order_of(outputs({"a", "b", "c"}), {"b", "a"}, {}), ElementsAre("b", "a"));
}

TEST(RequestedOutputsTest, WhatWasNotRequestedIsLeftOut) {
  EXPECT_THAT(order_of(outputs({"a", "b", "c"}), {"b"}, giving({"c", "a", "b"})), ElementsAre("b"));
}

TEST(RequestedOutputsTest, WithoutARequestTheyGoInTheOrderOfTheSignature) {
  EXPECT_THAT(order_of(outputs({"a", "b", "c"}), {}, giving({"c", "a", "b"})), ElementsAre("c", "a", "b"));
}

TEST(RequestedOutputsTest, WithoutASignatureTheyGoInTheOrderOfTheirNames) {
  EXPECT_THAT(order_of(outputs({"c", "a", "B"}), {}, {}), ElementsAre("B", "a", "c"));
  EXPECT_THAT(order_of(outputs({"b", "a", "c"}), {}, giving({"c"})), ElementsAre("c", "a", "b"));
  EXPECT_THAT(order_of({}, {}, {}), IsEmpty());
}

TEST(RequestedOutputsTest, OneThatTheModelDidNotGiveIsRefusedByName) {
  const Error error = thrown([] { in_requested_order(outputs({"a"}), {"a", "gone"}, {}); });
  EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
  EXPECT_THAT(error.what(), HasSubstr("'gone'"));
  EXPECT_EQ(code_thrown([] { in_requested_order({}, {"a"}, {}); }), ErrorCode::invalid_argument);
  EXPECT_EQ(code_thrown([] {
              in_requested_order(outputs({"a"}), {}, giving({"a", "b"}));
            }),
            ErrorCode::invalid_argument);
  EXPECT_THAT(order_of(outputs({"a"}), {"a"}, {}), ElementsAre("a"));
}

TEST(RequestedOutputsTest, ATensorIsMovedAndNotCopied) {
  TensorMap given = outputs({"a"});
  const std::byte* const elements = given.at("a").data();
  const auto ordered = in_requested_order(std::move(given), {"a"}, {});
  ASSERT_EQ(ordered.size(), 1U);
  EXPECT_EQ(ordered[0].second.data(), elements);
}

}  // namespace
}  // namespace remotemedia::detail
