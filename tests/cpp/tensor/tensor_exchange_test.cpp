// SPDX-License-Identifier: Apache-2.0
//
// Tensors that go from one real process to another by id.

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "remotemedia/base/error.h"
#include "remotemedia/memory/exports.h"
#include "remotemedia/memory/shared_memory_region.h"
#include "remotemedia/tensor/tensor_buffer.h"
#include "remotemedia/tensor/tensor_note.h"
#include "tensor/exchanged_tensors.h"
#include "testing/program.h"
#include "testing/thrown.h"
#include "testing/together.h"

namespace remotemedia {
namespace {

using namespace std::chrono_literals;
using testing::code_thrown;
using testing::description_of;
using testing::kTensorNames;
using testing::named_tensor;
using testing::Program;

class TensorExchangeTest : public ::testing::Test {
 protected:
  SharedMemoryAllocator allocator_;
  Program peer_{{REMOTEMEDIA_TENSOR_PEER}};
};

TEST_F(TensorExchangeTest, WhatAnotherProcessExportsIsSeenAsItIs) {
  for (const std::string_view name : kTensorNames) {
    const TensorBuffer expected = named_tensor(name, allocator_);
    const TensorBuffer seen = TensorBuffer::from_shared_memory(peer_.ask("export " + std::string(name)));
    EXPECT_EQ(description_of(seen), description_of(expected)) << name;
    EXPECT_EQ(seen.storage(), StorageKind::shared_memory) << name;
    EXPECT_TRUE(seen.read_only()) << name;
    EXPECT_EQ(code_thrown([&] { seen.mutable_data(); }), ErrorCode::invalid_tensor);
    if (expected.storage() == StorageKind::shared_memory) {
      EXPECT_EQ(seen.strides(), expected.strides()) << name << ": as it lies there, not copied";
    } else {
      EXPECT_TRUE(seen.is_contiguous()) << name << ": a copy";
    }
  }
}

TEST_F(TensorExchangeTest, WhatIsLentIsThereAlthoughNobodyHereHasItAnyMore) {
  for (const std::string_view name : kTensorNames) {
    TensorBuffer tensor = named_tensor(name, allocator_);
    const std::string description = description_of(tensor);
    const std::string id = tensor.lend();
    tensor = {};
    const std::string answer = peer_.ask("import " + id);
    EXPECT_EQ(answer.substr(answer.find(' ') + 1), description) << name;
  }
}

TEST_F(TensorExchangeTest, WhatIsLentTwiceHasOneIdAndIsThereForTwo) {
  TensorBuffer tensor = TensorBuffer::allocate({3}, DataType::float32, allocator_);
  const std::string id = tensor.lend();
  EXPECT_EQ(tensor.lend(), id);
  EXPECT_EQ(tensor.to_shared_memory(), id);
  tensor = {};
  (void)TensorBuffer::from_shared_memory(id);
  (void)TensorBuffer::from_shared_memory(id);
}

TEST_F(TensorExchangeTest, AnotherProcessSeesWhatIsExportedHere) {
  std::size_t number = 0;
  for (const std::string_view name : kTensorNames) {
    const TensorBuffer tensor = named_tensor(name, allocator_);
    EXPECT_EQ(peer_.ask("import " + tensor.to_shared_memory(&allocator_)),
              std::to_string(number++) + " " + description_of(tensor))
        << name;
  }
}

TEST_F(TensorExchangeTest, ElementsInSharedMemoryHaveOneIdAndLaterWritesAreSeen) {
  const TensorBuffer tensor = named_tensor("whole", allocator_);
  const std::string id = tensor.to_shared_memory();
  EXPECT_EQ(tensor.to_shared_memory(&allocator_), id);
  EXPECT_EQ(TensorBuffer(tensor).to_shared_memory(), id) << "a copy shares it";
  EXPECT_EQ(peer_.ask("import " + id), "0 " + description_of(tensor));
  tensor.span<std::int32_t>()[119] = 12345;
  EXPECT_EQ(peer_.ask("describe 0"), description_of(tensor));

  const TensorBuffer seen = TensorBuffer::from_shared_memory(peer_.ask("export whole"));
  EXPECT_EQ(peer_.ask("write 0 200"), "written");
  EXPECT_EQ(*seen.data(), std::byte{200});
}

TEST_F(TensorExchangeTest, ElementsElsewhereAreSnapshotsEachWithItsId) {
  const TensorBuffer tensor = named_tensor("heap", allocator_);
  const std::string before = description_of(tensor);
  const std::string first = tensor.to_shared_memory(&allocator_);
  tensor.span<double>()[0] = 0.5;
  const std::string second = tensor.to_shared_memory(&allocator_);
  EXPECT_NE(first, second);
  EXPECT_EQ(peer_.ask("import " + first), "0 " + before);
  EXPECT_EQ(peer_.ask("import " + second), "1 " + description_of(tensor));
  EXPECT_EQ(tensor.storage(), StorageKind::heap) << "this one stays where it was";
}

TEST_F(TensorExchangeTest, AnIdCanBeOpenedWhileTheBufferOrACopyMadeSinceLives) {
  for (const std::string_view name : {"whole", "heap"}) {
    TensorBuffer tensor = named_tensor(name, allocator_);
    const std::string id = tensor.to_shared_memory(&allocator_);
    TensorBuffer copy = tensor;
    tensor = {};
    EXPECT_EQ(description_of(TensorBuffer::from_shared_memory(id)), description_of(copy)) << name;
    EXPECT_NE(peer_.ask("import " + id).find(description_of(copy)), std::string::npos) << name;
    const TensorBuffer moved = std::move(copy);
    EXPECT_NE(peer_.ask("import " + id).find(description_of(moved)), std::string::npos) << name;
  }
}

TEST_F(TensorExchangeTest, AnImporterKeepsTheTensorAndAForgottenIdIsRefusedEachTime) {
  const TensorBuffer expected = named_tensor("column", allocator_);
  const std::string id = peer_.ask("export column");
  TensorBuffer seen = TensorBuffer::from_shared_memory(id);
  EXPECT_EQ(peer_.ask("forget 0"), "forgotten");
  EXPECT_EQ(description_of(seen), description_of(expected));
  seen = {};
  // The exporter learns of it in its own time; until then the id may still be good.
  for (int refusals = 0; refusals < 2;) {
    try {
      TensorBuffer::from_shared_memory(id);
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ErrorCode::shared_memory_unavailable);
      ++refusals;
    }
  }
}

TEST_F(TensorExchangeTest, ViewsStayReadableWhenTheExporterIsKilled) {
  const std::string id = peer_.ask("export reversed");
  const TensorBuffer seen = TensorBuffer::from_shared_memory(id);
  const TensorBuffer view = seen.transpose().select(0, 1);
  const std::string before = description_of(view);
  peer_.kill_9();
  EXPECT_EQ(description_of(view), before);
  EXPECT_EQ(description_of(seen), description_of(named_tensor("reversed", allocator_)));
  for (int time = 0; time < 2; ++time) {
    EXPECT_EQ(code_thrown([&] { TensorBuffer::from_shared_memory(id); }), ErrorCode::shared_memory_unavailable);
  }
  EXPECT_EQ(description_of(view), before);
}

TEST_F(TensorExchangeTest, AnImportedTensorIsPassedOnAsACopy) {
  const TensorBuffer seen = TensorBuffer::from_shared_memory(peer_.ask("export transposed"));
  const std::string id = seen.to_shared_memory(&allocator_);
  peer_.kill_9();
  Program third{{REMOTEMEDIA_TENSOR_PEER}};
  EXPECT_EQ(third.ask("import " + id), "0 " + description_of(named_tensor("transposed", allocator_)));
}

TEST_F(TensorExchangeTest, AnExportThatWasEndedIsMadeAnew) {
  const TensorBuffer tensor = named_tensor("whole", allocator_);
  const std::string first = tensor.to_shared_memory();
  EXPECT_EQ(allocator_.cleanup_expired(0s), 1U);
  for (int time = 0; time < 2; ++time) EXPECT_EQ(peer_.ask("import " + first), "shared_memory_unavailable");
  const std::string second = tensor.to_shared_memory();
  EXPECT_NE(second, first);
  EXPECT_EQ(peer_.ask("import " + second), "0 " + description_of(tensor));
}

TEST_F(TensorExchangeTest, ThreadsThatAskTogetherGetOneId) {
  for (int round = 0; round < 20; ++round) {
    const TensorBuffer tensor = named_tensor("whole", allocator_);
    std::array<std::string, 4> ids;
    testing::together(ids.size(), [&](std::size_t i) { ids[i] = tensor.to_shared_memory(); });
    for (const std::string& id : ids) ASSERT_EQ(id, ids[0]);
    ASSERT_TRUE(TensorBuffer::from_shared_memory(ids[0]));
  }
}

TEST_F(TensorExchangeTest, WithoutSharedMemoryThereIsNoIdAndTheErrorSaysSoEachTime) {
  SharedMemoryAllocator without({.max_memory_bytes = 0});
  const TensorBuffer tensor = named_tensor("heap", without);
  for (int time = 0; time < 2; ++time) {
    EXPECT_EQ(code_thrown([&] { tensor.to_shared_memory(&without); }), ErrorCode::shared_memory_unavailable);
  }
  EXPECT_FALSE(tensor.to_shared_memory(&allocator_).empty()) << "elsewhere there is some";
}

TEST_F(TensorExchangeTest, NotesThatLieAreProtocolErrorsEachTime) {
  const MemoryBlock block = allocator_.allocate(4096);
  const Export nothing = share(block);
  const Export too_much = share(block, encode_note({row_major({64 << 20}, DataType::uint8), 0}, 64 << 20));
  const Export beyond = share(block, encode_note({row_major({4097}, DataType::uint8), 0}, 4096));
  const Export before = share(block, encode_note({{DataType::uint8, {2}, {-1}}, 0}, 4096));
  const Export sound = share(block, encode_note({row_major({4096}, DataType::uint8), 0}, 4096));
  for (int time = 0; time < 2; ++time) {
    for (const Export* lie : {&nothing, &too_much, &beyond, &before}) {
      EXPECT_EQ(code_thrown([&] { TensorBuffer::from_shared_memory(lie->id()); }), ErrorCode::protocol_error);
    }
    EXPECT_TRUE(TensorBuffer::from_shared_memory(sound.id()));
  }
}

TEST_F(TensorExchangeTest, UnderWhatIsNoIdThereIsNothingEachTime) {
  for (int time = 0; time < 2; ++time) {
    EXPECT_EQ(code_thrown([] { TensorBuffer::from_shared_memory("a tensor, please"); }),
              ErrorCode::shared_memory_unavailable);
  }
}

TEST_F(TensorExchangeTest, ATensorInARegionIsCopiedBecauseTheRegionHasAnIdOfItsOwn) {
  SharedMemoryRegion region = SharedMemoryRegion::create(64);
  std::memset(region.bytes().data(), 7, 64);
  const TensorBuffer tensor = TensorBuffer::view_of(region.block(), 16, row_major({4}, DataType::uint8));
  const std::string id = tensor.to_shared_memory(&allocator_);
  EXPECT_EQ(peer_.ask("import " + id), "0 " + description_of(tensor));
  EXPECT_NE(tensor.to_shared_memory(&allocator_), id);
}

#ifndef REMOTEMEDIA_SANITIZED
TEST_F(TensorExchangeTest, OneGibibyteOfZerosTakesNoCopy) {
  const TensorBuffer tensor = TensorBuffer::allocate({16384, 16384}, DataType::float32, allocator_);
  ASSERT_EQ(tensor.storage(), StorageKind::shared_memory);
  EXPECT_EQ(peer_.ask("zeros " + tensor.to_shared_memory()), "zeros 268435456");
  tensor.span<float>().back() = 1;
  EXPECT_EQ(peer_.ask("zeros " + tensor.to_shared_memory()), "others 268435456");
  EXPECT_EQ(allocator_.metrics().bytes_allocated, std::size_t{1} << 30);
}
#endif

}  // namespace
}  // namespace remotemedia
