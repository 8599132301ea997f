// SPDX-License-Identifier: Apache-2.0
//
// ServerSession: a worker's end of the session with one client.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "remotemedia/base/clock.h"
#include "remotemedia/channel/channel_messages.h"
#include "remotemedia/channel/client_process.h"
#include "remotemedia/channel/incoming_tensors.h"
#include "remotemedia/channel/open_calls.h"
#include "remotemedia/channel/outbox.h"
#include "remotemedia/channel/output_arena.h"
#include "remotemedia/channel/peer_segments.h"
#include "remotemedia/channel/session_rings.h"
#include "remotemedia/channel/tensor_sending.h"
#include "remotemedia/memory/not_inherited.h"
#include "remotemedia/memory/segment.h"
#include "remotemedia/platform/descriptor_channel.h"
#include "remotemedia/platform/peer_watch.h"
#include "remotemedia/worker/transport.h"

namespace remotemedia::detail {

/// What the sessions of one listener have in common.
///
/// Lifetime:  longer than all of them.
class SessionHost {
 public:
  virtual const ServedWorker& worker() const noexcept = 0;
  virtual SharedMemoryAllocator& allocator() noexcept = 0;

  /// The worker's number for a client, the same for all its connections; left as often as entered, which says whether
  /// that was the last time.
  virtual std::uint64_t enter(const ClientId& client) = 0;
  virtual bool leave(const ClientId& client) noexcept = 0;

  /// Runs `work` on a thread that may take its time.
  virtual void run_beside(std::function<void()> work) = 0;

  /// Runs `work` on the poller's thread.
  virtual void run_on_poller(std::function<void()> work) = 0;

  /// The poller has something to send again.
  virtual void wake_poller() noexcept = 0;

  /// A session has its rings now.
  virtual void rings_made() noexcept = 0;

 protected:
  ~SessionHost() = default;
};

/// Threads:  one at a time, the poller's or an instance's, but for what the worker's answers call.
class ServerSession : public std::enable_shared_from_this<ServerSession> {
 public:
  /// Counts itself in `process`.
  ///
  /// Errors:  OsError; worker_unavailable if the client is gone already.
  ServerSession(SessionHost& host, platform::DescriptorChannel channel, std::shared_ptr<ClientProcess> process,
                std::string name, TimePoint hello_by);
  ServerSession(const ServerSession&) = delete;
  ServerSession& operator=(const ServerSession&) = delete;
  ~ServerSession() = default;

  /// For wait_for_any. The bell of its rings is for who sleeps: after end_sleep() it may be rung once more, and stays
  /// so.
  void append_wait_handles(std::vector<platform::NativeHandle>& handles, bool bell);

  /// Takes what has come, a fair share of it. Whether there was something.
  ///
  /// Errors:  any, and then the session is to be ended.
  bool serve_ring();

  /// Likewise of the socket; what was kept is sent. False when the client has gone.
  bool serve_socket();

  /// Whether it waits for something that no handle tells: try again soon.
  bool is_waiting() const { return outbox_->is_waiting(); }

  /// Until when the client has to say hello; max when it has.
  TimePoint hello_by() const noexcept { return hello_by_; }

  bool begin_sleep() noexcept { return rings_ == nullptr || keeps_too_much() || rings_->begin_sleep(); }
  void end_sleep(bool rung = true) noexcept {
    if (rings_ != nullptr) rings_->end_sleep(rung);
  }

  /// Null before they are made, and when it is over.
  const std::shared_ptr<SessionRings>& rings() const noexcept { return rings_; }

  /// Tells the client, if it can be told.
  void announce_drain() noexcept;

  bool is_over() const noexcept { return over_; }

  /// Ends it: the client is told why, if there is a why; its calls are cancelled and its memory let go.
  void end(const Error* why) noexcept;

  /// To be called once in a lease's time. True when the client has kept an output that long: it is to be ended.
  bool lease_is_over() { return lent_.end_turn(); }

  std::size_t shared_memory_bytes() const noexcept { return input_bytes_; }

 private:
  struct ChunkedCall {
    CallMessage call;
    std::optional<IncomingTensors> tensors;  ///< None: it is refused already, and its chunks lead nowhere.
    std::uint32_t last = 0;                  ///< Which of its tensors has the last chunk.
    std::uint64_t last_bytes = 0;            ///< Of that one.
  };

  bool keeps_too_much() const;
  std::uint32_t empty_ring();
  void take(const Record& record);
  void take_input(const TensorDescriptor& descriptor);
  void take(platform::Message& message);
  void take(const HelloMessage& hello);
  void take(const MappedMessage& mapped);
  void take(const CallMessage& call);
  void take(const ChunkMessage& chunk);
  void take(const CancelMessage& cancel);
  void take(const AnswersReadMessage& read);
  void take(const CloseSessionMessage& close);
  void take(const AskStatusMessage& ask);
  void take(const AskHealthMessage& ask);
  void take(const AskSegmentMessage& ask);

  WelcomeMessage welcome(const HelloMessage& hello, Packet& packet);
  void make_rings(std::uint32_t depth, WelcomeMessage& welcome, Packet& packet);
  void add_input_segment(const std::shared_ptr<Segment>& segment, std::uint64_t request);
  SegmentGrant grant_of(SegmentRole role, const Segment& segment, platform::Access access, Packet& packet);

  void complete(ChunkedCall& taken);
  enum class Inputs { count, do_not_count };  ///< Against what the client may have in the worker's own memory.
  void submit(std::uint64_t request, Call&& call, Inputs inputs);
  void answer(std::uint64_t request, bool stream, std::uint64_t number, Inputs inputs, Answer&& answer);
  template <Inputs inputs>
  static void answer_to(void* session, std::uint64_t request, Answer&& answer) {
    static_cast<ServerSession*>(session)->answer(request, false, 0, inputs, std::move(answer));
  }
  /// Whether nothing is left to send.
  bool answer_outputs(std::uint64_t request, bool stream, std::uint64_t number, Inputs inputs, Answer& answer);
  bool fail(std::uint64_t request, ErrorCode code, const std::string& text);
  bool fail(std::uint64_t request, const std::exception_ptr& error);

  SessionHost& host_;
  const std::shared_ptr<ClientProcess> process_;
  const std::string name_;
  TimePoint hello_by_;
  NotInherited<platform::DescriptorChannel> channel_;
  platform::PeerWatch watch_;
  const std::shared_ptr<Outbox> outbox_;
  std::atomic<std::uint32_t> next_segment_{0};
  PeerSegments inputs_;
  LentTensors lent_{process_->outputs};
  std::shared_ptr<SessionRings> rings_;
  std::uint32_t ring_depth_ = 0;
  std::shared_ptr<OutputArena> outputs_;
  std::shared_ptr<Caller> caller_;
  ClientId client_{};
  std::vector<std::shared_ptr<Segment>> segments_;
  std::map<std::uint32_t, std::shared_ptr<Segment>> unsealed_;
  std::size_t input_bytes_ = 0;
  std::size_t counted_inputs_ = 0;  // in the process's budget
  bool over_ = false;

  RecordTensors assembled_;
  std::optional<ChunkedCall> chunked_;
  std::unordered_map<std::uint64_t, std::deque<TensorBuffer>> of_messages_;  // tensors that came before their message
  std::size_t waiting_for_messages_ = 0;
  OpenCalls calls_;
};

}  // namespace remotemedia::detail
