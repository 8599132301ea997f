// SPDX-License-Identifier: Apache-2.0
//
// Some instances of the pipe wait for callers, so that several can call before one is accepted. All set one event.

#include <array>
#include <string>
#include <system_error>
#include <utility>

#include "remotemedia/platform/address_windows.h"
#include "remotemedia/platform/channel_windows.h"
#include "remotemedia/platform/os_error.h"

namespace remotemedia::platform {
namespace {

constexpr std::size_t kQueuedCallers = 16;

/// An instance of the pipe that waits for a caller, or has one.
class Line {
 public:
  Line() = default;
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;
  ~Line() { cancel(); }

  void open(OwnedHandle pipe, const OwnedHandle& event) {
    pipe_ = std::move(pipe);
    wait_for_caller(event);
  }

  /// Whether somebody has called. Waits on if the thread that began to has ended.
  bool has_caller(const OwnedHandle& event) {
    if (called_ || !pipe_ || !HasOverlappedIoCompleted(&waiting_)) return called_;
    DWORD none = 0;
    if (GetOverlappedResult(raw(pipe_), &waiting_, &none, FALSE) == FALSE &&
        GetLastError() == ERROR_OPERATION_ABORTED) {
      wait_for_caller(event);
    } else {
      called_ = true;
    }
    return called_;
  }

  OwnedHandle take() noexcept {
    called_ = false;
    return std::move(pipe_);
  }

  void turn_away(const OwnedHandle& event) {
    DisconnectNamedPipe(raw(pipe_));
    called_ = false;
    wait_for_caller(event);
  }

 private:
  void wait_for_caller(const OwnedHandle& event) {
    waiting_ = OVERLAPPED{};
    waiting_.hEvent = raw(event);
    if (ConnectNamedPipe(raw(pipe_), &waiting_) != FALSE) return;
    const DWORD error = GetLastError();
    if (error == ERROR_IO_PENDING) return;
    if (error != ERROR_PIPE_CONNECTED && error != ERROR_NO_DATA) {
      pipe_.close();
      throw OsError("ConnectNamedPipe", static_cast<int>(error), "wait for somebody to connect");
    }
    called_ = true;
  }

  void cancel() noexcept {
    if (!pipe_ || called_ || HasOverlappedIoCompleted(&waiting_)) return;
    DWORD none = 0;
    CancelIoEx(raw(pipe_), &waiting_);
    GetOverlappedResult(raw(pipe_), &waiting_, &none, TRUE);
  }

  OwnedHandle pipe_;
  OVERLAPPED waiting_{};
  bool called_ = false;
};

}  // namespace

struct ChannelListener::Impl {
  Impl(const std::filesystem::path& address) : called(create_event()), pipe_name(random_pipe_name()) {
    for (Line& line : lines) line.open(create_pipe(pipe_name, &line == lines.begin()), called);
    file = publish_address(address, pipe_name);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    if (file) withdraw_address(std::move(file));
  }

  Line* line_with_caller() {
    for (Line& line : lines) {
      if (line.has_caller(called)) return &line;
    }
    return nullptr;
  }

  /// The pipe of the caller on `line`, on which others can call again.
  OwnedHandle answer(Line& line) {
    OwnedHandle next;
    try {
      next = create_pipe(pipe_name, false);
    } catch (const Error&) {
      line.turn_away(called);
      throw;
    }
    OwnedHandle pipe = line.take();
    line.open(std::move(next), called);
    return pipe;
  }

  const OwnedHandle called;  ///< Set while a line may have a caller; beginning to wait resets it.
  const std::wstring pipe_name;
  std::array<Line, kQueuedCallers> lines;
  OwnedHandle file;
};

ChannelListener ChannelListener::listen(const std::filesystem::path& address) {
  check_address(address);
  return ChannelListener(std::make_unique<Impl>(address));
}

ChannelListener::ChannelListener() noexcept = default;
ChannelListener::ChannelListener(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
ChannelListener::ChannelListener(ChannelListener&&) noexcept = default;
ChannelListener& ChannelListener::operator=(ChannelListener&&) noexcept = default;
ChannelListener::~ChannelListener() = default;

std::optional<DescriptorChannel> ChannelListener::accept(TimePoint deadline) {
  while (wait_for(impl_->called.get(), deadline)) {
    ResetEvent(raw(impl_->called));
    Line* const line = impl_->line_with_caller();
    if (line == nullptr) continue;
    OwnedHandle pipe;
    std::exception_ptr failure;
    try {
      pipe = impl_->answer(*line);
    } catch (...) {
      failure = std::current_exception();
    }
    if (impl_->line_with_caller() != nullptr) SetEvent(raw(impl_->called));
    if (failure) std::rethrow_exception(failure);
    PipePeer peer = peer_of(pipe, true);
    if (!peer.identity.same_user) continue;
    return DescriptorChannel(std::make_unique<DescriptorChannel::Impl>(std::move(pipe), std::move(peer)));
  }
  return std::nullopt;
}

NativeHandle ChannelListener::wait_handle() const noexcept { return impl_->called.get(); }
ChannelListener::operator bool() const noexcept { return impl_ != nullptr; }

std::size_t remove_dead_addresses(const std::filesystem::path& folder) noexcept {
  std::size_t removed = 0;
  std::error_code error;
  for (std::filesystem::directory_iterator each(folder, error), end; !error && each != end; each.increment(error)) {
    if (remove_address_if_dead(each->path())) ++removed;
  }
  return removed;
}

}  // namespace remotemedia::platform
