// SPDX-License-Identifier: Apache-2.0
//
// HttpConnection: one client's, request after request, until it goes or takes too long.

#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <optional>

#include "remotemedia/http/http_message.h"
#include "remotemedia/oip/bytes_in_flight.h"
#include "remotemedia/worker/request.h"

namespace remotemedia::detail {

/// Threads:  any.
class HttpConnection {
 public:
  HttpConnection() = default;
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;
  virtual ~HttpConnection() = default;

  virtual void start() = 0;

  /// At once where it waits for a request, and otherwise after its answer.
  virtual void end() = 0;

  /// At once.
  virtual void cut() = 0;
};

/// What a connection belongs to.
///
/// Threads:  any.
/// Lifetime: until its connections have left.
class ConnectionOwner {
 public:
  ConnectionOwner() = default;
  ConnectionOwner(const ConnectionOwner&) = delete;
  ConnectionOwner& operator=(const ConnectionOwner&) = delete;
  virtual ~ConnectionOwner() = default;

  /// Of a request whose body is not read yet: why it will not be.
  virtual std::optional<HttpResponse> refusal(const HttpRequest& head) const = 0;

  /// respond may come before this returns. None: it has, or nothing can be cancelled.
  virtual std::shared_ptr<PendingResponse> answer(HttpRequest&& request, const std::shared_ptr<Caller>& caller,
                                                  Respond respond) = 0;

  virtual BytesInFlight& bytes_in_flight() noexcept = 0;

  /// It waits for a request; it has one; it is over.
  virtual void waits(const HttpConnection& connection) = 0;
  virtual void works(const HttpConnection& connection) = 0;
  virtual void left(const HttpConnection& connection) = 0;
};

/// tls: none for plain text. Its executor runs one handler of the connection at a time.
///
/// Lifetime: `owner` and `tls` until it has left.
std::shared_ptr<HttpConnection> make_connection(boost::asio::ip::tcp::socket socket, boost::asio::ssl::context* tls,
                                                ConnectionOwner& owner, std::shared_ptr<void> executor_owner);

}  // namespace remotemedia::detail
