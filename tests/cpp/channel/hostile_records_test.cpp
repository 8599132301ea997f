// SPDX-License-Identifier: Apache-2.0
//
// Clients whose records, counts and tensors lie: each loses its session, and nobody else sees anything of it.

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "channel/descriptor_lies.h"
#include "channel/hostile_client.h"

namespace remotemedia {
namespace {

using detail::BytesIn;
using detail::HelloMessage;
using testing::call;
using testing::descriptor_lies;
using testing::DescriptorLie;
using testing::HostileClientTest;
using testing::RawClient;

TEST_F(HostileClientTest, AWrongFieldOfARecordEndsTheSession) {
  std::vector<DescriptorLie> lies = descriptor_lies();
  lies.insert(
      lies.end(),
      {
          {"kind result", [](TensorDescriptor& d) { d.kind = static_cast<std::uint8_t>(DescriptorKind::result); }},
          {"kind error", [](TensorDescriptor& d) { d.kind = static_cast<std::uint8_t>(DescriptorKind::error); }},
          {"kind exported", [](TensorDescriptor& d) { d.kind = static_cast<std::uint8_t>(DescriptorKind::exported); }},
          {"request 0", [](TensorDescriptor& d) { d.request_id = 0; }},
          {"its own control", [](TensorDescriptor& d) { d.segment = 0; }},
          {"the worker's control", [](TensorDescriptor& d) { d.segment = 1; }},
          {"the next segment", [](TensorDescriptor& d) { d.segment = 3; }},
      });
  for (const auto& [name, lie] : lies) {
    const ::testing::ScopedTrace trace(__FILE__, __LINE__, name);
    RawClient client(served_);
    client.shake_hands();
    TensorDescriptor descriptor = client.input(1);
    EXPECT_TRUE(client.push(descriptor)) << "the truth";
    EXPECT_EQ(client.pop().request_id, 1U);
    descriptor = client.input(2);
    lie(descriptor);
    EXPECT_TRUE(client.push(descriptor));
    expect_ended(client);
  }
  expect_unharmed();
}

TEST_F(HostileClientTest, RecordsThatDoNotFollowEachOtherEndTheSession) {
  const auto push = [](RawClient& client, std::uint64_t request, std::uint32_t ordinal, std::uint32_t count) {
    TensorDescriptor descriptor = client.input(request);
    descriptor.tensor_ordinal = ordinal;
    descriptor.tensor_count = count;
    client.push(descriptor);
  };
  expect_ends([&](RawClient& client) { push(client, 1, 0, 3), push(client, 1, 0, 3); });
  expect_ends([&](RawClient& client) { push(client, 1, 0, 3), push(client, 1, 2, 3); });
  expect_ends([&](RawClient& client) { push(client, 1, 0, 3), push(client, 2, 1, 3); });
  expect_ends([&](RawClient& client) { push(client, 1, 0, 3), push(client, 1, 1, 2); });
  expect_ends([&](RawClient& client) { push(client, 1, 0, 3), push(client, 2, 0, 1); });
}

TEST_F(HostileClientTest, WhatWasNotLentCannotBeGivenBack) {
  TensorDescriptor result;
  const auto call_once = [&](RawClient& client) {
    client.push(client.input(1));
    result = client.pop();
    ASSERT_EQ(result.kind, static_cast<std::uint8_t>(DescriptorKind::result));
    result.kind = static_cast<std::uint8_t>(DescriptorKind::release);
  };
  const auto lie = [&](const std::function<void(TensorDescriptor&)>& change) {
    return [&, change](RawClient& client) {
      call_once(client);
      change(result);
      client.push(result);
    };
  };
  expect_ends(lie([](TensorDescriptor& d) { ++d.segment; }));
  expect_ends(lie([](TensorDescriptor& d) { ++d.generation; }));
  expect_ends(lie([](TensorDescriptor& d) { d.slot_offset += 256; }));
  expect_ends([&](RawClient& client) {
    call_once(client);
    client.push(result);
    client.push(result);
  });
}

/// The first word of a slot, of an empty record.
constexpr std::uint64_t mark_of(std::uint64_t place) { return place << 33 | std::uint64_t{1} << 32; }

TEST_F(HostileClientTest, RecordsThatDoNotBelongThereEndTheSession) {
  for (const std::uint64_t mark : {mark_of(1), std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
    const ::testing::ScopedTrace trace(__FILE__, __LINE__, std::to_string(mark));
    expect_ends([&](RawClient& client) {
      client.claim(128, mark);
      client.rings().wake_peer();
    });
  }
  expect_ends([](RawClient& client) {
    client.push(client.input(1));
    client.pop();
    client.claim(128 + kRecordSlotBytes, mark_of(2));
    client.rings().wake_peer();
  });
}

TEST_F(HostileClientTest, CountsOfRingsThatCannotBeEndTheSession) {
  for (const std::uint64_t count : {std::uint64_t{257}, std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
    const ::testing::ScopedTrace trace(__FILE__, __LINE__, std::to_string(count));
    RawClient client(served_);
    HelloMessage hello = RawClient::hello();
    hello.ring_depth = 2;
    client.shake_hands(hello);
    client.claim(0, count);  // which the worker looks at where its ring seems to be full
    for (std::uint64_t request = 1; request < 10; ++request) {
      for (int tries = 0; tries < 1000 && !client.push(client.input(request)); ++tries) std::this_thread::yield();
    }
    client.hear_the_end();
  }
}

TEST_F(HostileClientTest, ATensorWhoseRecordDidNotComeEndsTheSession) {
  expect_ends([](RawClient& client) { client.say(call(1, BytesIn::record, 100)); }, "record");
  const auto with_record = [](RawClient& client, std::uint64_t request, std::int64_t said) {
    TensorDescriptor descriptor = client.input(request);
    descriptor.flags = detail::kTensorOfMessage;
    client.push(descriptor);
    client.say(call(1, BytesIn::record, said));
  };
  expect_ends([&](RawClient& client) { with_record(client, 2, 100); }, "record");
  expect_ends([&](RawClient& client) { with_record(client, 1, 101); }, "record");
  RawClient honest(served_);
  honest.shake_hands();
  with_record(honest, 1, 100);
  EXPECT_EQ(honest.pop().kind, static_cast<std::uint8_t>(DescriptorKind::result));
}

TEST_F(HostileClientTest, TensorsWithoutTheirMessagesAreNotCollectedForEver) {
  expect_ends(
      [](RawClient& client) {
        for (std::uint64_t request = 1; request <= 2049; ++request) {
          TensorDescriptor descriptor = client.input(request);
          descriptor.flags = detail::kTensorOfMessage;
          while (!client.push(descriptor)) std::this_thread::yield();
        }
      },
      "without their messages");
}

}  // namespace
}  // namespace remotemedia
