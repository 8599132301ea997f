// SPDX-License-Identifier: Apache-2.0

#include "grpc_server.h"

#include <grpcpp/create_channel_posix.h>
#include <grpcpp/generic/async_generic_service.h>

#include <chrono>
#include <filesystem>
#include <stdexcept>

#include "kept_memory.h"
#include "remotemedia/platform/stream_connection.h"
#include "remotemedia/platform/stream_listener.h"
#include "remotemedia/platform/waiting.h"

namespace remotemedia::bench {
namespace {

constexpr int kLargestFrame = (1 << 24) - 1;
constexpr int kCallsAwaited = 100;
constexpr std::chrono::system_clock::time_point kLongAgo{};

template <class SetInt>
void tune(SetInt set) {
  set(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, -1);
  set(GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, -1);
  set(GRPC_ARG_MINIMAL_STACK, 1);
  set(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, kLargestFrame);
  set(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 64 << 20);
  set(GRPC_ARG_HTTP2_WRITE_BUFFER_SIZE, 16 << 20);
  set(GRPC_ARG_TCP_READ_CHUNK_SIZE, 4 << 20);
  set(GRPC_ARG_TCP_MAX_READ_CHUNK_SIZE, 16 << 20);
}

std::unique_ptr<grpc::Server> start_without_port(grpc::ServerBuilder& builder, Wire& wire) {
  keep_memory();
  tune([&](const char* name, int value) { builder.AddChannelArgument(name, value); });
  auto server = builder.BuildAndStart();
  if (!server) throw std::runtime_error("gRPC cannot listen");
  wire.send(0);
  return server;
}

std::unique_ptr<grpc::Server> start(grpc::ServerBuilder& builder, Wire& wire) {
  builder.AddListeningPort(wire.receive_text(), grpc::InsecureServerCredentials());
  return start_without_port(builder, wire);
}

// By callbacks
// -----------------------------------------------------------------------------------------------------------

class Echo final : public grpc::ServerGenericBidiReactor {
 public:
  Echo() { StartRead(&bytes_); }

  void OnReadDone(bool ok) override {
    if (ok) {
      StartWriteAndFinish(&bytes_, {}, grpc::Status::OK);
    } else {
      Finish(grpc::Status::CANCELLED);
    }
  }
  void OnDone() override { delete this; }

 private:
  grpc::ByteBuffer bytes_;
};

class EchoService final : public grpc::CallbackGenericService {
 public:
  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext*) override { return new Echo; }
};

void answer_by_callbacks(Wire& wire) {
  EchoService service;
  grpc::ServerBuilder builder;
  builder.RegisterCallbackGenericService(&service);
  const auto server = start(builder, wire);
  wire.receive_number();  // it is killed
}
const PeerRole callbacks_role("grpc_callbacks", answer_by_callbacks);

// By a queue
// -----------------------------------------------------------------------------------------------------------

/// One call, from being awaited to its end.
class AwaitedCall {
 public:
  AwaitedCall(grpc::AsyncGenericService& service, grpc::ServerCompletionQueue& queue, bool whole)
      : service_(service), queue_(queue), whole_(whole) {
    service.RequestCall(&context_, &stream_, &queue, &queue, this);
  }

  /// After each step; deletes itself after the last.
  void go_on(bool ok) {
    if (step_ == Step::awaited && ok) {
      new AwaitedCall(service_, queue_, whole_);
      step_ = Step::read;
      stream_.Read(&bytes_, this);
    } else if (step_ == Step::read && ok) {
      step_ = Step::answered;
      if (whole_) bytes_ = in_one_piece(bytes_);
      stream_.WriteAndFinish(bytes_, {}, grpc::Status::OK, this);
    } else {
      delete this;
    }
  }

 private:
  enum class Step : std::uint8_t { awaited, read, answered };

  grpc::AsyncGenericService& service_;
  grpc::ServerCompletionQueue& queue_;
  const bool whole_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_{&context_};
  grpc::ByteBuffer bytes_;
  Step step_ = Step::awaited;
};

void answer_calls(grpc::AsyncGenericService& service, grpc::ServerCompletionQueue& queue_of_all, GrpcAnswers answers) {
  for (int i = 0; i < kCallsAwaited; ++i) new AwaitedCall(service, queue_of_all, answers == GrpcAnswers::in_one_piece);
  void* call = nullptr;
  bool ok = false;
  while (next_event(queue_of_all, answers == GrpcAnswers::by_looking, call, ok)) {  // until it is killed
    static_cast<AwaitedCall*>(call)->go_on(ok);
  }
}

void answer_by_queue_with(Wire& wire, GrpcAnswers answers) {
  grpc::AsyncGenericService service;
  grpc::ServerBuilder builder;
  builder.RegisterAsyncGenericService(&service);
  const auto queue = builder.AddCompletionQueue();
  const auto server = start(builder, wire);
  answer_calls(service, *queue, answers);
}

void answer_over_handed_sockets(Wire& wire) {
  using From = grpc::ServerBuilder::experimental_type::ExternalConnectionType;
  auto listener = platform::StreamListener::at_path(wire.receive_text());
  grpc::AsyncGenericService service;
  grpc::ServerBuilder builder;
  builder.RegisterAsyncGenericService(&service);
  const auto queue = builder.AddCompletionQueue();
  const auto acceptor =
      builder.experimental().AddExternalConnectionAcceptor(From::FROM_FD, grpc::InsecureServerCredentials());
  const auto server = start_without_port(builder, wire);
  const platform::NativeHandle socket = listener.sockets().front().get();
  platform::wait_for_any({&socket, 1}, TimePoint::max());
  grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters caller;
  caller.fd = static_cast<int>(listener.accept(listener.sockets().front()).release());
  acceptor->HandleNewConnection(&caller);
  answer_calls(service, *queue, GrpcAnswers::by_queue);
}
const PeerRole queue_role("grpc_queue", [](Wire& wire) { answer_by_queue_with(wire, GrpcAnswers::by_queue); });
const PeerRole looking_role("grpc_looking", [](Wire& wire) { answer_by_queue_with(wire, GrpcAnswers::by_looking); });
const PeerRole handed_role("grpc_handed", answer_over_handed_sockets);
const PeerRole whole_role("grpc_whole", [](Wire& wire) { answer_by_queue_with(wire, GrpcAnswers::in_one_piece); });

std::string role_of(GrpcAnswers answers) {
  switch (answers) {
    case GrpcAnswers::by_queue:
      return "grpc_queue";
    case GrpcAnswers::by_looking:
      return "grpc_looking";
    case GrpcAnswers::in_one_piece:
      return "grpc_whole";
    case GrpcAnswers::by_callbacks:
      return "grpc_callbacks";
    case GrpcAnswers::over_handed_sockets:
      return "grpc_handed";
  }
  throw std::logic_error("no way to answer");
}

}  // namespace

grpc::ByteBuffer in_one_piece(const grpc::ByteBuffer& bytes) {
  grpc::Slice whole;
  if (!bytes.DumpToSingleSlice(&whole).ok()) throw std::runtime_error("gRPC: bytes that cannot be read");
  return {&whole, 1};
}

bool next_event(grpc::CompletionQueue& queue, bool looking, void*& tag, bool& ok) {
  if (!looking) return queue.Next(&tag, &ok);
  auto status = grpc::CompletionQueue::TIMEOUT;
  while (status == grpc::CompletionQueue::TIMEOUT) status = queue.AsyncNext(&tag, &ok, kLongAgo);
  return status == grpc::CompletionQueue::GOT_EVENT;
}

GrpcServer::GrpcServer(GrpcAnswers answers)
    : peer_(role_of(answers), Peer::Cpu::any),
      handed_(answers == GrpcAnswers::over_handed_sockets),
      address_((handed_ ? "/tmp/remotemedia-bench-grpc-" : "unix-abstract:bench-") + std::to_string(peer_.process())) {
  keep_memory();
  peer_.wire().send(address_);
  peer_.wire().receive_number();
}

std::shared_ptr<grpc::Channel> GrpcServer::connect() const {
  grpc::ChannelArguments arguments;
  tune([&](const char* name, int value) { arguments.SetInt(name, value); });
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  if (handed_) {
    platform::OwnedHandle socket = platform::connect_stream(address_);
    std::filesystem::remove(address_);
    if (!socket) throw std::runtime_error("gRPC: no connection");
    return grpc::CreateCustomInsecureChannelFromFd(address_, static_cast<int>(socket.release()), arguments);
  }
  return grpc::CreateCustomChannel(address_, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace remotemedia::bench
