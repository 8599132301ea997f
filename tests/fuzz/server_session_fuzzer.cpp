// SPDX-License-Identifier: Apache-2.0
//
// A worker's side of a session, and a client that does whatever a script of bytes says: it shakes hands or does not,
// says messages that are true, damaged or none, writes records and counts, scribbles where it may write, reads or does
// not, and leaves. The session serves or ends, and then nothing of it is left.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "remotemedia/base/error.h"
#include "remotemedia/channel/channel_messages.h"
#include "remotemedia/channel/peer_segments.h"
#include "remotemedia/channel/server_session.h"
#include "remotemedia/platform/monotonic_clock.h"
#include "session_script.h"

using namespace remotemedia;
using namespace remotemedia::detail;

namespace {

using testing::choose;
using testing::FuzzedBytes;

constexpr std::size_t kQuota = std::size_t{96} << 10;

/// Gives rows back, in one answer or several; throws where it is told to.
class Echo final : public InferenceModel {
 public:
  std::string model_id() const override { return "echo"; }
  ModelSignature signature() const override {
    return {.inputs = {{"x", DataType::float32, {-1}}, {"i", DataType::int32, {-1}}},
            .outputs = {{"y", DataType::float32, {-1}}}};
  }
  std::size_t memory_usage() const override { return 0; }
  TensorMap infer(const TensorMap& inputs, InferenceContext& context) override {
    if (context.requests()[0].parameters->contains("throw")) throw std::runtime_error("as it was told");
    return answer(inputs, context);
  }
  std::unique_ptr<AnswerStream> infer_stream(const TensorMap& inputs, InferenceContext& context) override {
    return std::make_unique<Five>(inputs, context);
  }

 private:
  static TensorMap answer(const TensorMap& inputs, InferenceContext& context) {
    TensorBuffer y = context.allocate(inputs.at("x").shape(), DataType::float32);
    y.assign(inputs.at("x"));
    return {{"y", y}};
  }

  class Five final : public AnswerStream {
   public:
    Five(const TensorMap& inputs, InferenceContext& context) : inputs_(inputs), context_(context) {}
    std::optional<TensorMap> next() override {
      if (given_++ == 5) return std::nullopt;
      return answer(inputs_, context_);
    }

   private:
    const TensorMap& inputs_;
    InferenceContext& context_;
    int given_ = 0;
  };
};

/// What ChannelServer is to a session, with its own threads' work done when the script says so.
class Host final : public SessionHost {
 public:
  Host() : core_(std::make_shared<Echo>(), config(), "fuzzed"), served_{core_, [this] { return core_.status(); }} {
    core_.start();
  }
  ~Host() { core_.stop(); }

  const ServedWorker& worker() const noexcept override { return served_; }
  SharedMemoryAllocator& allocator() noexcept override { return allocator_; }
  std::uint64_t enter(const ClientId& /*client*/) override { return ++entered_; }
  bool leave(const ClientId& /*client*/) noexcept override { return true; }
  void run_beside(std::function<void()> work) override { beside_.push_back(std::move(work)); }
  void run_on_poller(std::function<void()> work) override { posted_.push_back(std::move(work)); }
  void wake_poller() noexcept override {}
  void rings_made() noexcept override {}

  void do_posted() {
    for (std::vector<std::function<void()>>* const list : {&beside_, &posted_}) {
      for (const std::function<void()>& work : std::exchange(*list, {})) work();
    }
  }

  WorkerCore& core() { return core_; }

  /// Waits until nothing runs: what is left waits for the client.
  void settle() {
    for (int looks = 0; looks < 1000; ++looks) {
      const WorkerInfo info = core_.status();
      if (info.queue_depth == 0 && info.current_load == 0) return;
      std::this_thread::yield();
    }
  }

 private:
  static WorkerConfig config() {
    WorkerConfig config;
    config.max_concurrent_requests = 8;
    config.concurrent_streams = 3;
    config.stream_window = 2;
    return config;
  }
  static AllocatorConfig memory() {
    AllocatorConfig config;
    config.per_session_quota_bytes = kQuota;
    config.first_segment_bytes = std::size_t{64} << 10;
    config.segment_bytes = std::size_t{64} << 10;
    config.spare_segments = 0;
    return config;
  }

  SharedMemoryAllocator allocator_{memory()};
  WorkerCore core_;
  ServedWorker served_;
  std::uint64_t entered_ = 0;
  std::vector<std::function<void()>> beside_;
  std::vector<std::function<void()>> posted_;
};

class Client {
 public:
  explicit Client(platform::DescriptorChannel channel) : far_(std::move(channel)) {}

  void hello(FuzzedBytes& script) {
    HelloMessage hello;
    hello.client.fill(std::byte{1});
    hello.shared_memory = script.take<std::uint8_t>() % 4 != 3;
    if (hello.shared_memory) hello.ring_depth = choose(script, {8U, 2U, 1U, 0U, 64U});
    far_.say(write_message(hello), script);
  }

  void mapped(FuzzedBytes& script) {
    MappedMessage mapped;
    for (const auto& [number, mapping] : written_) mapped.segments.push_back(number);
    if (!mapped.segments.empty()) far_.say(write_message(mapped), script);
  }

  void call_by_message(FuzzedBytes& script) {
    CallMessage call;
    call.request = number(script);
    const auto kind = script.take<std::uint8_t>();
    call.stream = kind % 2 == 1;
    if (kind % 8 >= 6) call.session_id = "s";
    if (kind % 32 == 31) call.parameters = {{"throw", true}};
    if (kind % 16 == 15) call.time_left = Duration{script.take<std::uint32_t>()};
    const std::vector<std::byte> bytes(512);
    for (std::uint32_t i = 0; i < 2; ++i) {
      MessageTensor tensor;
      tensor.key = i;
      tensor.dtype = i == 0 ? DataType::float32 : DataType::int32;
      tensor.shape = {choose(script, {10, 0, 100, 1, 20'000, 7})};
      tensor.bytes_in = choose(script, {BytesIn::message, BytesIn::record, BytesIn::chunks});
      const auto nbytes = static_cast<std::size_t>(tensor.shape[0]) * 4;
      if (tensor.bytes_in == BytesIn::message && nbytes > bytes.size()) tensor.bytes_in = BytesIn::chunks;
      if (tensor.bytes_in == BytesIn::chunks && nbytes == 0) tensor.bytes_in = BytesIn::message;
      if (tensor.bytes_in == BytesIn::message) tensor.bytes = std::span(bytes).first(nbytes);
      if (tensor.bytes_in == BytesIn::record) push_input(script, call.request, i, 2, kTensorOfMessage);
      if (tensor.bytes_in == BytesIn::chunks) chunked_ = {call.request, i, 0, nbytes};
      call.tensors.push_back(std::move(tensor));
    }
    far_.say(write_message(call), script);
  }

  void chunk(FuzzedBytes& script) {
    if (chunked_.left == 0) return;
    const std::vector<std::byte> bytes(
        std::min(chunked_.left, choose(script, {std::size_t{40'000}, std::size_t{100}, std::size_t{1}})));
    far_.say(write_message(ChunkMessage{chunked_.request, chunked_.tensor, chunked_.offset, bytes}), script);
    chunked_.offset += bytes.size();
    chunked_.left -= bytes.size();
  }

  void call_by_records(FuzzedBytes& script) {
    const std::uint64_t request = number(script);
    for (std::uint32_t i = 0; i < 2; ++i) push_input(script, request, i, 2, 0);
  }

  void say_something_small(FuzzedBytes& script) {
    const std::uint64_t request = number(script);
    switch (script.take<std::uint8_t>() % 6) {
      case 0:
        return far_.say(write_message(CancelMessage{request}), script);
      case 1:
        return far_.say(write_message(AnswersReadMessage{request, 1U + script.take<std::uint8_t>() % 4}), script);
      case 2:
        return far_.say(write_message(CloseSessionMessage{"s"}), script);
      case 3:
        return far_.say(write_message(AskStatusMessage{request}), script);
      case 4:
        return far_.say(write_message(AskHealthMessage{request}), script);
      default:
        return far_.say(write_message(AskSegmentMessage{request, (testing::odd_number(script) >> 1) | 1}), script);
    }
  }

  void cancel_by_record(FuzzedBytes& script) {
    TensorDescriptor cancel;
    cancel.kind = static_cast<std::uint8_t>(DescriptorKind::cancel);
    cancel.request_id = number(script);
    far_.push(cancel, script);
  }

  void release(FuzzedBytes& script) {
    if (results_.empty()) return;
    TensorDescriptor release = results_.back();
    if (script.take<std::uint8_t>() % 8 != 7) results_.pop_back();
    release.kind = static_cast<std::uint8_t>(DescriptorKind::release);
    far_.push(release, script);
  }

  void scribble(FuzzedBytes& script) {
    if (written_.empty()) return;
    const std::size_t which = script.take<std::uint8_t>() % written_.size();
    testing::FarSide::scribble(std::next(written_.begin(), static_cast<std::ptrdiff_t>(which))->second.bytes(), script);
  }

  /// All that has come. What a worker says is true, whatever it was told.
  void hear() {
    platform::Message message;
    while (far_.channel().receive(message, TimePoint{}) == platform::DescriptorChannel::Received::message) {
      WorkerMessage read = read_worker_message(message.bytes);
      if (auto* const welcome = std::get_if<WelcomeMessage>(&read)) take(*welcome, message.handles);
      if (auto* const segments = std::get_if<SegmentsMessage>(&read)) {
        for (std::size_t i = 0; i < segments->segments.size(); ++i) map(segments->segments[i], message.handles[i]);
      }
    }
    while (const std::optional<TensorDescriptor> record = far_.pop()) {
      if (record->kind == static_cast<std::uint8_t>(DescriptorKind::result)) results_.push_back(*record);
    }
  }

  testing::FarSide& far() { return far_; }

 private:
  std::uint64_t number(FuzzedBytes& script) {
    const auto kind = script.take<std::uint8_t>();
    return kind < 200 ? ++last_ : 1 + kind % 8;
  }

  void push_input(FuzzedBytes& script, std::uint64_t request, std::uint32_t ordinal, std::uint32_t count,
                  std::uint32_t flags) {
    const DataType dtype = ordinal == 0 ? DataType::float32 : DataType::int32;
    TensorDescriptor descriptor = descriptor_of(row_major({choose(script, {10, 0, 100, 1, 20'000, 7})}, dtype));
    descriptor.kind = static_cast<std::uint8_t>(DescriptorKind::submit);
    descriptor.request_id = request;
    descriptor.tensor_ordinal = ordinal;
    descriptor.tensor_count = count;
    descriptor.flags = flags;
    descriptor.segment = 2;
    descriptor.generation = 1;
    descriptor.slot_offset = kSegmentHeaderBytes + 256 * ordinal;
    descriptor.nbytes = static_cast<std::uint64_t>(descriptor.shape[0]) * 4;
    if (script.take<std::uint8_t>() % 8 == 7)
      descriptor.strides[0] = choose(script, {std::int64_t{0}, std::int64_t{2}});
    far_.push(descriptor, script);
  }

  void map(const SegmentGrant& grant, platform::OwnedHandle& handle) {
    const bool is_written = grant.role == SegmentRole::client_control || grant.role == SegmentRole::inputs;
    platform::Mapping mapping =
        map_granted(grant, std::move(handle), is_written ? platform::Access::read_write : platform::Access::read_only);
    (is_written ? written_ : read_).insert_or_assign(grant.number, std::move(mapping));
  }

  void take(const WelcomeMessage& welcome, std::vector<platform::OwnedHandle>& handles) {
    testing::require(handles.size() == welcome.handles(), "a welcome has its handles");
    for (std::size_t i = 0; i < welcome.segments.size(); ++i) map(welcome.segments[i], handles[i]);
    if (welcome.limits.ring_depth == 0) return;
    platform::Doorbell workers = platform::Doorbell::adopt(std::move(handles[handles.size() - 2]));
    platform::Doorbell own = platform::Doorbell::adopt(std::move(handles[handles.size() - 1]));
    far_.use(written_.at(0).bytes().subspan(kSegmentHeaderBytes), read_.at(1).bytes().subspan(kSegmentHeaderBytes),
             welcome.limits.ring_depth, std::move(own), std::move(workers));
  }

  std::map<std::uint32_t, platform::Mapping> written_;
  std::map<std::uint32_t, platform::Mapping> read_;
  testing::FarSide far_;
  testing::ChunksLeft chunked_;
  std::uint64_t last_ = 0;
  std::vector<TensorDescriptor> results_;
};

/// As ChannelServer serves.
template <class Serve>
void serve(ServerSession& session, Serve serve) {
  if (session.is_over()) return;
  try {
    if (!serve()) session.end(nullptr);
  } catch (const Error& error) {
    testing::require(error.code() == ErrorCode::protocol_error, "what ends a session is the client's fault");
    session.end(&error);
  }
}

void step(Host& host, ServerSession& session, Client& client, FuzzedBytes& script) {
  const auto serve_ring = [&] {
    session.serve_ring();
    return true;
  };
  switch (script.take<std::uint8_t>() % 20) {
    case 0:
      return client.hello(script);
    case 1:
      return client.mapped(script);
    case 2:
      return client.call_by_message(script);
    case 3:
      return client.chunk(script);
    case 4:
    case 5:
      return client.call_by_records(script);
    case 6:
      return client.say_something_small(script);
    case 7:
      return client.cancel_by_record(script);
    case 8:
      return client.release(script);
    case 9:
      return client.scribble(script);
    case 10:
      return client.far().claim(script);
    case 11:
      return client.far().babble(script);
    case 12:
      return client.hear();
    case 13:
      return serve(session, serve_ring);
    case 14:
    case 15:
      return serve(session, [&] { return session.serve_socket(); });
    case 16:
      return host.do_posted();
    case 17:
      return host.settle();
    case 18:
      if (!session.is_over() && session.begin_sleep()) session.end_sleep();
      client.far().begin_sleep();
      return session.announce_drain();
    default:
      if (script.take<std::uint8_t>() % 8 == 7) client.far().channel().shut_down();
  }
}

void run(Host& host, FuzzedBytes script) {
  auto [near, far] = platform::DescriptorChannel::pair();
  const auto process = std::make_shared<ClientProcess>(kQuota);
  auto session = std::make_shared<ServerSession>(host, std::move(near), process, "fuzzed client", TimePoint::max());
  std::optional<Client> client(std::in_place, std::move(far));
  if (script.take<std::uint8_t>() % 8 != 7) {  // one that is well under way is where most is to be found
    FuzzedBytes nothing(nullptr, 0);
    client->hello(nothing);
    serve(*session, [&] { return session->serve_socket(); });
    client->hear();
    client->mapped(nothing);
  }
  for (int steps = 0; steps < 200 && !script.rest().empty(); ++steps) step(host, *session, *client, script);
  client.reset();
  if (!session->is_over()) session->end(nullptr);
  const std::weak_ptr<ServerSession> over = session;
  session.reset();
  for (TimePoint until = later(monotonic_clock().now(), std::chrono::seconds{5}); !over.expired();) {
    testing::require(monotonic_clock().now() < until, "a session that is over ends");
    host.do_posted();
    std::this_thread::yield();
  }
  host.do_posted();
  testing::require(process->sessions == 0 && process->inputs.left() == kQuota && process->outputs.left() == kQuota &&
                       process->copied_inputs.left() == kQuota,
                   "the whole quota is back");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Host& host = [&]() -> Host& {
    auto* const made = new Host();        // NOLINT(cppcoreguidelines-owning-memory): ends with the fuzzer
    run(*made, FuzzedBytes(nullptr, 0));  // what the first session takes stays
    return *made;
  }();
  const testing::HeldBySessions held = testing::HeldBySessions::now();
  run(host, FuzzedBytes(data, size));
  for (TimePoint until = later(monotonic_clock().now(), std::chrono::seconds{5});
       testing::HeldBySessions::now() != held;) {
    testing::require(monotonic_clock().now() < until, "nothing is left of a session");
    host.do_posted();
  }
  testing::require(host.core().status().queue_depth == 0, "nothing waits for a client that has gone");
  return 0;
}
