// SPDX-License-Identifier: Apache-2.0
//
// ClientSession: a client's end of the session with one worker.
//
// One thread at a time receives: a caller who waits for his answer, or else the session's own thread, when there is
// something that no caller waits for.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/mutex.h"
#include "remotemedia/base/recycled_memory.h"
#include "remotemedia/channel/channel_messages.h"
#include "remotemedia/channel/incoming_tensors.h"
#include "remotemedia/channel/input_arena.h"
#include "remotemedia/channel/outbox.h"
#include "remotemedia/channel/peer_segments.h"
#include "remotemedia/channel/session_rings.h"
#include "remotemedia/channel/tensor_sending.h"
#include "remotemedia/memory/not_inherited.h"
#include "remotemedia/platform/descriptor_channel.h"
#include "remotemedia/platform/doorbell.h"
#include "remotemedia/platform/peer_watch.h"
#include "remotemedia/worker/spin_time.h"
#include "remotemedia/worker/transport.h"

namespace remotemedia::detail {

/// Lifetime:  close() ends it; its own thread keeps it until then.
class ClientSession final : public WorkerConnection, public std::enable_shared_from_this<ClientSession> {
 public:
  /// Connects and says hello.
  ///
  /// Errors:  worker_unavailable if nobody listens there; deadline_exceeded; what the worker refuses with;
  ///          protocol_error; platform::OsError.
  static std::shared_ptr<ClientSession> connect(const std::string& endpoint, const std::string& path,
                                                const ClientId& client, TimePoint deadline);

  /// The same over a channel that is there.
  static std::shared_ptr<ClientSession> over(std::string endpoint, platform::DescriptorChannel channel,
                                             const ClientId& client, TimePoint deadline);

  ClientSession(std::string endpoint, platform::DescriptorChannel channel);
  ~ClientSession() override;

  Transport transport() const noexcept override { return Transport::shared_memory; }
  const WorkerDescription& worker() const noexcept override { return worker_; }
  bool is_over() const noexcept override;
  TensorBuffer allocate(const Dims& shape, DataType dtype) override;
  using WorkerConnection::submit;
  std::uint64_t submit(const TensorMap& inputs, Call&& call, ReceivedBy receiver, Waiting waiting) override;
  void cancel(std::uint64_t call) noexcept override;
  void answers_read(std::uint64_t call, std::uint32_t count) noexcept override;
  void close_session(const std::string& session_id) override;
  bool receive_until(std::uint64_t /*call*/, ReceivedBy receiver, const std::function<bool()>& done,
                     TimePoint deadline) override {
    return receive_until(done, deadline, receiver);
  }
  bool receive_until(const std::function<bool()>& done, TimePoint deadline, ReceivedBy receiver = ReceivedBy::caller);
  bool lets_others_receive() const noexcept override { return true; }
  void answer_taken() noexcept override {
    if (!answer_was_taken_.load(std::memory_order_relaxed)) answer_was_taken_ = true;
  }
  WorkerInfo status(TimePoint deadline) override;
  HealthReport health(TimePoint deadline) override;
  void close() noexcept override;

 private:
  /// What waits for something of the worker: a call, or a question.
  struct Pending {
    AnswerFunction on_answer;
    std::function<void(const WorkerMessage&)> on_message;  ///< Of a question.
    ReceivedBy receiver = ReceivedBy::caller;
    TimePoint deadline = TimePoint::max();  ///< At which the own thread answers it, if nobody else did.
    LentBlocks lent;                        ///< What the worker may be reading.
  };
  struct ChunkedAnswer {
    std::uint64_t request = 0;
    bool last = true;
    IncomingTensors tensors;
  };

  // client_session.cpp
  void shake_hands(const ClientId& client, TimePoint deadline);
  void take_welcome(platform::Message& message);
  void add_segments(std::span<const SegmentGrant> segments, std::vector<platform::OwnedHandle>& handles);
  void check_usable();
  void add(std::uint64_t number, Pending&& pending);
  enum class Inputs { may_be_read, let_go };  ///< By the worker.
  std::optional<Pending> remove(std::uint64_t number, Inputs inputs = Inputs::may_be_read);
  void end(const std::exception_ptr& why) noexcept;
  std::exception_ptr gone() const;
  [[noreturn]] static void refuse(const std::string& why);

  // client_calls.cpp
  void place(OutgoingTensor& outgoing, TimePoint deadline, Waiting waiting);
  MemoryBlock input_block(std::size_t bytes, TimePoint deadline);
  bool ask_for_segment(std::size_t bytes, TimePoint deadline);
  void wake_receiver_unless(bool all_went) noexcept;
  template <class Question>
  WorkerMessage ask(Question question, TimePoint deadline);

  // client_receiving.cpp
  enum class Then { stop, take_what_is_there };
  void receive_some(const std::function<bool()>& done, TimePoint deadline, SpinTime& spin, Then then = Then::stop);
  bool receive_ring();
  bool receive_record();
  void empty_ring();
  void take_early();
  bool receive_socket();
  void receive_segment();
  void run_own_thread();
  TimePoint next_deadline() const REMOTEMEDIA_REQUIRES(mutex_);
  void end_late_calls();

  // client_taking.cpp
  void take(const Record& record);
  void take_output(const TensorDescriptor& descriptor);
  void take_release(const TensorDescriptor& release);
  void take(platform::Message& message);
  void take_reply(std::uint64_t number, const WorkerMessage& reply);
  void take_answer(const AnswerMessage& answer);
  void take_chunk(const ChunkMessage& chunk);
  void finish_chunked();
  void note_given();
  void give(std::uint64_t request, Answer&& answer, Inputs inputs = Inputs::may_be_read);

  const std::string endpoint_;
  const std::uint64_t fork_generation_;
  NotInherited<platform::DescriptorChannel> channel_;
  platform::PeerWatch watch_;
  NotInherited<platform::Doorbell> wake_;  // of whoever receives
  const std::shared_ptr<Outbox> outbox_;
  std::shared_ptr<SessionRings> rings_;
  WorkerDescription worker_;
  SessionLimits limits_;
  std::vector<platform::Mapping> control_;
  std::shared_ptr<InputArena> inputs_;
  std::atomic<Duration> heard_at_{Duration{0}};
  std::atomic<Duration> ask_from_{Duration{0}};  // for memory
  std::atomic<std::uint64_t> last_number_{0};    // of calls and questions

  mutable Mutex mutex_;
  CondVar changed_;
  RecyclingHashMap<std::uint64_t, Pending> pending_ REMOTEMEDIA_GUARDED_BY(mutex_);
  std::unordered_map<std::uint64_t, LentBlocks> lent_ REMOTEMEDIA_GUARDED_BY(mutex_);       // of ended calls
  std::size_t for_own_thread_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;                           // of `pending_`
  std::set<std::pair<TimePoint, std::uint64_t>> deadlines_ REMOTEMEDIA_GUARDED_BY(mutex_);  // of the same
  std::atomic<std::size_t> waiters_{0};  // that want to receive; counted with the mutex
  std::atomic<std::uint64_t> given_{0};  // answers and replies
  bool receiving_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;
  bool closing_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;
  std::atomic<bool> over_{false};                         // set with the mutex
  bool all_told_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;  // that it is over
  std::thread own_thread_ REMOTEMEDIA_GUARDED_BY(mutex_);
  TimePoint own_thread_rests_until_ REMOTEMEDIA_GUARDED_BY(mutex_);  // others receive for it
  std::atomic<bool> answer_was_taken_{false};                        // since the own thread looked
  bool own_thread_sleeps_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;    // until it is told that it is needed

  // Of whoever receives.
  SpinTime callers_spin_;
  PeerSegments outputs_;
  RecordTensors assembled_;
  std::optional<ChunkedAnswer> chunked_;
  std::deque<platform::Message> early_;  // read in search of a segment
  std::unordered_map<std::uint64_t, std::deque<TensorBuffer>> of_messages_;
  std::size_t waiting_for_messages_ = 0;  // in these
};

}  // namespace remotemedia::detail
