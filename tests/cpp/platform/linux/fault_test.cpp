// SPDX-License-Identifier: Apache-2.0
//
// Every system call that the room makes, failing once in every way that it can.

#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "platform/conformance/connected_peer.h"
#include "remotemedia/platform/doorbell.h"
#include "remotemedia/platform/peer_watch.h"
#include "remotemedia/platform/shared_memory.h"
#include "remotemedia/platform/waiting.h"
#include "testing/held_resources.h"
#include "testing/system_faults.h"

namespace remotemedia::platform {
namespace {

using testing::for_each_fault;
using testing::HeldResources;
using testing::soon;

constexpr std::size_t kBytes = std::size_t{3} << 20;  // more than a huge page, so that addresses are aligned

/// What a first use keeps for good is there before anything is counted.
class FaultTest : public ::testing::Test {
 protected:
  FaultTest() : before_(HeldResources::now()) {}

  void expect_nothing_held() const { EXPECT_EQ(HeldResources::now(), before_); }

 private:
  HeldResources before_;
};

void make_use_and_release_memory() {
  SharedMemory memory = SharedMemory::create(kBytes);
  Mapping writer = memory.map(Access::read_write);
  writer.populate();
  writer.use_huge_pages();
  *writer.data() = std::byte{7};
  memory.forbid_new_writers();
  const SharedMemory received = SharedMemory::adopt(memory.handle_for(Access::read_only), kBytes, Access::read_only);
  Mapping reader = received.map(Access::read_only);
  reader.populate();
  EXPECT_EQ(*reader.data(), std::byte{7});
}

TEST_F(FaultTest, SharedMemoryIsMadeOrRefusedAndNothingStays) {
  const int faults = for_each_fault(make_use_and_release_memory, [&] {
    expect_nothing_held();
    make_use_and_release_memory();
  });
  EXPECT_GT(faults, 40);
}

TEST_F(FaultTest, AMessageArrivesOrIsRefusedAndNoHandleStays) {
  const SharedMemory memory = SharedMemory::create(1);
  const OwnedHandle handle = memory.handle_for(Access::read_write);
  const HeldResources before = HeldResources::now();
  const auto exchange = [&] {
    auto [one, other] = DescriptorChannel::pair();
    if (!one.send(testing::bytes_of("x"), std::array{handle.get(), handle.get()}, soon())) return;
    Message message;
    if (other.receive(message, soon()) == DescriptorChannel::Received::message) {
      EXPECT_EQ(message.handles.size(), 2U);
    }
    one.shut_down();
    EXPECT_EQ(other.receive(message, soon()), DescriptorChannel::Received::closed);
  };
  const int faults = for_each_fault(exchange, [&] {
    EXPECT_EQ(HeldResources::now(), before);
    exchange();
  });
  EXPECT_GT(faults, 15);
}

TEST_F(FaultTest, AListenerComesUpOrNotAndNothingStays) {
  const testing::AddressFolder folder;
  const auto meet = [&] {
    ChannelListener listener = ChannelListener::listen(folder / "a");
    const DescriptorChannel caller = DescriptorChannel::connect(folder / "a", soon());
    const std::optional<DescriptorChannel> called =
        listener.accept(later(monotonic_clock().now(), std::chrono::milliseconds{20}));
    if (!called) return;
    EXPECT_TRUE(called->peer().same_user);
    EXPECT_EQ(caller.peer().process, process_id());
  };
  const int faults = for_each_fault(meet, [&] {
    expect_nothing_held();
    remove_dead_addresses(folder.path());
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
    meet();
  });
  EXPECT_GT(faults, 50);
}

TEST_F(FaultTest, AListenerThatCouldNotAcceptOnceAcceptsTheNextCaller) {
  const testing::AddressFolder folder;
  ChannelListener listener = ChannelListener::listen(folder / "a");
  const HeldResources before = HeldResources::now();
  const int faults = for_each_fault(
      [&] {
        const DescriptorChannel caller = DescriptorChannel::connect(folder / "a", soon());
        listener.accept(later(monotonic_clock().now(), std::chrono::milliseconds{20}));
      },
      [&] {
        while (listener.accept(testing::now())) continue;
        DescriptorChannel caller = DescriptorChannel::connect(folder / "a", soon());
        std::optional<DescriptorChannel> called = listener.accept(soon());
        ASSERT_TRUE(called);
        testing::say(caller, "x");
        testing::expect_message(*called, "x");
        called.reset();
        caller = DescriptorChannel();
        EXPECT_EQ(HeldResources::now(), before);
      });
  EXPECT_GT(faults, 15);
}

TEST_F(FaultTest, AddressesOfTheLivingAreKept) {
  const testing::AddressFolder folder;
  ChannelListener listener = ChannelListener::listen(folder / "a");
  HeldResources before = HeldResources::now();
  const int faults = for_each_fault(
      [&] {
        EXPECT_EQ(remove_dead_addresses(folder / "missing"), 0U);
        remove_dead_addresses(folder.path());
      },
      [&](const std::string& fault) {
        EXPECT_EQ(HeldResources::now(), before);
        if (fault == "connect() fails with ECONNREFUSED") {  // which is how the dead answer
          listener = ChannelListener::listen(folder / "a");
          before = HeldResources::now();
        }
        EXPECT_EQ(remove_dead_addresses(folder.path()), 0U);
        EXPECT_TRUE(DescriptorChannel::connect(folder / "a", soon()));
        EXPECT_TRUE(listener.accept(soon()));
      });
  EXPECT_GT(faults, 5);
}

TEST_F(FaultTest, ADoorbellRingsOrIsRefused) {
  const auto ring = [] {
    Doorbell bell = Doorbell::create();
    Doorbell copy = Doorbell::adopt(bell.duplicate());
    copy.ring();
    EXPECT_TRUE(bell.wait(soon()));
    EXPECT_FALSE(bell.wait(testing::now()));
    bell.ring();
    EXPECT_EQ(wait_for_any(std::array{copy.wait_handle()}, soon()).size(), 1U);
  };
  const int faults = for_each_fault(ring, [&] {
    expect_nothing_held();
    ring();
  });
  EXPECT_GT(faults, 15);
}

const testing::PeerRole kStay("stay", [](const std::vector<std::string>& arguments) {
  DescriptorChannel parent = testing::connect_back(arguments);
  Message message;
  parent.receive(message, soon());
  return 0;
});

TEST_F(FaultTest, APeerIsWatchedOrNot) {
  const testing::ConnectedPeer peer("stay");
  const HeldResources before = HeldResources::now();
  const auto watch = [&] { EXPECT_FALSE(PeerWatch::of(peer.channel).wait(testing::now())); };
  const int faults = for_each_fault(watch, [&] {
    EXPECT_EQ(HeldResources::now(), before);
    watch();
  });
  EXPECT_GT(faults, 8);
}

TEST_F(FaultTest, WhatTheMachineSaysIsSaidOrRefused) {
  const auto ask = [] {
    std::array<std::byte, 300> bytes{};
    random_bytes(bytes);
    EXPECT_FALSE(run_directory().empty());
    const SharedMemorySupport support = probe_shared_memory();
    EXPECT_EQ(support.available, support.reason.empty());
    available_memory();
  };
  const int faults = for_each_fault(ask, [&] {
    expect_nothing_held();
    ask();
  });
  EXPECT_GT(faults, 30);
}

}  // namespace
}  // namespace remotemedia::platform
