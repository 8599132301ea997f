// SPDX-License-Identifier: Apache-2.0
//
// Processes that are killed before or after any system call of creation, hand-over and release: nothing is left.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "platform/conformance/connected_peer.h"
#include "remotemedia/platform/doorbell.h"
#include "remotemedia/platform/peer_watch.h"
#include "remotemedia/platform/shared_memory.h"
#include "testing/held_resources.h"
#include "testing/rounds.h"
#include "testing/system_faults.h"

namespace remotemedia::platform {
namespace {

using testing::HeldResources;
using testing::KillAt;
using testing::soon;

constexpr std::size_t kBytes = std::size_t{4} << 20;

SharedMemory shared_with(DescriptorChannel& peer, Mapping& mapping) {
  SharedMemory memory = SharedMemory::create(kBytes);
  mapping = memory.map(Access::read_write);
  mapping.populate();
  memory.forbid_new_writers();
  const OwnedHandle handle = memory.handle_for(Access::read_only);
  peer.send(testing::bytes_of("memory"), std::array{handle.get()}, soon());
  return memory;
}

void use_what_comes(DescriptorChannel& peer) {
  Message message;
  if (peer.receive(message, soon()) != DescriptorChannel::Received::message) return;
  const SharedMemory memory = SharedMemory::adopt(std::move(message.handles.at(0)), kBytes, Access::read_only);
  Mapping mapping = memory.map(Access::read_only);
  mapping.populate();
}

/// A whole life: makes, gives, takes, listens, lets go. Arguments: address, where to listen, n, "before" or "after".
const testing::PeerRole kLiveUntil("live until", [](const std::vector<std::string>& arguments) {
  const auto moment = arguments.at(3) == "before" ? KillAt::Moment::before : KillAt::Moment::after;
  const KillAt end(std::stoi(arguments.at(2)), moment);
  DescriptorChannel parent = testing::connect_back(arguments);
  Mapping mapping;
  const SharedMemory memory = shared_with(parent, mapping);
  Doorbell bell = Doorbell::create();
  const OwnedHandle copy = bell.duplicate();
  parent.send(testing::bytes_of("bell"), std::array{copy.get()}, soon());
  use_what_comes(parent);
  ChannelListener listener = ChannelListener::listen(arguments.at(1));
  const DescriptorChannel caller = DescriptorChannel::connect(arguments.at(1), soon());
  listener.accept(soon());
  return 0;
});

/// The other side of that life, which must come through whatever happens. Whether the peer reached its end.
bool outlive_a_peer(const testing::AddressFolder& folder, int n, const char* moment) {
  ChannelListener listener = ChannelListener::listen(folder / "parent");
  testing::PeerProcess peer("live until",
                            {(folder / "parent").string(), (folder / "child").string(), std::to_string(n), moment});
  std::jthread reaper([&] { peer.wait(); });
  std::optional<DescriptorChannel> channel;
  while (!channel && !(channel = listener.accept(later(monotonic_clock().now(), std::chrono::milliseconds{1})))) {
    if (!std::filesystem::exists("/proc/" + std::to_string(peer.id()))) break;
  }
  if (channel) {
    Mapping mapping;
    const SharedMemory memory = shared_with(*channel, mapping);
    try {
      use_what_comes(*channel);
      Message message;
      if (channel->receive(message, soon()) == DescriptorChannel::Received::message) {
        Doorbell::adopt(std::move(message.handles.at(0))).ring();
      }
      EXPECT_TRUE(PeerWatch::of(*channel).wait(soon()));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::worker_unavailable) << error.what();
    }
    EXPECT_EQ(*mapping.data(), std::byte{0});
  }
  reaper.join();
  return peer.wait() == 0;
}

TEST(CrashTest, NothingIsLeftOfPeersKilledAtAnyCall) {
  const testing::AddressFolder folder;
  outlive_a_peer(folder, 1'000'000, "after");  // what a first use keeps
  const HeldResources held = HeldResources::now();
  const std::set<std::filesystem::path> names = testing::named_shared_memory();
  const std::size_t shared = testing::shared_memory_of_machine();
  int last = 1'000'000;
  int n = 1;
  std::uint64_t killed = 0;
  const std::uint64_t rounds = testing::rounds(140);  // each call once before and once after
  for (std::uint64_t round = 0; round < rounds; round += 2) {
    testing::tell_progress(round, rounds);
    if (n > last) n = 1;
    for (const char* moment : {"before", "after"}) {
      const bool finished = outlive_a_peer(folder, n, moment);
      if (finished) last = std::min(last, n);
      if (!finished) ++killed;
      remove_dead_addresses(folder.path());
      ASSERT_TRUE(std::filesystem::is_empty(folder.path())) << n << " " << moment;
      ASSERT_EQ(HeldResources::now(), held) << n << " " << moment;
    }
    ++n;
  }
  EXPECT_EQ(testing::named_shared_memory(), names);
  EXPECT_TRUE(testing::shared_memory_comes_back_to(shared, killed * kBytes))
      << "of the whole machine: " << shared << " bytes before, " << testing::shared_memory_of_machine() << " now";
  EXPECT_GT(killed, rounds / 2);
  RecordProperty("calls", last - 1);
}

}  // namespace
}  // namespace remotemedia::platform
