// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/connection_listener.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "remotemedia/grpc/grpc_limits.h"
#include "remotemedia/platform/monotonic_clock.h"
#include "remotemedia/platform/waiting.h"

namespace remotemedia::detail {
namespace {

using platform::NativeHandle;
using platform::OwnedHandle;

constexpr Duration kTimeToSpeak = std::chrono::milliseconds{kTimeForHandshake};
constexpr Duration kPause = std::chrono::milliseconds{100};  // after the system had no handle or memory for one
constexpr int kMostAccepted = 64;                            // between two looks at the others

}  // namespace

/// Of the handles of the process half are for what it does.
ConnectionListener::ConnectionListener(platform::StreamListener listener, std::unique_ptr<Acceptor> acceptor)
    : most_(std::min(kMostConnections, platform::most_handles() / 2)),
      acceptor_(std::move(acceptor)),
      ending_(platform::Doorbell::create()) {
  listener_.set(std::move(listener));
  thread_ = std::thread([this] { run(); });
}

ConnectionListener::~ConnectionListener() {
  ending_.ring();
  thread_.join();
}

void ConnectionListener::run() {
  for (bool ends = false; !ends;) {
    try {
      ends = look();
    } catch (const std::exception&) {
      const NativeHandle ending = ending_.wait_handle();
      ends = !platform::wait_for_any({&ending, 1}, later(monotonic_clock().now(), kPause)).empty();
    }
  }
}

/// Whether it is to end.
bool ConnectionListener::look() {
  const std::vector<OwnedHandle>& sockets = listener_->sockets();
  std::vector<NativeHandle> handles{ending_.wait_handle()};
  for (const OwnedHandle& socket : sockets) handles.push_back(socket.get());
  for (const Silent& silent : silent_) handles.push_back(silent.connection.get());
  const TimePoint until = silent_.empty() ? TimePoint::max() : silent_.front().until;
  const std::vector<std::size_t> ready = platform::wait_for_any(handles, until);
  if (!ready.empty() && ready.front() == 0) return true;

  const std::size_t others = 1 + sockets.size();
  for (const std::size_t i : ready) {
    if (i >= others) hand_over(std::move(silent_[i - others].connection));
  }
  const TimePoint now = monotonic_clock().now();
  std::erase_if(silent_, [now](const Silent& silent) { return !silent.connection || silent.until <= now; });
  for (const std::size_t i : ready) {
    if (i < others) take_callers(sockets[i - 1]);
  }
  return false;
}

void ConnectionListener::take_callers(const OwnedHandle& socket) {
  for (int taken = 0; taken < kMostAccepted; ++taken) {
    OwnedHandle caller = listener_->accept(socket);
    if (!caller) return;
    if (make_room()) silent_.push_back({std::move(caller), later(monotonic_clock().now(), kTimeToSpeak)});
  }
}

bool ConnectionListener::make_room() {
  if (silent_.size() + handed_over_.size() < most_) return true;
  std::erase_if(handed_over_, [](const HandedOver& one) { return platform::connection_id(one.handle) != one.id; });
  if (silent_.size() + handed_over_.size() < most_) return true;
  if (silent_.empty()) return false;
  silent_.pop_front();
  return true;
}

void ConnectionListener::hand_over(OwnedHandle connection) {
  handed_over_.push_back({connection.get(), platform::connection_id(connection.get())});
  Acceptor::NewConnectionParameters taken;
  taken.fd = static_cast<int>(connection.release());
  acceptor_->HandleNewConnection(&taken);
}

}  // namespace remotemedia::detail
