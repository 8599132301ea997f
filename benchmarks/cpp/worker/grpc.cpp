// SPDX-License-Identifier: Apache-2.0
//
// The same calls with gRPC, where Debian's package is installed. The request is made once, unless it is said to be
// copied, and the answer is the request's own bytes. One call at a time goes by a completion queue, many by callbacks.

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstring>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "clients.h"
#include "grpc_server.h"
#include "in_flight.h"
#include "sizes.h"
#include "timing.h"

namespace remotemedia::bench {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPause{2};

void check(const grpc::Status& status, const grpc::ByteBuffer& answer, std::size_t bytes) {
  if (!status.ok()) throw std::runtime_error("gRPC: " + status.error_message());
  if (answer.Length() != bytes) throw std::runtime_error("gRPC: an answer of another size");
}

grpc::ByteBuffer make_request(std::size_t bytes) {
  const grpc::Slice slice(std::string(bytes, '\0'));
  return {&slice, 1};
}

/// One call at a time.
class Caller {
 public:
  explicit Caller(const std::shared_ptr<grpc::Channel>& channel, bool looking = false)
      : stub_(channel), looking_(looking) {}

  grpc::ByteBuffer call(const grpc::ByteBuffer& request) {
    grpc::ClientContext context;
    grpc::ByteBuffer answer;
    grpc::Status status;
    const auto reader = stub_.PrepareUnaryCall(&context, kGrpcMethod, request, &queue_);
    reader->StartCall();
    reader->Finish(&answer, &status, this);
    void* tag = nullptr;
    bool ok = false;
    if (!next_event(queue_, looking_, tag, ok)) throw std::runtime_error("gRPC: no answer");
    check(status, answer, request.Length());
    return answer;
  }

 private:
  grpc::GenericStub stub_;
  grpc::CompletionQueue queue_;
  const bool looking_;
};

void time_calls(benchmark::State& state, std::size_t bytes, GrpcAnswers answers) {
  const GrpcServer server(answers);
  Caller caller(server.connect(), answers == GrpcAnswers::by_looking);
  const grpc::ByteBuffer request = make_request(bytes);
  time_operations(state, both_processes(server.peer()), [&] { caller.call(request); });
}

/// Both sides copy what they get into one piece.
void time_calls_in_one_piece(benchmark::State& state, std::size_t bytes) {
  const GrpcServer server(GrpcAnswers::in_one_piece);
  Caller caller(server.connect());
  const grpc::ByteBuffer request = make_request(bytes);
  time_operations(state, both_processes(server.peer()), [&] { in_one_piece(caller.call(request)); });
}

void time_calls_after_a_pause(benchmark::State& state) {
  const GrpcServer server(GrpcAnswers::by_queue);
  Caller caller(server.connect());
  const grpc::ByteBuffer request = make_request(0);
  Timing timing = both_processes(server.peer());
  timing.duration = std::chrono::seconds{1};
  time_operations(state, timing, [&] {
    std::this_thread::sleep_for(kPause);
    const auto began = steady_clock::now();
    caller.call(request);
    return steady_clock::now() - began;
  });
}

void time_clients_of_grpc(benchmark::State& state) {
  const GrpcServer server(GrpcAnswers::by_callbacks);
  time_clients(state, server.peer(), [&] {
    auto caller = std::make_shared<Caller>(server.connect());
    return [caller, request = make_request(0)] { caller->call(request); };
  });
}

// Many calls
// -----------------------------------------------------------------------------------------------------------

/// Calls that begin again as soon as they are answered, until they are told to end. 4 KiB are copied in and out.
class CallsInFlight {
 public:
  CallsInFlight(const std::shared_ptr<grpc::Channel>& channel, std::size_t bytes) : stub_(channel), input_(bytes) {
    calls_.resize(kInFlight);
    for (Call& call : calls_) {
      call.output.resize(bytes);
      start(call);
    }
  }
  CallsInFlight(const CallsInFlight&) = delete;
  CallsInFlight& operator=(const CallsInFlight&) = delete;
  ~CallsInFlight() {
    std::unique_lock lock(mutex_);
    over_ = true;
    changed_.wait(lock, [&] { return running_ == 0; });
  }

  /// Returns when as many more have been answered.
  void wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    wanted_ += count;
    changed_.wait(lock, [&] { return answered_ >= wanted_ || failed_; });
    if (failed_) throw std::runtime_error("gRPC: a call failed");
  }

 private:
  struct Call {
    std::unique_ptr<grpc::ClientContext> context;
    grpc::ByteBuffer request, answer;
    std::vector<std::byte> output;
  };

  void start(Call& call) {
    {
      const std::lock_guard lock(mutex_);
      ++running_;
    }
    const grpc::Slice slice(input_.data(), input_.size());
    call.request = grpc::ByteBuffer(&slice, 1);
    call.answer.Clear();
    call.context = std::make_unique<grpc::ClientContext>();
    stub_.UnaryCall(call.context.get(), kGrpcMethod, {}, &call.request, &call.answer,
                    [this, &call](const grpc::Status& status) { end(call, status); });
  }

  void end(Call& call, const grpc::Status& status) {
    const bool right = status.ok() && call.answer.Length() == call.output.size();
    if (right) copy_out(call);
    bool again = false;
    {
      const std::lock_guard lock(mutex_);
      failed_ = failed_ || !right;
      again = !over_ && !failed_;
    }
    if (again) start(call);
    const std::lock_guard lock(mutex_);
    --running_;
    ++answered_;
    if (answered_ == wanted_ || failed_ || running_ == 0) changed_.notify_all();
  }

  static void copy_out(Call& call) {
    std::vector<grpc::Slice> slices;
    if (!call.answer.Dump(&slices).ok()) return;
    std::byte* to = call.output.data();
    for (const grpc::Slice& slice : slices) {
      std::memcpy(to, slice.begin(), slice.size());
      to += slice.size();
    }
  }

  grpc::GenericStub stub_;
  const std::vector<std::byte> input_;
  std::vector<Call> calls_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t running_ = 0;
  std::size_t answered_ = 0;
  std::size_t wanted_ = 0;
  bool over_ = false;
  bool failed_ = false;
};

void time_calls_in_flight(benchmark::State& state, std::size_t bytes) {
  constexpr std::size_t kAtATime = 10;
  const GrpcServer server(GrpcAnswers::by_callbacks);
  CallsInFlight calls(server.connect(), bytes);
  Timing timing = both_processes(server.peer());
  timing.duration = std::chrono::seconds{1};
  timing.batch = kInFlight * kAtATime;
  std::size_t operation = 0;
  time_operations(state, timing, [&] {
    if (++operation % (kInFlight * kAtATime) == 0) calls.wait_for(kInFlight * kAtATime);
  });
}

const bool registered = [] {
  for (const std::size_t bytes : {std::size_t{0}, 4 * kKiB, kMiB, 10 * kMiB}) {
    const std::string size = std::to_string(bytes);
    add_arm("call/grpc/" + size, [=](benchmark::State& state) { time_calls(state, bytes, GrpcAnswers::by_queue); });
    add_arm("call/grpc_looking/" + size,
            [=](benchmark::State& state) { time_calls(state, bytes, GrpcAnswers::by_looking); });
    add_arm("call/grpc_handed/" + size,
            [=](benchmark::State& state) { time_calls(state, bytes, GrpcAnswers::over_handed_sockets); });
    add_arm("call/grpc_whole/" + size, [=](benchmark::State& state) { time_calls_in_one_piece(state, bytes); });
  }
  add_arm("asleep/grpc", time_calls_after_a_pause);
  for (const std::size_t bytes : kInFlightBytes) {
    add_arm("in_flight/grpc/" + std::to_string(bytes),
            [=](benchmark::State& state) { time_calls_in_flight(state, bytes); });
  }
  add_arm("clients/grpc", time_clients_of_grpc);
  return true;
}();

}  // namespace
}  // namespace remotemedia::bench
