// SPDX-License-Identifier: Apache-2.0
//
// Descriptors: none is inherited by programs, none is lost, and a process that has no more says so.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "platform/conformance/connected_peer.h"
#include "remotemedia/platform/doorbell.h"
#include "remotemedia/platform/os_error.h"
#include "remotemedia/platform/peer_watch.h"
#include "remotemedia/platform/shared_memory.h"
#include "testing/held_resources.h"
#include "testing/thrown.h"

namespace remotemedia::platform {
namespace {

using Received = DescriptorChannel::Received;
using testing::code_thrown;
using testing::HeldResources;
using testing::now;
using testing::soon;

/// Every test leaves what it found.
class DescriptorsTest : public ::testing::Test {
 protected:
  void TearDown() override { EXPECT_EQ(HeldResources::now(), before_); }

 private:
  HeldResources before_ = HeldResources::now();
};

/// While it lives this process can open nothing more.
class NoMoreDescriptors {
 public:
  NoMoreDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit few{.rlim_cur = 256, .rlim_max = before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &few);
    for (;;) {
      OwnedHandle one(open("/dev/null", O_RDONLY | O_CLOEXEC));
      if (!one) break;
      taken_.push_back(std::move(one));
    }
  }
  NoMoreDescriptors(const NoMoreDescriptors&) = delete;
  NoMoreDescriptors& operator=(const NoMoreDescriptors&) = delete;
  ~NoMoreDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }

  void leave(std::size_t count) { taken_.resize(taken_.size() - count); }

 private:
  rlimit before_{};
  std::vector<OwnedHandle> taken_;
};

void expect_closed_on_exec(NativeHandle handle) {
  EXPECT_EQ(fcntl(static_cast<int>(handle), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC) << handle;
}

TEST_F(DescriptorsTest, NoneIsInheritedByOtherPrograms) {
  const testing::AddressFolder folder;
  ChannelListener listener = ChannelListener::listen(folder / "a");
  DescriptorChannel caller = DescriptorChannel::connect(folder / "a", soon());
  std::optional<DescriptorChannel> called = listener.accept(soon());
  Doorbell bell = Doorbell::create();
  const OwnedHandle copy = bell.duplicate();
  const SharedMemory memory = SharedMemory::create(1);
  const OwnedHandle handle = memory.handle_for(Access::read_write);
  testing::say(caller, "x", std::array{handle.get()});
  const Message message = testing::expect_message(*called, "x");
  const PeerWatch watch = PeerWatch::of(caller);
  const auto pair = DescriptorChannel::pair();
  for (int file = 3; file < 256; ++file) {
    const std::string link = "/proc/self/fd/" + std::to_string(file);
    std::error_code none;
    const std::string target = std::filesystem::read_symlink(link, none).string();
    const bool ours = target.find("socket:") == 0 || target.find("/memfd:remotemedia") == 0 ||
                      target.find("anon_inode:[eventfd]") == 0 || target.find("anon_inode:[pidfd]") == 0;
    if (!none && ours) expect_closed_on_exec(file);
  }
  for (const NativeHandle one : {listener.wait_handle(), caller.wait_handle(), called->wait_handle(),
                                 bell.wait_handle(), copy.get(), handle.get(), message.handles.at(0).get(),
                                 watch.wait_handle(), pair.first.wait_handle(), pair.second.wait_handle()}) {
    expect_closed_on_exec(one);
  }
}

TEST_F(DescriptorsTest, AHandleIsClosedOnce) {
  OwnedHandle first(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const NativeHandle number = first.get();
  OwnedHandle second = std::move(first);
  OwnedHandle& same = second;
  second = std::move(same);
  EXPECT_EQ(second.get(), number);
  second.close();
  OwnedHandle next(open("/dev/null", O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(next.get(), number);  // takes the free number
  second.close();
  first.close();  // NOLINT(bugprone-use-after-move)
  { const OwnedHandle third = std::move(second); }
  EXPECT_NE(fcntl(static_cast<int>(number), F_GETFD), -1);
}

TEST_F(DescriptorsTest, NothingIsMadeWithoutAny) {
  const testing::AddressFolder folder;
  {
    const NoMoreDescriptors none;
    for (int times = 0; times < 2; ++times) {
      EXPECT_EQ(testing::thrown<OsError>([] { SharedMemory::create(1); }).number(), EMFILE);
      EXPECT_EQ(testing::thrown<OsError>([] { Doorbell::create(); }).number(), EMFILE);
      EXPECT_EQ(testing::thrown<OsError>([] { DescriptorChannel::pair(); }).number(), EMFILE);
      EXPECT_EQ(testing::thrown<OsError>([&] { ChannelListener::listen(folder / "a"); }).number(), EMFILE);
      EXPECT_EQ(testing::thrown<OsError>([&] { DescriptorChannel::connect(folder / "a", soon()); }).number(), EMFILE);
      EXPECT_EQ(remove_dead_addresses(folder.path()), 0U);
      available_memory();
    }
  }
  EXPECT_TRUE(probe_shared_memory().available);
  EXPECT_TRUE(ChannelListener::listen(folder / "a"));
}

TEST_F(DescriptorsTest, AMessageWhoseHandlesCannotAllBeReceivedIsRefusedWhole) {
  const SharedMemory memory = SharedMemory::create(1);
  const OwnedHandle handle = memory.handle_for(Access::read_write);
  auto [one, other] = DescriptorChannel::pair();
  testing::say(one, "three handles", std::array{handle.get(), handle.get(), handle.get()});
  testing::say(one, "which nobody reads");
  Message message;
  {
    NoMoreDescriptors none;
    none.leave(2);
    const HeldResources before = HeldResources::now();
    EXPECT_EQ(code_thrown([&, &other = other] { other.receive(message, soon()); }), ErrorCode::protocol_error);
    EXPECT_TRUE(message.handles.empty());
    EXPECT_EQ(HeldResources::now(), before);
  }
  for (int times = 0; times < 2; ++times) {
    EXPECT_EQ(other.receive(message, soon()), Received::closed);
    EXPECT_FALSE(other.send(testing::bytes_of("x"), {}, soon()));
    EXPECT_FALSE(one.send(testing::bytes_of("x"), {}, soon()));
  }
}

TEST_F(DescriptorsTest, ACallerWhoCannotBeAcceptedIsTurnedAwayAndTheNextIsNot) {
  const testing::AddressFolder folder;
  ChannelListener listener = ChannelListener::listen(folder / "a");
  for (int times = 0; times < 2; ++times) {
    DescriptorChannel caller = DescriptorChannel::connect(folder / "a", soon());
    {
      const NoMoreDescriptors none;
      EXPECT_EQ(testing::thrown<OsError>([&] { listener.accept(soon()); }).number(), EMFILE);
      Message message;
      EXPECT_EQ(caller.receive(message, soon()), Received::closed);
      EXPECT_FALSE(listener.accept(now()));
    }
    caller = DescriptorChannel::connect(folder / "a", soon());
    EXPECT_TRUE(listener.accept(soon()));
  }
}

/// One raw message, of any size and with any number of handles.
void send_raw(const DescriptorChannel& from, std::size_t bytes, std::size_t handles, int handle) {
  std::vector<char> text(bytes, 'x');
  std::vector<char> control(CMSG_SPACE(handles * sizeof(int)));
  iovec part{.iov_base = text.data(), .iov_len = bytes};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (handles != 0) {
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    cmsghdr* const rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(handles * sizeof(int));
    const std::vector<int> copies(handles, handle);
    std::memcpy(CMSG_DATA(rights), copies.data(), handles * sizeof(int));
  }
  ASSERT_EQ(sendmsg(static_cast<int>(from.wait_handle()), &header, MSG_NOSIGNAL), static_cast<ssize_t>(bytes));
}

TEST_F(DescriptorsTest, AMessageThatNoHonestPeerSendsIsRefusedWhole) {
  struct Lie {
    std::size_t bytes;
    std::size_t handles;
  };
  for (const Lie lie : {Lie{kMaxMessageBytes + 1, 0}, Lie{kMaxMessageBytes + 1, 3}, Lie{1, kMaxMessageHandles + 1},
                        Lie{1, 253}, Lie{0, 0}, Lie{0, 2}}) {
    auto [liar, other] = DescriptorChannel::pair();
    send_raw(liar, lie.bytes, lie.handles, STDIN_FILENO);
    testing::say(liar, "and one more");
    const HeldResources before = HeldResources::now();
    Message message;
    EXPECT_EQ(code_thrown([&, &other = other] { other.receive(message, soon()); }), ErrorCode::protocol_error)
        << lie.bytes << " bytes, " << lie.handles << " handles";
    EXPECT_EQ(other.receive(message, soon()), Received::closed);
    EXPECT_TRUE(message.handles.empty());
    EXPECT_EQ(HeldResources::now(), before);
  }
}

TEST_F(DescriptorsTest, MessagesThatNobodyReadsTakeTheirHandlesWithThem) {
  const SharedMemory memory = SharedMemory::create(1);
  const OwnedHandle handle = memory.handle_for(Access::read_write);
  const HeldResources before = HeldResources::now();
  for (int i = 0; i < 1000; ++i) {
    auto [one, other] = DescriptorChannel::pair();
    testing::say(one, "x", std::array{handle.get(), handle.get()});
    testing::say(one, "x", std::array{handle.get()});
    testing::expect_message(other, "x");
  }
  EXPECT_EQ(HeldResources::now(), before);
}

}  // namespace
}  // namespace remotemedia::platform
