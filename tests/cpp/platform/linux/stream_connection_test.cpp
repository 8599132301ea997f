// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/platform/stream_connection.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "remotemedia/platform/stream_listener.h"

namespace remotemedia::platform {
namespace {

int number(const OwnedHandle& handle) { return static_cast<int>(handle.get()); }

std::filesystem::path new_path() {
  return std::filesystem::temp_directory_path() / ("rm-connection-" + std::to_string(getpid()));
}

/// What can be sent to somebody who reads nothing.
std::size_t sent_at_once(const OwnedHandle& stream) {
  const std::vector<char> bytes(std::size_t{8} << 20);
  const ssize_t sent = send(number(stream), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  return sent < 0 ? 0 : static_cast<std::size_t>(sent);
}

TEST(StreamConnectionTest, WhereNobodyListensThereIsNone) {
  const std::filesystem::path path = new_path();
  EXPECT_FALSE(connect_stream(path));
  EXPECT_FALSE(connect_stream(std::string(200, 'x')));
  { const StreamListener gone = StreamListener::at_path(path); }
  EXPECT_FALSE(connect_stream(path));
  std::filesystem::remove(path);
}

TEST(StreamConnectionTest, BothSidesSendMoreAtOnceThanASocketDoesByItself) {
  const std::filesystem::path path = new_path();
  StreamListener listener = StreamListener::at_path(path);
  const OwnedHandle caller = connect_stream(path);
  ASSERT_TRUE(caller);
  EXPECT_NE(fcntl(number(caller), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(fcntl(number(caller), F_GETFD) & FD_CLOEXEC, 0);
  const OwnedHandle taken = listener.accept(listener.sockets().front());
  ASSERT_TRUE(taken);
  int plain[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, plain), 0);
  const OwnedHandle one(plain[0]);
  const OwnedHandle other(plain[1]);
  const std::size_t usual = sent_at_once(one);
  EXPECT_GT(usual, 0);
  EXPECT_GT(sent_at_once(caller), usual);
  EXPECT_GT(sent_at_once(taken), usual);
  std::filesystem::remove(path);
}

TEST(StreamConnectionTest, ItIsKnownAtOnceThatTheOtherSideHasGone) {
  const std::filesystem::path path = new_path();
  StreamListener listener = StreamListener::at_path(path);
  OwnedHandle caller = connect_stream(path);
  const OwnedHandle same = same_stream(caller.get());
  ASSERT_TRUE(same);
  EXPECT_NE(fcntl(number(same), F_GETFD) & FD_CLOEXEC, 0);
  OwnedHandle taken = listener.accept(listener.sockets().front());
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(has_peer(same.get()));
  ASSERT_EQ(send(number(taken), "x", 1, 0), 1);
  EXPECT_TRUE(has_peer(same.get())) << "with bytes to read";
  taken.close();
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(has_peer(same.get())) << "with bytes to read still";
  caller.close();
  EXPECT_FALSE(has_peer(same.get()));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace remotemedia::platform
