// SPDX-License-Identifier: Apache-2.0
//
// A client's side of a session, and a worker that does whatever a script of bytes says: it welcomes truly or not,
// grants memory that is what it says or not, answers what was asked or not, writes records and counts, scribbles where
// it may write, and leaves. Every call is answered once, what was answered can be read, also at the end, and nothing is
// left.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "remotemedia/base/error.h"
#include "remotemedia/channel/channel_messages.h"
#include "remotemedia/channel/client_session.h"
#include "remotemedia/memory/segment.h"
#include "remotemedia/platform/monotonic_clock.h"
#include "session_script.h"

using namespace remotemedia;
using namespace remotemedia::detail;

namespace {

using testing::choose;
using testing::FuzzedBytes;

/// For what may wait: it never waits in vain for long.
TimePoint very_soon() { return later(monotonic_clock().now(), std::chrono::microseconds{20}); }

class Worker {
 public:
  explicit Worker(platform::DescriptorChannel channel) : far_(std::move(channel)) {}

  /// The welcome, which the client finds there; damaged only where `script` says so.
  void welcome(FuzzedBytes& script) {
    WelcomeMessage welcome;
    welcome.signature.inputs = {{"x", DataType::float32, {-1}}};
    welcome.signature.outputs = {{"y", DataType::float32, {-1}}};
    if (script.take<std::uint8_t>() % 4 == 3) welcome.signature.outputs.push_back({"z", DataType::int64, {}});
    outputs_ = static_cast<std::uint32_t>(welcome.signature.outputs.size());
    welcome.limits.inline_bytes = choose(script, {1000U, 0U, 32'768U});
    welcome.limits.ring_depth = choose(script, {8U, 2U, 1U, 64U, 0U});
    welcome.limits.unanswered_calls = 10;
    std::vector<platform::OwnedHandle> handles;
    const std::uint32_t depth = welcome.limits.ring_depth;
    if (depth > 0) {
      const std::size_t clients = control_bytes(script.take<std::uint8_t>() % 16 == 15 ? 1 : depth);
      welcome.segments.push_back(grant(SegmentRole::client_control, clients, script, handles));
      welcome.segments.push_back(grant(SegmentRole::worker_control, control_bytes(depth), script, handles));
      const auto others = script.take<std::uint8_t>();
      if (others % 4 != 3) welcome.segments.push_back(grant(SegmentRole::inputs, 40'000, script, handles));
      if (others % 8 >= 2) welcome.segments.push_back(grant(SegmentRole::outputs, 40'000, script, handles));
    }
    platform::Doorbell own = platform::Doorbell::create();
    platform::Doorbell clients = platform::Doorbell::create();
    if (depth > 0) handles.push_back(own.duplicate());
    if (depth > 0) handles.push_back(clients.duplicate());
    say(write_message(welcome), script, handles);
    if (depth == 0) return;
    const auto behind_header = [](const Segment& segment) {
      return std::span(segment.data(), segment.size()).subspan(kSegmentHeaderBytes);
    };
    if (behind_header(*segments_[0]).size() < control_bytes(depth)) return;
    far_.use(behind_header(*segments_[1]), behind_header(*segments_[0]), depth, std::move(own), std::move(clients));
  }

  void offer_segments(FuzzedBytes& script, std::uint64_t asked) {
    SegmentsMessage offer;
    const auto kind = script.take<std::uint8_t>();
    offer.request = kind % 4 == 0 ? asked : 0;
    std::vector<platform::OwnedHandle> handles;
    for (int left = 1 + kind / 4 % 2; left > 0; --left) {
      offer.segments.push_back(
          grant(kind % 2 == 0 ? SegmentRole::inputs : SegmentRole::outputs, 9000, script, handles));
    }
    say(write_message(offer), script, handles);
  }

  void answer_by_message(FuzzedBytes& script, std::uint64_t asked) {
    AnswerMessage answer;
    answer.request = request(script, asked);
    answer.last = script.take<std::uint8_t>() % 4 != 3;
    const std::vector<std::byte> bytes(512);
    const std::uint32_t count = script.take<std::uint8_t>() % 3U;
    for (std::uint32_t i = 0; i < count; ++i) {
      MessageTensor tensor;
      tensor.key = i;
      tensor.dtype = choose(script, {DataType::float32, DataType::int64, DataType::uint8});
      tensor.shape = {choose(script, {std::int64_t{10}, std::int64_t{0}, std::int64_t{1}, std::int64_t{9000}})};
      if (script.take<std::uint8_t>() % 8 == 7) tensor.shape = {1, 1, 1, 1, 1, 1, 1, 1, tensor.shape[0]};
      tensor.bytes_in = choose(script, {BytesIn::message, BytesIn::record, BytesIn::chunks});
      const auto nbytes = static_cast<std::size_t>(dense_size(tensor).nbytes);
      if (tensor.bytes_in == BytesIn::message && nbytes > bytes.size()) tensor.bytes_in = BytesIn::chunks;
      if (tensor.bytes_in == BytesIn::chunks && nbytes == 0) tensor.bytes_in = BytesIn::message;
      if (tensor.bytes_in == BytesIn::message) tensor.bytes = std::span(bytes).first(nbytes);
      if (tensor.bytes_in == BytesIn::record) push_output(script, answer.request, i, kTensorOfMessage);
      if (tensor.bytes_in == BytesIn::chunks) chunked_ = {answer.request, i, 0, nbytes};
      answer.tensors.push_back(std::move(tensor));
    }
    say(write_message(answer), script);
  }

  void chunk(FuzzedBytes& script) {
    if (chunked_.left == 0) return;
    const std::vector<std::byte> bytes(
        std::min(chunked_.left, choose(script, {std::size_t{40'000}, std::size_t{100}, std::size_t{1}})));
    say(write_message(ChunkMessage{chunked_.request, chunked_.tensor, chunked_.offset, bytes}), script);
    chunked_.offset += bytes.size();
    chunked_.left -= bytes.size();
  }

  void answer_by_records(FuzzedBytes& script, std::uint64_t asked) {
    const std::uint64_t number = request(script, asked);
    for (std::uint32_t i = 0; i < outputs_; ++i) push_output(script, number, i, 0);
  }

  void say_something_small(FuzzedBytes& script, std::uint64_t asked) {
    const std::uint64_t number = request(script, asked);
    switch (script.take<std::uint8_t>() % 6) {
      case 0:
        return say(write_message(FailureMessage{number, ErrorCode::inference_failed, "no"}), script);
      case 1:
        return say(write_message(StatusMessage{number, {}}), script);
      case 2:
        return say(write_message(HealthMessage{number, true, ""}), script);
      case 3:
        return say(write_message(DrainingMessage{}), script);
      case 4:
        return say(write_message(RefusedMessage{}), script);
      default:
        return say(write_message(WelcomeMessage{}), script);
    }
  }

  /// Gives inputs back, those that came or others.
  void release(FuzzedBytes& script) {
    TensorDescriptor release;
    if (const std::optional<TensorDescriptor> input = far_.pop()) release = *input;
    release.kind = static_cast<std::uint8_t>(DescriptorKind::release);
    far_.push(release, script);
  }

  void scribble(FuzzedBytes& script) {
    if (segments_.empty()) return;
    const Segment& segment = *segments_[script.take<std::uint8_t>() % segments_.size()];
    testing::FarSide::scribble({segment.data(), segment.size()}, script);
  }

  void hear() {
    platform::Message message;
    while (far_.channel().receive(message, TimePoint{}) == platform::DescriptorChannel::Received::message) {
      testing::require(message.handles.empty(), "a client sends no handles");
      (void)read_client_message(message.bytes);
    }
  }

  testing::FarSide& far() { return far_; }

 private:
  void say(std::vector<std::byte> bytes, FuzzedBytes& script, std::span<const platform::OwnedHandle> handles = {}) {
    testing::damage(script, bytes);
    if (bytes.empty() || asks_for_too_much(bytes)) return;
    std::vector<platform::NativeHandle> sent;
    for (const platform::OwnedHandle& handle : handles) sent.push_back(handle.get());
    if (!sent.empty() && script.take<std::uint8_t>() % 32 == 31) sent.pop_back();
    far_.channel().send(bytes, sent, TimePoint{});
  }

  /// A client takes memory for what an answer announces. The sanitizer would not let it have much.
  static bool asks_for_too_much(const std::vector<std::byte>& bytes) {
    try {
      const WorkerMessage read = read_worker_message(bytes);
      const auto* const answer = std::get_if<AnswerMessage>(&read);
      return answer != nullptr && std::ranges::any_of(answer->tensors, [](const MessageTensor& tensor) {
               return dense_size(tensor).nbytes > 1 << 24;
             });
    } catch (const Error&) {
      return false;
    }
  }

  static std::uint64_t request(FuzzedBytes& script, std::uint64_t asked) {
    const auto kind = script.take<std::uint8_t>();
    return kind < 200 ? std::max<std::uint64_t>(asked, 1) : 1 + kind % 8;
  }

  SegmentGrant grant(SegmentRole role, std::size_t bytes, FuzzedBytes& script,
                     std::vector<platform::OwnedHandle>& handles) {
    const auto kind = script.take<std::uint8_t>();
    const bool is_written = (role == SegmentRole::client_control || role == SegmentRole::inputs) && kind != 255;
    const auto segment =
        Segment::create(bytes, is_written ? SegmentWriters::anybody_shown : SegmentWriters::creator_only);
    segments_.push_back(segment);
    SegmentGrant grant{role, next_segment_++, 1, segment->size(), segment->header().uuid};
    if (kind == 254) grant.bytes += 4096;
    if (kind == 253) grant.uuid[0] ^= std::byte{1};
    if (kind == 252) testing::FarSide::scribble({segment->data(), 128}, script);
    if (role == SegmentRole::outputs) readable_ = {grant.number, grant.bytes};
    if (kind == 251) {
      handles.push_back(platform::Doorbell::create().duplicate());
    } else {
      const auto access = is_written ? platform::Access::read_write : platform::Access::read_only;
      handles.push_back(segment->memory().handle_for(access));
    }
    return grant;
  }

  void push_output(FuzzedBytes& script, std::uint64_t number, std::uint32_t ordinal, std::uint32_t flags) {
    const DataType dtype = ordinal == 0 ? DataType::float32 : DataType::int64;
    TensorDescriptor descriptor = descriptor_of(
        row_major({choose(script, {std::int64_t{10}, std::int64_t{0}, std::int64_t{1}, std::int64_t{1500}})}, dtype));
    descriptor.kind = static_cast<std::uint8_t>(DescriptorKind::result);
    descriptor.request_id = number;
    descriptor.tensor_ordinal = ordinal;
    descriptor.tensor_count = flags == 0 ? outputs_ : 1 + script.take<std::uint8_t>() % 2;
    descriptor.flags = flags;
    descriptor.segment = readable_.first;
    descriptor.generation = 1;
    descriptor.slot_offset = kSegmentHeaderBytes + 256 * ordinal;
    descriptor.nbytes = static_cast<std::uint64_t>(descriptor.shape[0]) * (ordinal == 0 ? 4 : 8);
    far_.push(descriptor, script);
  }

  std::vector<std::shared_ptr<Segment>> segments_;
  testing::FarSide far_;
  std::uint32_t next_segment_ = 0;
  std::uint32_t outputs_ = 1;
  std::pair<std::uint32_t, std::uint64_t> readable_;
  testing::ChunksLeft chunked_;
};

/// What the client's program does.
class Program {
 public:
  explicit Program(std::shared_ptr<ClientSession> session) : session_(std::move(session)) {}

  /// The number of the newest call or question.
  std::uint64_t asked() const { return asked_; }

  void call(FuzzedBytes& script) {
    const auto kind = script.take<std::uint8_t>();
    const auto answers = std::make_shared<Answers>();
    Call call;
    call.stream = kind % 4 == 3;
    if (kind % 8 == 7) call.parameters = {{"p", std::int64_t{1}}};
    call.deadline = very_soon();
    call.on_answer = [answers](Answer answer) {
      testing::require(!answers->over, "a call is answered once");
      testing::require(answer.error == nullptr || answer.last, "an error is the last answer");
      answers->over = answer.last;
      answers->outputs.push_back(std::move(answer.outputs));
    };
    try {
      call.inputs = {{"x", TensorBuffer::allocate({choose(script, {10, 0, 1, 2000, 20'000})}, DataType::float32)}};
      asked_ = session_->submit(std::move(call), ReceivedBy::caller);
      calls_.push_back(answers);
    } catch (const Error&) {  // over, or there is no room: it was not sent
    }
  }

  void receive() {
    session_->receive_until([looked = false]() mutable { return std::exchange(looked, true); }, very_soon());
    read_all();
  }

  void ask(FuzzedBytes& script) {
    ++asked_;
    try {
      if (script.take<std::uint8_t>() % 2 == 0) {
        session_->status(very_soon());
      } else {
        session_->health(very_soon());
      }
    } catch (const Error&) {  // it was not answered, or not with that
    }
  }

  void say_something_small(FuzzedBytes& script) {
    const std::uint64_t number = 1 + script.take<std::uint8_t>() % 8;
    try {
      switch (script.take<std::uint8_t>() % 4) {
        case 0:
          return session_->cancel(number);
        case 1:
          return session_->answers_read(number, 1);
        case 2:
          return session_->close_session("s");
        default:
          return forget_some();
      }
    } catch (const Error&) {  // over
    }
  }

  /// Every call has its last answer by now.
  void end() {
    session_->close();
    for (const std::shared_ptr<Answers>& call : calls_) testing::require(call->over, "every call is answered");
    read_all();
  }

 private:
  struct Answers {
    bool over = false;
    std::vector<TensorMap> outputs;
  };

  void forget_some() {
    for (std::size_t i = 0; i < calls_.size(); i += 2) calls_[i]->outputs.clear();
  }

  void read_all() const {
    for (const std::shared_ptr<Answers>& call : calls_) {
      for (const TensorMap& outputs : call->outputs) {
        for (const auto& [name, tensor] : outputs) (void)tensor.copy();
      }
    }
  }

  std::shared_ptr<ClientSession> session_;
  std::uint64_t asked_ = 0;
  std::vector<std::shared_ptr<Answers>> calls_;
};

void step(Worker& worker, Program& program, FuzzedBytes& script) {
  switch (script.take<std::uint8_t>() % 16) {
    case 0:
    case 1:
      return program.call(script);
    case 2:
    case 3:
      return program.receive();
    case 4:
      return program.ask(script);
    case 5:
      return program.say_something_small(script);
    case 6:
      return worker.offer_segments(script, program.asked() + script.take<std::uint8_t>() % 2);
    case 7:
      return worker.answer_by_message(script, program.asked());
    case 8:
      return worker.chunk(script);
    case 9:
    case 10:
      return worker.answer_by_records(script, program.asked());
    case 11:
      return worker.say_something_small(script, program.asked() + script.take<std::uint8_t>() % 2);
    case 12:
      return worker.release(script);
    case 13:
      return script.take<std::uint8_t>() % 2 == 0 ? worker.scribble(script) : worker.far().claim(script);
    case 14:
      worker.far().begin_sleep();
      return worker.hear();
    default:
      if (const auto kind = script.take<std::uint8_t>(); kind % 8 == 7) worker.far().channel().shut_down();
      return worker.far().babble(script);
  }
}

void run(FuzzedBytes script) {
  auto [near, far] = platform::DescriptorChannel::pair();
  Worker worker(std::move(far));
  worker.welcome(script);
  std::optional<Program> program;
  try {
    program.emplace(ClientSession::over("unix:fuzzed", std::move(near), ClientId{std::byte{1}}, very_soon()));
  } catch (const Error&) {  // it is no welcome
    return;
  }
  for (int steps = 0; steps < 200 && !script.rest().empty(); ++steps) step(worker, *program, script);
  program->end();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const bool warm = [] {  // what the first session takes stays
    run(FuzzedBytes(nullptr, 0));
    return true;
  }();
  testing::require(warm, "a session without a script comes to its end");
  const testing::HeldBySessions held = testing::HeldBySessions::now();
  run(FuzzedBytes(data, size));
  testing::require(testing::HeldBySessions::now() == held, "nothing is left of a session");
  return 0;
}
