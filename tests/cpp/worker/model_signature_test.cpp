// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/model_signature.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

#include "testing/thrown.h"

namespace remotemedia {
namespace {

TEST(ModelSignatureTest, HasTheDefaultsThatAreDocumented) {
  const ModelSignature signature;
  EXPECT_TRUE(signature.inputs.empty());
  EXPECT_TRUE(signature.outputs.empty());
  EXPECT_EQ(signature.max_batch_size, 0);
  EXPECT_FALSE(signature.stateful);
  EXPECT_EQ(TensorSpec{}.dtype, DataType::float32);
}

TEST(ModelSignatureTest, DeclaresTensorsWhereThereIsAnInputOrAnOutput) {
  EXPECT_FALSE((ModelSignature{.max_batch_size = 8}.declares_tensors()));
  EXPECT_TRUE((ModelSignature{.inputs = {{"x"}}}.declares_tensors()));
  EXPECT_TRUE((ModelSignature{.outputs = {{"y"}}}.declares_tensors()));
}

TEST(ModelSignatureTest, WhatMakesSenseIsTaken) {
  const ModelSignature sound[] = {
      {},
      {.max_batch_size = 1, .stateful = true},
      {.max_batch_size = std::numeric_limits<std::int64_t>::max()},
      {.inputs = {{"x", DataType::float32, {}}, {"X", DataType::bytes, {-1}}}},
      {.inputs = {{"x", DataType::int8, {0, -1, 3}}}, .outputs = {{"x", DataType::float64, {-1, -1}}}},
  };
  for (const ModelSignature& signature : sound) EXPECT_NO_THROW(check_signature(signature, "m"));
}

struct Refused {
  ModelSignature signature;
  const char* because;
};

TEST(ModelSignatureTest, NonsenseIsRefusedNamingTheModelAndTheTensor) {
  const Refused nonsense[] = {
      {{.inputs = {{"x"}, {""}}}, "model 'm': one of its inputs has no name"},
      {{.outputs = {{""}}}, "model 'm': one of its outputs has no name"},
      {{.inputs = {{"x"}, {"y"}, {"x", DataType::int8}}}, "model 'm': its input 'x' is declared twice"},
      {{.inputs = {{"y"}}, .outputs = {{"y"}, {"y"}}}, "model 'm': its output 'y' is declared twice"},
      {{.inputs = {{"x", DataType::int8, {3, -2}}}},
       "model 'm': its input 'x' has shape (3, -2): an extent is 0 or more, or -1 where it may be any"},
      {{.outputs = {{"x"}, {"y", DataType::int8, {std::numeric_limits<std::int64_t>::min()}}}},
       "model 'm': its output 'y' has shape (-9223372036854775808,): an extent is 0 or more, or -1 where it may be "
       "any"},
      {{.inputs = {{"x"}}, .max_batch_size = -1},
       "model 'm': max_batch_size is -1, and must be 0 (does not batch) or more"},
  };
  for (const Refused& one : nonsense) {
    for (int time = 0; time < 2; ++time) {
      const Error error = testing::thrown([&] { check_signature(one.signature, "m"); });
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument) << one.because;
      EXPECT_STREQ(error.what(), one.because);
    }
  }
}

}  // namespace
}  // namespace remotemedia
