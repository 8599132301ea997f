// SPDX-License-Identifier: Apache-2.0
//
// Addresses in the file system: how they appear, who may use them, how they go.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "platform/conformance/connected_peer.h"
#include "remotemedia/platform/os_error.h"
#include "remotemedia/platform/peer_watch.h"
#include "testing/thrown.h"

namespace remotemedia::platform {
namespace {

using Received = DescriptorChannel::Received;
using testing::AddressFolder;
using testing::code_thrown;
using testing::now;
using testing::soon;
using testing::thrown;

constexpr uid_t kNobody = 65534;

const testing::PeerRole kLeave("leave an address", [](const std::vector<std::string>& arguments) -> int {
  new ChannelListener(ChannelListener::listen(arguments.at(0)));
  _exit(0);
});

void leave_dead(const std::filesystem::path& address) {
  ASSERT_EQ(testing::PeerProcess("leave an address", {address.string()}).wait(), 0);
  ASSERT_TRUE(std::filesystem::is_socket(address));
}

/// The same, without a process that had to die: a socket whose last descriptor is closed.
void make_dead(const std::filesystem::path& address) {
  const OwnedHandle made(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  address.native().copy(name.sun_path, sizeof name.sun_path - 1);
  bind(static_cast<int>(made.get()), reinterpret_cast<const sockaddr*>(&name), sizeof name);
}

TEST(AddressesTest, BelongToTheirUserAlone) {
  const AddressFolder folder;
  const ChannelListener listener = ChannelListener::listen(folder / "a");
  struct stat found {};
  ASSERT_EQ(lstat((folder / "a").c_str(), &found), 0);
  EXPECT_TRUE(S_ISSOCK(found.st_mode));
  EXPECT_EQ(found.st_mode & 07777, 0600U);
}

TEST(AddressesTest, TheDeadAreCounted) {
  const AddressFolder folder;
  leave_dead(folder / "a");
  leave_dead(folder / "b");
  const ChannelListener alive = ChannelListener::listen(folder / "c");
  std::ofstream(folder / "file") << "not an address";
  std::filesystem::create_symlink(folder / "a", folder / "link");
  EXPECT_EQ(remove_dead_addresses(folder.path()), 2U);
  EXPECT_EQ(remove_dead_addresses(folder.path()), 0U);
  EXPECT_TRUE(std::filesystem::exists(folder / "c"));
  EXPECT_TRUE(std::filesystem::exists(folder / "file"));
}

TEST(AddressesTest, SomethingElseThanAnAddressIsNeverReplaced) {
  const AddressFolder folder;
  std::ofstream(folder / "file") << "somebody's";
  std::filesystem::create_symlink(folder / "file", folder / "link");
  std::filesystem::create_directory(folder / "folder");
  for (const char* name : {"file", "link", "folder"}) {
    EXPECT_EQ(thrown<OsError>([&] { ChannelListener::listen(folder / name); }).number(), EADDRINUSE) << name;
  }
  EXPECT_EQ(std::filesystem::file_size(folder / "file"), 10U);
}

TEST(AddressesTest, NoFolderIsMade) {
  const AddressFolder folder;
  EXPECT_EQ(thrown<OsError>([&] { ChannelListener::listen(folder / "missing" / "a"); }).number(), ENOENT);
}

TEST(AddressesTest, NobodyFindsOneDeaf) {
  const AddressFolder folder;
  constexpr int kRounds = 100;
  std::atomic<int> round{0};
  std::jthread caller([&] {
    for (int i = 0; i < kRounds; ++i) {
      for (bool reached = false; !reached;) {
        try {
          DescriptorChannel::connect(folder / std::to_string(i), soon());
          reached = true;
        } catch (const OsError& error) {
          ASSERT_EQ(error.number(), ENOENT) << error.what();  // ECONNREFUSED: it was there, and deaf
        }
      }
      round = i + 1;
      round.notify_one();
    }
  });
  for (int i = 0; i < kRounds; ++i) {
    const ChannelListener listener = ChannelListener::listen(folder / std::to_string(i));
    round.wait(i);
  }
}

TEST(AddressesTest, OneThatComesToLifeIsNotTakenForDead) {
  const AddressFolder folder;
  std::atomic<bool> done{false};
  std::jthread remover([&] {
    while (!done) remove_dead_addresses(folder.path());
  });
  for (int i = 0; i < 100; ++i) {
    make_dead(folder / "a");
    ChannelListener listener = ChannelListener::listen(folder / "a");
    DescriptorChannel::connect(folder / "a", soon());
    EXPECT_TRUE(listener.accept(soon()));
  }
  done = true;
}

TEST(AddressesTest, OfSeveralWhoWantOneExactlyOneGetsIt) {
  const AddressFolder folder;
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> winners{0};
    {
      std::vector<ChannelListener> listeners(3);
      std::vector<std::jthread> threads;
      for (ChannelListener& mine : listeners) {
        threads.emplace_back([&] {
          try {
            mine = ChannelListener::listen(folder / "a");
            ++winners;
          } catch (const OsError& error) {
            EXPECT_EQ(error.number(), EADDRINUSE) << error.what();
          }
        });
      }
      threads.clear();
      EXPECT_EQ(winners, 1);
      EXPECT_TRUE(DescriptorChannel::connect(folder / "a", soon()));
    }
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  }
}

TEST(AddressesTest, AFolderThatIsKeptLockedIsAnErrorAndNoHang) {
  const AddressFolder folder;
  const OwnedHandle keeper(open(folder.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ASSERT_EQ(flock(static_cast<int>(keeper.get()), LOCK_EX), 0);
  EXPECT_EQ(thrown<OsError>([&] { ChannelListener::listen(folder / "a"); }).call(), "flock");
  EXPECT_EQ(remove_dead_addresses(folder.path()), 0U);
  ASSERT_EQ(flock(static_cast<int>(keeper.get()), LOCK_UN), 0);
  EXPECT_TRUE(ChannelListener::listen(folder / "a"));
}

TEST(AddressesTest, ACallerOfAFullQueueWaitsUntilItsDeadline) {
  const AddressFolder folder;
  ChannelListener listener = ChannelListener::listen(folder / "a");
  std::vector<DescriptorChannel> callers;
  const auto call = [&](Duration patience) {
    callers.push_back(DescriptorChannel::connect(folder / "a", later(monotonic_clock().now(), patience)));
  };
  ErrorCode code = ErrorCode::cancelled;
  try {
    for (;;) call(std::chrono::milliseconds{5});
  } catch (const OsError& error) {
    code = error.code();
  }
  EXPECT_EQ(code, ErrorCode::deadline_exceeded);
  EXPECT_EQ(code_thrown([&] { DescriptorChannel::connect(folder / "a", now()); }), ErrorCode::deadline_exceeded);
  std::jthread patient([&] { EXPECT_TRUE(DescriptorChannel::connect(folder / "a", TimePoint::max())); });
  for (std::size_t i = 0; i < callers.size() + 1; ++i) EXPECT_TRUE(listener.accept(soon()));
  patient.join();
}

TEST(AddressesTest, AForkedChildTakesNothingAway) {
  const AddressFolder folder;
  auto listener = std::make_optional(ChannelListener::listen(folder / "a"));
  auto caller = std::make_optional(DescriptorChannel::connect(folder / "a", soon()));
  std::optional<DescriptorChannel> called = listener->accept(soon());
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    listener.reset();
    caller.reset();
    called.reset();
    _exit(0);
  }
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  testing::say(*caller, "as before");
  testing::expect_message(*called, "as before");
  EXPECT_TRUE(DescriptorChannel::connect(folder / "a", soon()));
  EXPECT_TRUE(listener->accept(soon()));
}

const testing::PeerRole kForks("fork a child that keeps the channel",
                               [](const std::vector<std::string>& arguments) -> int {
                                 DescriptorChannel parent = testing::connect_back(arguments);
                                 Message message;
                                 const pid_t child = fork();
                                 if (child != 0) testing::say(parent, "forked");
                                 parent.receive(message, soon());
                                 _exit(0);
                               });

TEST(AddressesTest, AKilledPeerIsNoticedAlsoWhereItsChildKeepsTheChannel) {
  testing::ConnectedPeer peer("fork a child that keeps the channel");
  const PeerWatch watch = PeerWatch::of(peer.channel);
  testing::expect_message(peer.channel, "forked");
  peer.process.kill();
  EXPECT_TRUE(watch.wait(soon()));
  Message message;
  EXPECT_EQ(peer.channel.receive(message, now()), Received::nothing);  // the child could still say something
  peer.channel.shut_down();
  EXPECT_EQ(peer.channel.receive(message, soon()), Received::closed);
}

/// A folder that everybody can enter, as no run directory is.
class OpenFolder {
 public:
  OpenFolder() {
    path_ = "/tmp/remotemedia-test-XXXXXX";
    if (mkdtemp(path_.data()) == nullptr || chmod(path_.c_str(), 0711) != 0) ADD_FAILURE() << path_;
  }
  OpenFolder(const OpenFolder&) = delete;
  OpenFolder& operator=(const OpenFolder&) = delete;
  ~OpenFolder() { std::filesystem::remove_all(path_); }

  std::filesystem::path operator/(const char* name) const { return std::filesystem::path(path_) / name; }

 private:
  std::string path_;
};

/// Exit code: 0 if turned away after connecting, 10 if connecting was refused.
const testing::PeerRole kNobodyCalls("call as nobody", [](const std::vector<std::string>& arguments) {
  if (setresuid(kNobody, kNobody, kNobody) != 0) return 4;
  try {
    DescriptorChannel channel = testing::connect_back(arguments);
    EXPECT_FALSE(channel.peer().same_user);
    Message message;
    EXPECT_EQ(channel.receive(message, soon()), Received::closed);
    return 0;
  } catch (const OsError& error) {
    return error.number() == EACCES ? 10 : 5;
  }
});

TEST(AddressesTest, AnotherUserCannotConnect) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  const AddressFolder closed_folder;
  const OpenFolder open_folder;
  for (const std::filesystem::path& address : {closed_folder / "a", open_folder / "a"}) {
    ChannelListener listener = ChannelListener::listen(address);
    EXPECT_EQ(testing::PeerProcess("call as nobody", {address.string()}).wait(), 10);
    EXPECT_FALSE(listener.accept(now()));
  }
}

TEST(AddressesTest, AnotherUserWhoConnectsAllTheSameIsTurnedAway) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  const OpenFolder folder;
  ChannelListener listener = ChannelListener::listen(folder / "a");
  ASSERT_EQ(chmod((folder / "a").c_str(), 0666), 0);
  testing::PeerProcess nobody("call as nobody", {(folder / "a").string()});
  std::atomic<bool> done{false};
  std::jthread accepting([&] {
    while (!done) EXPECT_FALSE(listener.accept(later(monotonic_clock().now(), std::chrono::milliseconds{1})));
  });
  EXPECT_EQ(nobody.wait(), 0);
  done = true;
  accepting.join();
  EXPECT_TRUE(DescriptorChannel::connect(folder / "a", soon()));
  EXPECT_TRUE(listener.accept(soon()));
}

}  // namespace
}  // namespace remotemedia::platform
