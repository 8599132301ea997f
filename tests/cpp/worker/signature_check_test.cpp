// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/signature_check.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "testing/thrown.h"

namespace remotemedia::detail {
namespace {

using testing::thrown;

TensorBuffer tensor(const Dims& shape, DataType dtype = DataType::float32) {
  return TensorBuffer::allocate(shape, dtype);
}

std::int64_t check_inputs_of(const ModelSignature& signature, const TensorMap& inputs) {
  return check_inputs({"m", signature, signature.max_batch_size}, inputs);
}

void check_outputs_of(const ModelSignature& signature, const TensorMap& outputs, std::int64_t rows = 1) {
  check_outputs({"m", signature, signature.max_batch_size}, outputs, rows);
}

/// The same tensors as inputs of one model and as outputs of another.
const std::vector<TensorSpec>& specs() {
  static const std::vector<TensorSpec> both{{"a", DataType::float32, {-1, 3}}, {"b", DataType::int8, {}}};
  return both;
}

ModelSignature taking(std::int64_t max_batch_size) {
  return {.inputs = specs(), .outputs = {{"y"}}, .max_batch_size = max_batch_size};
}

ModelSignature giving(std::int64_t max_batch_size) {
  return {.inputs = {{"x"}}, .outputs = specs(), .max_batch_size = max_batch_size};
}

/// Tensors that are not those of specs(), and how that is said after "model 'm' takes input" or "declares output".
struct Difference {
  TensorMap tensors;
  std::string text;
};

std::vector<Difference> differences() {
  const TensorBuffer b = tensor({}, DataType::int8);
  return {
      {{}, " 'a', float32 (any, 3), which is not there: found none"},
      {{{"A", tensor({2, 3})}, {"b", b}}, " 'a', float32 (any, 3), which is not there: found 'A', 'b'"},
      {{{"a", tensor({2, 3})}}, " 'b', int8 (), which is not there: found 'a'"},
      {{{"a", {}}, {"b", b}}, " 'a' as float32 (any, 3), found an empty TensorBuffer"},
      {{{"a", tensor({2, 3}, DataType::float64)}, {"b", b}}, " 'a' as float32 (any, 3), found float64 (2, 3)"},
      {{{"a", tensor({2, 4})}, {"b", b}}, " 'a' as float32 (any, 3), found float32 (2, 4)"},
      {{{"a", tensor({3})}, {"b", b}}, " 'a' as float32 (any, 3), found float32 (3,)"},
      {{{"a", tensor({1, 2, 3})}, {"b", b}}, " 'a' as float32 (any, 3), found float32 (1, 2, 3)"},
      {{{"a", tensor({2, 3})}, {"b", tensor({1}, DataType::int8)}}, " 'b' as int8 (), found int8 (1,)"},
  };
}

std::vector<Difference> batched_differences() {
  const TensorBuffer b = tensor({1}, DataType::int8);
  return {
      {{}, " 'a', float32 (batch, any, 3), which is not there: found none"},
      {{{"a", tensor({1, 2, 3})}}, " 'b', int8 (batch,), which is not there: found 'a'"},
      {{{"a", tensor({1, 2, 3})}, {"b", {}}}, " 'b' as int8 (batch,), found an empty TensorBuffer"},
      {{{"a", tensor({1, 2, 4})}, {"b", b}}, " 'a' as float32 (batch, any, 3), found float32 (1, 2, 4)"},
      {{{"a", tensor({2, 3})}, {"b", b}}, " 'a' as float32 (batch, any, 3), found float32 (2, 3)"},
      {{{"a", tensor({1, 2, 3})}, {"b", tensor({}, DataType::int8)}}, " 'b' as int8 (batch,), found int8 ()"},
      {{{"a", tensor({1, 2, 3})}, {"b", tensor({1}, DataType::uint8)}}, " 'b' as int8 (batch,), found uint8 (1,)"},
  };
}

void expect_refused(const std::string& message, ErrorCode code, const auto& check) {
  for (int time = 0; time < 2; ++time) {
    const Error error = thrown(check);
    EXPECT_EQ(error.code(), code) << message;
    EXPECT_EQ(error.what(), message);
  }
}

TEST(CheckInputsTest, WhatIsDeclaredIsTaken) {
  for (const std::int64_t any : {0, 1, 2, 1000}) {
    EXPECT_EQ(check_inputs_of(taking(0), {{"a", tensor({any, 3})}, {"b", tensor({}, DataType::int8)}}), 1) << any;
  }
  const TensorBuffer transposed = tensor({3, 5}).transpose();
  EXPECT_EQ(check_inputs_of(taking(0), {{"a", transposed}, {"b", tensor({}, DataType::int8)}}), 1);
}

TEST(CheckInputsTest, WhatDiffersIsRefusedNamingModelAndInputAndBothKinds) {
  for (const Difference& one : differences()) {
    expect_refused("model 'm' takes input" + one.text, ErrorCode::invalid_tensor,
                   [&] { check_inputs_of(taking(0), one.tensors); });
  }
  for (const Difference& one : batched_differences()) {
    expect_refused("model 'm' takes input" + one.text, ErrorCode::invalid_tensor,
                   [&] { check_inputs_of(taking(4), one.tensors); });
  }
}

TEST(CheckInputsTest, OneTooManyIsRefusedNamingAll) {
  TensorMap inputs{{"a", tensor({1, 2, 3})}, {"b", tensor({1}, DataType::int8)}, {"c", tensor({1})}};
  expect_refused("model 'm' has no input but 'a', 'b': found 'a', 'b', 'c'", ErrorCode::invalid_tensor,
                 [&] { check_inputs_of(taking(4), inputs); });
  inputs["c"] = {};
  expect_refused("model 'm' has no input but 'a', 'b': found 'a', 'b', 'c'", ErrorCode::invalid_tensor,
                 [&] { check_inputs_of(taking(4), inputs); });
}

TEST(CheckInputsTest, TheRowsOfABatchAreCounted) {
  const auto rows = [](std::int64_t count) {
    return check_inputs_of(taking(4), {{"a", tensor({count, 7, 3})}, {"b", tensor({count}, DataType::int8)}});
  };
  EXPECT_EQ(rows(1), 1);
  EXPECT_EQ(rows(3), 3);
  EXPECT_EQ(rows(4), 4);
  expect_refused("model 'm' takes 1 to 4 rows in a call, found 0", ErrorCode::invalid_tensor, [&] { rows(0); });
  expect_refused("model 'm' takes 1 to 4 rows in a call, found 5", ErrorCode::invalid_tensor, [&] { rows(5); });
}

TEST(CheckInputsTest, RowsThatAreNotEqualAreRefusedNamingBoth) {
  const auto rows = [](std::int64_t of_a, std::int64_t of_b) {
    return check_inputs_of(taking(4), {{"a", tensor({of_a, 7, 3})}, {"b", tensor({of_b}, DataType::int8)}});
  };
  expect_refused("model 'm' batches: input 'b' has 3 rows, and 'a' has 2", ErrorCode::invalid_tensor,
                 [&] { rows(2, 3); });
  expect_refused("model 'm' batches: input 'b' has 0 rows, and 'a' has 1", ErrorCode::invalid_tensor,
                 [&] { rows(1, 0); });
}

TEST(CheckInputsTest, AWorkerMayTakeFewerRowsThanItsModel) {
  const ModelSignature signature = taking(100);
  const auto rows = [&](std::int64_t count) {
    return check_inputs({"m", signature, 2}, {{"a", tensor({count, 1, 3})}, {"b", tensor({count}, DataType::int8)}});
  };
  EXPECT_EQ(rows(2), 2);
  expect_refused("model 'm' takes 1 to 2 rows in a call, found 3", ErrorCode::invalid_tensor, [&] { rows(3); });
}

TEST(CheckInputsTest, AModelWithoutInputsTakesNone) {
  for (const std::int64_t max_batch_size : {0, 4}) {
    const ModelSignature signature{.outputs = {{"y"}}, .max_batch_size = max_batch_size};
    EXPECT_EQ(check_inputs_of(signature, {}), 1);
    expect_refused("model 'm' has no inputs: found 'x'", ErrorCode::invalid_tensor, [&] {
      check_inputs_of(signature, {{"x", tensor({1})}});
    });
  }
}

TEST(CheckInputsTest, WithoutADeclarationAnythingIsTakenButNothing) {
  for (const std::int64_t max_batch_size : {0, 4}) {
    const ModelSignature signature{.max_batch_size = max_batch_size};
    EXPECT_EQ(check_inputs_of(signature, {}), 1);
    EXPECT_EQ(check_inputs_of(signature, {{"x", tensor({})}, {"y", tensor({9, 0}, DataType::int8)}}), 1);
    expect_refused("model 'm' got an empty TensorBuffer as 'y'", ErrorCode::invalid_tensor, [&] {
      check_inputs_of(signature, {{"x", tensor({})}, {"y", {}}});
    });
  }
}

TEST(CheckOutputsTest, WhatIsDeclaredIsTaken) {
  for (const std::int64_t any : {0, 1, 2, 1000}) {
    EXPECT_NO_THROW(check_outputs_of(giving(0), {{"a", tensor({any, 3})}, {"b", tensor({}, DataType::int8)}}));
  }
}

TEST(CheckOutputsTest, WhatDiffersIsTheModelsFailureNamingItAndTheOutputAndBothKinds) {
  for (const Difference& one : differences()) {
    expect_refused("model 'm' declares output" + one.text, ErrorCode::inference_failed,
                   [&] { check_outputs_of(giving(0), one.tensors); });
  }
  for (const Difference& one : batched_differences()) {
    expect_refused("model 'm' declares output" + one.text, ErrorCode::inference_failed,
                   [&] { check_outputs_of(giving(4), one.tensors); });
  }
}

TEST(CheckOutputsTest, OneTooManyIsRefusedNamingAll) {
  expect_refused("model 'm' has no output but 'a', 'b': found 'a', 'b', 'c'", ErrorCode::inference_failed, [&] {
    check_outputs_of(giving(0), {{"a", tensor({2, 3})}, {"b", tensor({}, DataType::int8)}, {"c", tensor({})}});
  });
}

TEST(CheckOutputsTest, ThereAreAsManyRowsAsWereGiven) {
  const auto give = [](std::int64_t asked, std::int64_t of_a, std::int64_t of_b) {
    check_outputs_of(giving(4), {{"a", tensor({of_a, 2, 3})}, {"b", tensor({of_b}, DataType::int8)}}, asked);
  };
  EXPECT_NO_THROW(give(1, 1, 1));
  EXPECT_NO_THROW(give(4, 4, 4));
  expect_refused("model 'm' got 3 rows and gave 2", ErrorCode::inference_failed, [&] { give(3, 2, 2); });
  expect_refused("model 'm' got 3 rows and gave 0", ErrorCode::inference_failed, [&] { give(3, 0, 0); });
  expect_refused("model 'm' got 1 rows and gave 5", ErrorCode::inference_failed, [&] { give(1, 5, 5); });
  expect_refused("model 'm' batches: output 'b' has 2 rows, and 'a' has 3", ErrorCode::inference_failed,
                 [&] { give(3, 3, 2); });
}

TEST(CheckOutputsTest, AModelWithoutOutputsGivesNoneForAnyRows) {
  for (const std::int64_t max_batch_size : {0, 4}) {
    const ModelSignature signature{.inputs = {{"x"}}, .max_batch_size = max_batch_size};
    EXPECT_NO_THROW(check_outputs_of(signature, {}, 1));
    EXPECT_NO_THROW(check_outputs_of(signature, {}, 3));
    expect_refused("model 'm' has no outputs: found 'y'", ErrorCode::inference_failed, [&] {
      check_outputs_of(signature, {{"y", tensor({3})}}, 3);
    });
  }
}

TEST(CheckOutputsTest, WithoutADeclarationAnythingIsTakenButNothing) {
  for (const std::int64_t max_batch_size : {0, 4}) {
    const ModelSignature signature{.max_batch_size = max_batch_size};
    EXPECT_NO_THROW(check_outputs_of(signature, {}));
    EXPECT_NO_THROW(check_outputs_of(signature, {{"x", tensor({})}, {"y", tensor({9, 0}, DataType::int8)}}, 2));
    expect_refused("model 'm' gave an empty TensorBuffer as 'x'", ErrorCode::inference_failed, [&] {
      check_outputs_of(signature, {{"x", {}}, {"y", tensor({})}});
    });
  }
}

}  // namespace
}  // namespace remotemedia::detail
