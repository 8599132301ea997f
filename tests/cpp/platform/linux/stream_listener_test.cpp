// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/platform/stream_listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <string>
#include <vector>

#include "remotemedia/base/error.h"
#include "remotemedia/platform/monotonic_clock.h"
#include "remotemedia/platform/os_error.h"
#include "remotemedia/platform/waiting.h"
#include "testing/thrown.h"

namespace remotemedia::platform {
namespace {

OwnedHandle connected(int port) {
  OwnedHandle made(socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<in_port_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(static_cast<int>(made.get()), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return made;
}

OwnedHandle next_caller(StreamListener& listener) {
  const OwnedHandle& socket = listener.sockets().front();
  const NativeHandle handle = socket.get();
  EXPECT_FALSE(wait_for_any({&handle, 1}, TimePoint::max()).empty());
  return listener.accept(socket);
}

TEST(StreamListenerTest, ItTakesCallersOfAFreePortAndWaitsForNobody) {
  StreamListener listener = StreamListener::at_port("127.0.0.1", "0");
  ASSERT_GT(listener.port(), 0);
  EXPECT_FALSE(listener.accept(listener.sockets().front()));
  const OwnedHandle caller = connected(listener.port());
  const OwnedHandle taken = next_caller(listener);
  ASSERT_TRUE(taken);
  const int flags = fcntl(static_cast<int>(taken.get()), F_GETFL);
  EXPECT_NE(flags & O_NONBLOCK, 0);
  EXPECT_NE(fcntl(static_cast<int>(taken.get()), F_GETFD) & FD_CLOEXEC, 0);
  ASSERT_EQ(write(static_cast<int>(caller.get()), "x", 1), 1);
  const NativeHandle handle = taken.get();
  ASSERT_FALSE(wait_for_any({&handle, 1}, TimePoint::max()).empty());
  char byte = 0;
  EXPECT_EQ(read(static_cast<int>(handle), &byte, 1), 1);
  EXPECT_EQ(byte, 'x');
}

TEST(StreamListenerTest, AnAddressThatIsTakenOrIsNoneIsRefused) {
  const StreamListener first = StreamListener::at_port("127.0.0.1", "0");
  const auto number = [](const std::string& host, const std::string& port) {
    return testing::thrown<OsError>([&] { (void)StreamListener::at_port(host, port); }).number();
  };
  EXPECT_EQ(number("127.0.0.1", std::to_string(first.port())), EADDRINUSE);
  EXPECT_EQ(number("192.0.2.1", "0"), EADDRNOTAVAIL);
  EXPECT_EQ(number("no.such.host.invalid", "0"), EADDRNOTAVAIL);
}

TEST(StreamListenerTest, ItTakesCallersOfAPath) {
  const std::filesystem::path path = std::filesystem::temp_directory_path() / ("rm-stream-" + std::to_string(getpid()));
  StreamListener listener = StreamListener::at_path(path);
  const OwnedHandle caller(socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.native().copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(connect(static_cast<int>(caller.get()), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_TRUE(next_caller(listener));
  EXPECT_EQ(testing::thrown<OsError>([&] { (void)StreamListener::at_path(path); }).number(), EADDRINUSE);
  std::filesystem::remove(path);
}

TEST(StreamListenerTest, EachConnectionHasAnIdAndWhatIsNoneHasNone) {
  StreamListener listener = StreamListener::at_port("127.0.0.1", "0");
  const std::array<OwnedHandle, 2> callers{connected(listener.port()), connected(listener.port())};
  OwnedHandle first = next_caller(listener);
  const OwnedHandle second = next_caller(listener);
  const std::uint64_t id = connection_id(first.get());
  EXPECT_NE(id, 0);
  EXPECT_NE(id, connection_id(second.get()));
  const NativeHandle gone = first.get();
  first.close();
  EXPECT_NE(connection_id(gone), id);
  EXPECT_EQ(connection_id(kNoHandle), 0);
}

TEST(StreamListenerTest, WhereTheProcessMayOpenNoMoreACallerIsTurnedAwayAndTheNextOneIsTaken) {
  StreamListener listener = StreamListener::at_port("127.0.0.1", "0");
  const OwnedHandle caller = connected(listener.port());
  const OwnedHandle next = connected(listener.port());
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit few{64, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  EXPECT_EQ(most_handles(), 64);
  std::vector<OwnedHandle> all;
  for (int made = open("/dev/null", O_RDONLY); made != -1; made = open("/dev/null", O_RDONLY)) all.emplace_back(made);
  const int refused = testing::thrown<OsError>([&] { next_caller(listener); }).number();
  all.clear();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(refused, EMFILE);
  char byte = 0;
  EXPECT_LE(read(static_cast<int>(caller.get()), &byte, 1), 0);
  EXPECT_TRUE(next_caller(listener));
}

}  // namespace
}  // namespace remotemedia::platform
