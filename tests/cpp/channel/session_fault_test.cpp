// SPDX-License-Identifier: Apache-2.0
//
// System calls that fail, each in each way, while a client connects and calls: it is served, by whatever way is left,
// or it hears why not, and nothing is left.

#include <gtest/gtest.h>

#include <string>

#include "channel/served_channel.h"
#include "channel/session_resources.h"
#include "testing/system_faults.h"

namespace remotemedia {
namespace {

using testing::Doubler;
using testing::filled;
using testing::ServedChannel;
using testing::SessionResources;

TEST(SessionFaultTest, ACallSucceedsOrFailsWithAReasonWhateverTheSystemRefuses) {
  ServedChannel served(std::make_shared<Doubler>());
  const auto live = [&] {
    const auto client = served.connect();
    for (const std::int64_t size : {10, 5000}) {
      const detail::Answer answer =
          testing::infer(*client, {{"x", filled(client->allocate({size}, DataType::float32), 7)}});
      if (answer.error != nullptr) std::rethrow_exception(answer.error);
      for (const float element : answer.outputs.at("y").span<const float>()) ASSERT_EQ(element, 14);
    }
  };
  live();
  live();
  const SessionResources held = SessionResources::settled();
  const int faults = testing::for_each_fault(
      live, [&] { ASSERT_TRUE(held.are_the_most()) << held << "\n now" << SessionResources::now(); });
  EXPECT_GT(faults, 50);
}

TEST(SessionFaultTest, WhoIsRefusedSharedMemoryIsServedByMessages) {
  ServedChannel served(std::make_shared<Doubler>());
  int without = 0;
  for (int tried = 0; without == 0 && tried < 2000; ++tried) {  // the threads' calls never come in the same order
    testing::FailNth fault(1 + tried % 60, 0);
    std::shared_ptr<detail::WorkerConnection> client;
    try {
      client = served.connect();
    } catch (const Error&) {
      continue;
    }
    if (!fault.failed() || fault.description().find("memfd_create") == std::string::npos) continue;
    const TensorBuffer x = filled(client->allocate({500'000}, DataType::float32), 7);
    EXPECT_EQ(x.storage(), StorageKind::heap);
    for (int twice = 0; twice < 2; ++twice) {
      const detail::Answer answer = testing::infer(*client, {{"x", x}});
      ASSERT_EQ(answer.error, nullptr);
      const TensorBuffer& y = answer.outputs.at("y");
      EXPECT_EQ(y.storage(), StorageKind::heap);
      for (const float element : y.span<const float>()) ASSERT_EQ(element, 14);
    }
    ++without;
  }
  EXPECT_EQ(without, 1) << "no call of memfd_create was met";
}

}  // namespace
}  // namespace remotemedia
