// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/http/http_server.h"

#include <boost/asio/post.hpp>
#include <chrono>
#include <exception>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/base/log.h"
#include "remotemedia/http/http_limits.h"
#include "remotemedia/platform/os_error.h"

namespace remotemedia::detail {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using Failure = boost::system::error_code;

constexpr unsigned kThreads = 2;
constexpr std::chrono::milliseconds kToLeave{500};
constexpr std::chrono::milliseconds kUntilDescriptorsAreFree{100};

void run(asio::io_context& io) noexcept {
  for (;;) {
    try {
      io.run();
      return;
    } catch (const std::exception& error) {
      // Of one connection, which is gone with it: memory, where a stranger wants much.
      log(LogLevel::warning, std::string("a client of HTTP was let go: ") + error.what());
    }
  }
}

tcp::endpoint resolved(asio::io_context& io, const WireAddress& address) {
  const bool bracketed = address.host.starts_with('[');
  const std::string host = bracketed ? address.host.substr(1, address.host.size() - 2) : address.host;
  Failure failure;
  tcp::resolver resolver(io);
  const auto found = resolver.resolve(host, address.port, tcp::resolver::passive, failure);
  if (!failure && !found.empty()) return found.begin()->endpoint();
  throw Error(ErrorCode::invalid_argument, "the host '" + address.host + "' is not known: " + failure.message());
}

asio::ssl::context tls_context(const TlsConfig& tls) {
  asio::ssl::context context(asio::ssl::context::tls_server);
  context.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                      asio::ssl::context::no_tlsv1_1);
  Failure failure;
  context.use_certificate_chain_file(tls.certificate, failure);
  if (!failure) context.use_private_key_file(tls.key, asio::ssl::context::pem, failure);
  if (failure) {
    throw Error(ErrorCode::invalid_argument, "the TLS certificate '" + tls.certificate + "' and the key '" + tls.key +
                                                 "' are no pair that can be used: " + failure.message());
  }
  if (tls.ca.empty()) return context;
  context.load_verify_file(tls.ca, failure);
  if (failure) {
    throw Error(ErrorCode::invalid_argument, "the TLS file '" + tls.ca + "' cannot be read, or is not in PEM");
  }
  context.set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert);
  return context;
}

}  // namespace

HttpServer::HttpServer(const WireAddress& address, const WireAccess& access) : access_(access) {
  if (access_.tls) tls_.emplace(tls_context(*access_.tls));
  const tcp::endpoint endpoint = resolved(*io_, address);
  Failure failure;
  const auto check = [&](const char* what) {
    if (failure) throw platform::OsError(what, failure.value(), "listen at " + address.text());
  };
  acceptor_.open(endpoint.protocol(), failure);
  check("socket");
  acceptor_.set_option(tcp::acceptor::reuse_address(true), failure);
  check("setsockopt");
  acceptor_.bind(endpoint, failure);
  check("bind");
  acceptor_.listen(tcp::acceptor::max_listen_connections, failure);
  check("listen");
  port_ = acceptor_.local_endpoint().port();
}

void HttpServer::add(const ServedWorker& worker) {
  models_.add(worker);
  // Calls come in with the first model: those that came before wait for it.
  std::call_once(started_, [this] {
    asio::post(strand_, [this] { accept(); });
    for (unsigned i = 0; i < kThreads; ++i) threads_.emplace_back([io = io_] { run(*io); });
  });
}

void HttpServer::accept() {
  acceptor_.async_accept(asio::make_strand(*io_),
                         [this](Failure failure, tcp::socket socket) { accepted(failure, std::move(socket)); });
}

void HttpServer::accepted(Failure failure, tcp::socket socket) {
  if (!acceptor_.is_open()) return;
  if (!failure) {
    enter(std::move(socket));
    accept();
    return;
  }
  pause_.expires_after(kUntilDescriptorsAreFree);
  pause_.async_wait([this](Failure stopped) {
    if (!stopped && acceptor_.is_open()) accept();
  });
}

void HttpServer::enter(tcp::socket socket) {
  std::shared_ptr<HttpConnection> entered = make_connection(std::move(socket), tls_ ? &*tls_ : nullptr, *this, io_);
  std::shared_ptr<HttpConnection> shed;
  {
    MutexLock lock(mutex_);
    if (ending_) return;
    if (connections_.size() >= most_connections_) {
      if (waiting_.empty()) return;
      shed = connections_.at(waiting_.begin()->second).connection;
      waiting_.erase(waiting_.begin());
      connections_.at(shed.get()).waits_since = std::nullopt;
    }
    connections_[entered.get()].connection = entered;
  }
  if (shed != nullptr) shed->cut();
  entered->start();
}

void HttpServer::waits(const HttpConnection& connection) {
  MutexLock lock(mutex_);
  const auto found = connections_.find(&connection);
  if (found == connections_.end()) return;
  stop_waiting(found->second);
  found->second.waits_since = ++last_number_;
  waiting_[last_number_] = &connection;
}

void HttpServer::works(const HttpConnection& connection) {
  MutexLock lock(mutex_);
  const auto found = connections_.find(&connection);
  if (found != connections_.end()) stop_waiting(found->second);
}

void HttpServer::left(const HttpConnection& connection) {
  std::shared_ptr<HttpConnection> kept;  // ends without the mutex
  MutexLock lock(mutex_);
  const auto found = connections_.find(&connection);
  if (found == connections_.end()) return;
  stop_waiting(found->second);
  kept = std::move(found->second.connection);
  connections_.erase(found);
  left_.notify_all();
}

void HttpServer::stop_waiting(Entry& entry) {
  if (entry.waits_since) waiting_.erase(*entry.waits_since);
  entry.waits_since = std::nullopt;
}

HttpServer::~HttpServer() {
  try {
    let_all_go();
  } catch (...) {
    io_->stop();  // without memory to ask them
  }
  for (std::thread& thread : threads_) thread.join();
}

void HttpServer::let_all_go() {
  asio::post(strand_, [this] {
    Failure ignored;
    acceptor_.close(ignored);
    pause_.cancel();
  });
  std::vector<std::shared_ptr<HttpConnection>> all;
  {
    MutexLock lock(mutex_);
    ending_ = true;
    for (const auto& [key, entry] : connections_) all.push_back(entry.connection);
    for (const auto& connection : all) connection->end();
    const auto deadline = std::chrono::steady_clock::now() + kToLeave;
    while (!connections_.empty() && std::chrono::steady_clock::now() < deadline) left_.wait_until(mutex_, deadline);
  }
  for (const auto& connection : all) connection->cut();
  if (threads_.empty()) run(*io_);
}

}  // namespace remotemedia::detail
