// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/http/http_connection.h"

#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <chrono>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "remotemedia/http/error_response.h"
#include "remotemedia/http/http_limits.h"
#include "remotemedia/http/whole_number.h"
#include "remotemedia/oip/heap_caller.h"
#include "remotemedia/oip/received_memory.h"

namespace remotemedia::detail {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Failure = beast::error_code;
using Parser = http::request_parser<http::string_body>;

constexpr std::chrono::seconds kTimeToRead{5};  // an answer to a request that was not read to its end

/// Beast reads as much at once as its buffer has room for, which is 512 bytes unless somebody says more.
constexpr std::size_t kHeadPiece = 4 << 10;
constexpr std::size_t kChunkedPiece = 64 << 10;

/// At once, where Asio would take 64 KiB. Who sends and who reads is woken for each piece.
constexpr std::size_t kPiece = 4 << 20;
std::size_t large_pieces(Failure failure, std::size_t /*done*/) { return failure ? 0 : kPiece; }

std::chrono::seconds time_for(std::uint64_t bytes) { return kTimeForBytes * (1 + bytes / kSlowestBytes); }

std::string head_of(const HttpResponse& response, std::uint64_t bytes, bool keep_alive) {
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + " ";
  head += std::string(http::obsolete_reason(static_cast<http::status>(response.status)));
  head += "\r\nContent-Type: " + response.content_type;
  head += "\r\nContent-Length: " + std::to_string(bytes);
  if (!response.elements.empty()) {
    head += "\r\nInference-Header-Content-Length: " + std::to_string(response.text.size());
  }
  if (response.retry_after_seconds) head += "\r\nRetry-After: " + std::to_string(*response.retry_after_seconds);
  if (response.status == 401) head += "\r\nWWW-Authenticate: Bearer";
  head += keep_alive ? "\r\n\r\n" : "\r\nConnection: close\r\n\r\n";
  return head;
}

std::string field(const Parser::value_type& message, std::string_view name) {
  return std::string(message[beast::string_view(name.data(), name.size())]);
}

/// All lines of this name as the one list that they are.
std::string list_field(const Parser::value_type& message, std::string_view name) {
  std::string list;
  const auto [first, last] = message.equal_range(beast::string_view(name.data(), name.size()));
  for (auto line = first; line != last; ++line) {
    if (!list.empty()) list += ',';
    list.append(line->value().data(), line->value().size());
  }
  return list;
}

/// Without its body.
HttpRequest request_of(const Parser::value_type& message) {
  HttpRequest request;
  const std::string target(message.target());
  const std::size_t mark = target.find('?');
  request.method = std::string(message.method_string());
  request.path = target.substr(0, mark);
  if (mark != std::string::npos) request.query = target.substr(mark + 1);
  request.authorization = field(message, "Authorization");
  request.content_encoding = field(message, "Content-Encoding");
  request.json_bytes = field(message, "Inference-Header-Content-Length");
  request.traceparent = list_field(message, "traceparent");
  request.tracestate = list_field(message, "tracestate");
  return request;
}

/// Stream: beast::tcp_stream, or TLS over one.
template <class Stream>
class Connection final : public HttpConnection, public std::enable_shared_from_this<Connection<Stream>> {
 public:
  template <class... Arguments>
  Connection(ConnectionOwner& owner, std::shared_ptr<void> executor_owner, Arguments&&... arguments)
      : executor_owner_(std::move(executor_owner)), owner_(owner), stream_(std::forward<Arguments>(arguments)...) {}

  void start() override { post(&Connection::handshake); }
  void end() override { post(&Connection::end_soon); }
  void cut() override { post(&Connection::leave); }

 private:
  static constexpr bool kEncrypted = !std::is_same_v<Stream, beast::tcp_stream>;

  beast::tcp_stream& socket() noexcept { return beast::get_lowest_layer(stream_); }

  void post(void (Connection::*what)()) {
    asio::post(stream_.get_executor(), [self = this->shared_from_this(), what] { ((*self).*what)(); });
  }

  auto then(void (Connection::*what)(Failure)) {
    return [self = this->shared_from_this(), what](Failure failure, auto... /*bytes*/) { ((*self).*what)(failure); };
  }

  void handshake() {
    owner_.waits(*this);
    Failure ignored;
    socket().socket().set_option(asio::ip::tcp::no_delay(true), ignored);
    socket().socket().non_blocking(true, ignored);
    if constexpr (kEncrypted) {
      socket().expires_after(kTimeForHead);
      stream_.async_handshake(asio::ssl::stream_base::server, then(&Connection::shook_hands));
    } else {
      read_head();
    }
  }

  void shook_hands(Failure failure) {
    if (failure) return leave();
    read_head();
  }

  void read_head() {
    if (ending_) return leave();
    parser_.emplace();
    parser_->header_limit(kMostHeaderBytes);
    parser_->body_limit(kMostBodyBytes);
    owner_.waits(*this);
    buffer_.reserve(kHeadPiece);
    socket().expires_after(kTimeForHead);
    http::async_read_header(stream_, buffer_, *parser_, then(&Connection::got_head));
  }

  void got_head(Failure failure) {
    owner_.works(*this);
    if (failure == http::error::end_of_stream) return leave();
    if (failure) return refuse(failure);
    request_ = request_of(parser_->get());
    if (auto refusal = owner_.refusal(request_)) return refuse(std::move(*refusal));
    const auto length = parser_->content_length();
    if (!length) parser_->body_limit(kMostChunkedBytes);
    const std::uint64_t bytes = length ? *length : parser_->chunked() ? kMostChunkedBytes : 0;
    const std::uint64_t json_bytes = whole_number(request_.json_bytes).value_or(length ? bytes : 0);
    if (json_bytes > kMostJsonBytes) {
      return refuse(error_response(413, "the JSON of the request is larger than " + std::to_string(kMostJsonBytes) +
                                            " bytes: send the elements as binary data"));
    }
    // What the JSON becomes is beside it for a while.
    share_ = owner_.bytes_in_flight().take(bytes + kJsonGrows * json_bytes);
    if (bytes > 0 && !share_) {
      return refuse(error_response(429, "the requests under way hold all the memory that there is for them"));
    }
    socket().expires_after(time_for(bytes));
    if (field(parser_->get(), "Expect") == "100-continue") {
      static constexpr std::string_view kGoOn = "HTTP/1.1 100 Continue\r\n\r\n";
      asio::async_write(stream_, asio::buffer(kGoOn), then(&Connection::read_body));
    } else {
      read_body({});
    }
  }

  void read_body(Failure failure) {
    if (failure) return leave();
    const auto length = parser_->content_length();
    if (!length) {
      buffer_.reserve(kChunkedPiece);
      return http::async_read(stream_, buffer_, *parser_, then(&Connection::got_chunks));
    }
    const auto bytes = static_cast<std::size_t>(*length);
    std::shared_ptr<std::byte> memory;
    try {
      memory = received_memory(bytes);
    } catch (const std::bad_alloc&) {
      return refuse(error_response(429, "there is no memory for a body of " + std::to_string(bytes) + " bytes"));
    }
    request_.body = {reinterpret_cast<const char*>(memory.get()), bytes};
    request_.body_owner = memory;
    const std::size_t there = asio::buffer_copy(asio::buffer(memory.get(), bytes), buffer_.data());
    buffer_.consume(there);
    if (there == bytes) return got_request();
    asio::async_read(stream_, asio::buffer(memory.get(), bytes) + there, large_pieces, then(&Connection::got_body));
  }

  void got_body(Failure failure) {
    if (failure == asio::error::eof) return refuse(Failure(http::error::partial_message));
    if (failure) return leave();
    got_request();
  }

  void got_chunks(Failure failure) {
    if (failure) return refuse(failure);
    const auto body = std::make_shared<const std::string>(std::move(parser_->get().body()));
    request_.body = *body;
    request_.body_owner = body;
    got_request();
  }

  void got_request() {
    socket().expires_never();
    keeps_alive_ = parser_->keep_alive();
    headless_ = request_.method == "HEAD";
    if (headless_) request_.method = "GET";
    const auto round = ++round_;
    watch(round);
    auto pending = owner_.answer(std::exchange(request_, {}), caller_,
                                 [weak = this->weak_from_this(), executor = stream_.get_executor(),
                                  owner = executor_owner_, round](MakeResponse make) {
                                   asio::post(executor, [weak, round, make = std::move(make)] {
                                     if (const auto self = weak.lock()) self->answered(round, make);
                                   });
                                 });
    pending_ = std::move(pending);
  }

  /// Hears when the client goes while its call is under way.
  void watch(std::uint64_t round) {
    socket().socket().async_wait(asio::ip::tcp::socket::wait_read,
                                 [self = this->shared_from_this(), round](Failure failure) {
                                   if (!failure && self->round_ == round && self->waits_for_answer_) self->look();
                                 });
    waits_for_answer_ = true;
  }

  void look() {
    Failure failure;
    std::array<char, 1> byte{};
    socket().socket().receive(asio::buffer(byte), asio::ip::tcp::socket::message_peek, failure);
    if (failure == asio::error::would_block) return watch(round_);  // it was told what had been read already
    if (failure) leave();
  }

  void answered(std::uint64_t round, const MakeResponse& make) {
    if (round != round_ || !waits_for_answer_) return;
    waits_for_answer_ = false;
    pending_ = nullptr;
    if (!socket().socket().is_open()) return;
    Failure ignored;
    socket().socket().cancel(ignored);
    write(make());
  }

  void refuse(Failure failure) {
    if (failure == http::error::header_limit) {
      return refuse(error_response(431, "the head of the request is larger than " + std::to_string(kMostHeaderBytes)));
    }
    if (failure == http::error::body_limit) {
      return refuse(error_response(413, "the body of the request is larger than " + std::to_string(kMostBodyBytes)));
    }
    if (failure.category() != make_error_code(http::error::bad_target).category()) return leave();
    refuse(error_response(400, "this is no request of HTTP/1.1: " + failure.message()));
  }

  /// And reads no more.
  void refuse(HttpResponse&& refusal) {
    keeps_alive_ = false;
    unread_ = true;
    headless_ = false;
    write(std::move(refusal));
  }

  void write(HttpResponse response) {
    response_ = std::move(response);
    std::uint64_t bytes = response_.text.size();
    for (const TensorBuffer& tensor : response_.elements) bytes += tensor.nbytes();
    head_ = head_of(response_, bytes, keeps_alive_ && !ending_);
    std::vector<asio::const_buffer> parts{asio::buffer(head_)};
    if (!headless_) {
      parts.emplace_back(asio::buffer(response_.text));
      for (const TensorBuffer& tensor : response_.elements) parts.emplace_back(tensor.data(), tensor.nbytes());
    }
    socket().expires_after(time_for(bytes));
    asio::async_write(stream_, parts, large_pieces, then(&Connection::wrote));
  }

  void wrote(Failure failure) {
    response_ = {};
    share_ = {};
    if (failure) return leave();
    if (keeps_alive_ && !ending_) return read_head();
    if (!unread_) return leave();
    Failure ignored;
    socket().socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    socket().expires_after(kTimeToRead);
    drop_rest({});
  }

  /// So that the client can read why, before it hears that nobody reads.
  void drop_rest(Failure failure) {
    if (failure) return leave();
    socket().async_read_some(asio::buffer(dropped_), then(&Connection::drop_rest));
  }

  void end_soon() {
    ending_ = true;
    if (parser_ && !parser_->is_header_done() && !waits_for_answer_) leave();
  }

  void leave() {
    if (left_) return;
    left_ = true;
    waits_for_answer_ = false;
    if (pending_ != nullptr) std::exchange(pending_, nullptr)->cancel();
    socket().close();
    owner_.left(*this);
  }

  const std::shared_ptr<void> executor_owner_;
  ConnectionOwner& owner_;
  Stream stream_;
  const std::shared_ptr<Caller> caller_ = std::make_shared<HeapCaller>("http");
  beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  HttpRequest request_;
  BytesInFlight::Share share_;
  std::shared_ptr<PendingResponse> pending_;
  HttpResponse response_;
  std::string head_;
  std::array<char, 4096> dropped_{};
  std::uint64_t round_ = 0;  // of the request
  bool waits_for_answer_ = false;
  bool keeps_alive_ = false;
  bool headless_ = false;
  bool unread_ = false;
  bool ending_ = false;
  bool left_ = false;
};

}  // namespace

std::shared_ptr<HttpConnection> make_connection(asio::ip::tcp::socket socket, asio::ssl::context* tls,
                                                ConnectionOwner& owner, std::shared_ptr<void> executor_owner) {
  if (tls == nullptr) {
    return std::make_shared<Connection<beast::tcp_stream>>(owner, std::move(executor_owner), std::move(socket));
  }
  return std::make_shared<Connection<beast::ssl_stream<beast::tcp_stream>>>(owner, std::move(executor_owner),
                                                                            std::move(socket), *tls);
}

}  // namespace remotemedia::detail
