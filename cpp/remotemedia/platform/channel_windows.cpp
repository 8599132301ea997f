// SPDX-License-Identifier: Apache-2.0
// A message on the pipe is a FrameHead, then the bytes, then nothing that counts. Its handles are in the receiver
// already when it comes: they have arrived if it has, and they live on if the sender dies.

#include "remotemedia/platform/channel_windows.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <string>
#include <utility>

#include "remotemedia/platform/os_error.h"

namespace remotemedia::platform {
namespace {

struct FrameHead {
  std::uint32_t magic;
  std::uint32_t byte_count;
  std::uint64_t handle_count;
  std::uint64_t handles[kMaxMessageHandles];  ///< Their values in the receiver.
};

constexpr std::uint32_t kMagic = 0x31464d52;  // "RMF1"
constexpr std::size_t kMaxFrameBytes = sizeof(FrameHead) + kMaxMessageBytes;

bool is_end(DWORD error) noexcept {
  return error == ERROR_BROKEN_PIPE || error == ERROR_NO_DATA || error == ERROR_PIPE_NOT_CONNECTED;
}

/// What came with a frame, as far as it names handles here; `whole` unless something else was said to come.
struct Arrived {
  std::array<OwnedHandle, kMaxMessageHandles> handles;
  std::size_t count = 0;
  std::size_t byte_count = 0;
  bool whole = false;
};

bool is_handle(NativeHandle value) noexcept {
  DWORD flags = 0;
  return value > 0 && GetHandleInformation(raw(value), &flags) != FALSE;
}

Arrived handles_in(std::span<const std::byte> frame) noexcept {
  Arrived arrived;
  FrameHead head;
  if (frame.size() < sizeof head) return arrived;
  std::memcpy(&head, frame.data(), sizeof head);
  if (head.magic != kMagic || head.handle_count > kMaxMessageHandles) return arrived;
  arrived.byte_count = head.byte_count;
  arrived.whole = head.byte_count > 0 && head.byte_count <= frame.size() - sizeof head;
  for (std::size_t i = 0; i < head.handle_count; ++i) {
    const auto value = static_cast<NativeHandle>(head.handles[i]);
    const auto same = [value](const OwnedHandle& other) { return other.get() == value; };
    if (is_handle(value) && std::ranges::none_of(arrived.handles, same)) {
      arrived.handles[arrived.count++] = OwnedHandle(value);
    } else {
      arrived.whole = false;
    }
  }
  return arrived;
}

}  // namespace

class DescriptorChannel::Impl::Parcel {
 public:
  explicit Parcel(const OwnedHandle& receiver) noexcept : receiver_(receiver) {}
  Parcel(const Parcel&) = delete;
  Parcel& operator=(const Parcel&) = delete;
  ~Parcel() {
    for (std::size_t i = 0; i < count_; ++i) {
      DuplicateHandle(raw(receiver_), values_[i], nullptr, nullptr, 0, FALSE, DUPLICATE_CLOSE_SOURCE);
    }
  }

  /// Whether the receiver still was there to get it.
  bool add(NativeHandle handle) {
    if (!receiver_) return false;
    if (DuplicateHandle(GetCurrentProcess(), raw(handle), raw(receiver_), &values_[count_], 0, FALSE,
                        DUPLICATE_SAME_ACCESS) == FALSE) {
      const int error = last_error();
      if (wait_for(receiver_.get(), TimePoint::min())) return false;
      throw OsError("DuplicateHandle", error, "give a handle to another process");
    }
    ++count_;
    return true;
  }

  void write_to(FrameHead& head) const noexcept {
    head.handle_count = count_;
    for (std::size_t i = 0; i < count_; ++i) head.handles[i] = static_cast<std::uint64_t>(native(values_[i]));
  }

  void went_off() noexcept { count_ = 0; }

 private:
  const OwnedHandle& receiver_;
  std::array<HANDLE, kMaxMessageHandles> values_{};
  std::size_t count_ = 0;
};

DescriptorChannel::Impl::Impl(OwnedHandle connected_pipe, PipePeer who)
    : peer_(std::move(who)),
      read_done_(create_event()),
      write_done_(create_event()),
      pipe_(std::move(connected_pipe)),
      frame_(kMaxFrameBytes) {
  MutexLock lock(mutex_);
  begin_reading();
}

DescriptorChannel::Impl::~Impl() { shut_down(); }

void DescriptorChannel::Impl::begin_reading() {
  reading_ = OVERLAPPED{};
  reading_.hEvent = raw(read_done_);
  read_error_ = 0;
  if (ReadFile(raw(pipe_), frame_.data(), static_cast<DWORD>(frame_.size()), nullptr, &reading_) != FALSE) return;
  const DWORD error = GetLastError();
  if (error == ERROR_IO_PENDING) return;
  read_error_ = error;
  SetEvent(raw(read_done_));
}

DWORD DescriptorChannel::Impl::result_of_reading(DWORD& size) {
  if (read_error_ != 0) return read_error_;
  return GetOverlappedResult(raw(pipe_), &reading_, &size, FALSE) != FALSE ? ERROR_SUCCESS : GetLastError();
}

DescriptorChannel::Received DescriptorChannel::Impl::receive(Message& message, TimePoint deadline) {
  message.bytes.clear();
  message.handles.clear();
  while (wait_for(read_done_.get(), deadline)) {
    MutexLock lock(mutex_);
    if (!pipe_) return Received::closed;
    DWORD size = 0;
    const DWORD error = result_of_reading(size);
    if (is_end(error)) return Received::closed;
    if (error == ERROR_OPERATION_ABORTED) {  // by the end of the thread that began to read
      begin_reading();
      continue;
    }
    if (error != ERROR_SUCCESS && error != ERROR_MORE_DATA)
      throw OsError("ReadFile", static_cast<int>(error), "receive");
    const std::span<const std::byte> frame(frame_.data(), error == ERROR_MORE_DATA ? frame_.size() : size);
    Arrived arrived = handles_in(frame);
    if (error == ERROR_MORE_DATA || !arrived.whole) {
      read_error_ = ERROR_OPERATION_ABORTED;
      close_pipe();
      throw Error(ErrorCode::protocol_error,
                  "asked for a message, found one that is too large, was cut or lacks handles: the channel is closed");
    }
    const std::span<OwnedHandle> handles = std::span(arrived.handles).first(arrived.count);
    const std::span<const std::byte> bytes = frame.subspan(sizeof(FrameHead), arrived.byte_count);
    message.bytes.assign(bytes.begin(), bytes.end());
    message.handles.assign(std::move_iterator(handles.begin()), std::move_iterator(handles.end()));
    begin_reading();
    return Received::message;
  }
  return Received::nothing;
}

DWORD DescriptorChannel::Impl::write(std::span<const std::byte> frame, TimePoint deadline) {
  {
    MutexLock lock(mutex_);
    if (!pipe_) return ERROR_BROKEN_PIPE;
    writing_ = OVERLAPPED{};
    writing_.hEvent = raw(write_done_);
    if (WriteFile(raw(pipe_), frame.data(), static_cast<DWORD>(frame.size()), nullptr, &writing_) != FALSE) {
      return ERROR_SUCCESS;
    }
    const DWORD error = GetLastError();
    if (error != ERROR_IO_PENDING) return error;
    write_under_way_ = true;
  }
  const bool in_time = wait_for(write_done_.get(), deadline);
  if (!in_time) {
    MutexLock lock(mutex_);
    CancelIoEx(raw(pipe_), &writing_);
  }
  wait_for(write_done_.get(), TimePoint::max());
  MutexLock lock(mutex_);
  write_under_way_ = false;
  DWORD size = 0;
  return GetOverlappedResult(raw(pipe_), &writing_, &size, FALSE) != FALSE ? ERROR_SUCCESS : GetLastError();
}

bool DescriptorChannel::Impl::send(std::span<const std::byte> bytes, std::span<const NativeHandle> handles,
                                   TimePoint deadline) {
  Parcel parcel(peer_.process);
  for (const NativeHandle handle : handles) {
    if (!parcel.add(handle)) return false;
  }
  FrameHead head{
      .magic = kMagic, .byte_count = static_cast<std::uint32_t>(bytes.size()), .handle_count = 0, .handles = {}};
  parcel.write_to(head);
  std::vector<std::byte> frame(std::max(sizeof head + bytes.size(), refused_size_));
  std::memcpy(frame.data(), &head, sizeof head);
  std::memcpy(frame.data() + sizeof head, bytes.data(), bytes.size());

  const DWORD error = write(frame, deadline);
  if (error == ERROR_SUCCESS) {
    parcel.went_off();
    refused_size_ = 0;
    return true;
  }
  if (error == ERROR_OPERATION_ABORTED) refused_size_ = frame.size();
  if (is_end(error) || error == ERROR_OPERATION_ABORTED) return false;
  throw OsError("WriteFile", static_cast<int>(error), "send");
}

/// Handles that came and were not received would live as long as this process. No read is under way any more. A queue
/// that may be full is left alone: to make room would be to tell a sender who waits that his message has come.
void DescriptorChannel::Impl::close_unread() noexcept {
  for (;;) {
    DWORD size = 0;
    const DWORD result = result_of_reading(size);
    if (result == ERROR_SUCCESS || result == ERROR_MORE_DATA) {
      handles_in(std::span(frame_).first(result == ERROR_SUCCESS ? size : frame_.size()));
    }
    DWORD waiting = 0;
    if (PeekNamedPipe(raw(pipe_), nullptr, 0, nullptr, &waiting, nullptr) == FALSE || waiting == 0) return;
    if (waiting > kQueueBytes - kMaxFrameBytes) return;
    begin_reading();
    if (read_error_ == 0) GetOverlappedResult(raw(pipe_), &reading_, &size, TRUE);
  }
}

void DescriptorChannel::Impl::close_pipe() noexcept {
  if (!pipe_) return;
  CancelIoEx(raw(pipe_), nullptr);
  DWORD size = 0;
  if (write_under_way_) GetOverlappedResult(raw(pipe_), &writing_, &size, TRUE);
  if (read_error_ == 0) GetOverlappedResult(raw(pipe_), &reading_, &size, TRUE);
  close_unread();
  pipe_.close();
  SetEvent(raw(read_done_));
}

void DescriptorChannel::Impl::shut_down() noexcept {
  MutexLock lock(mutex_);
  close_pipe();
}

}  // namespace remotemedia::platform
