// SPDX-License-Identifier: Apache-2.0
//
// HttpServer: one address at which models are served.

#pragma once

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "remotemedia/base/mutex.h"
#include "remotemedia/http/http_connection.h"
#include "remotemedia/http/http_limits.h"
#include "remotemedia/http/routes.h"
#include "remotemedia/oip/bytes_in_flight.h"
#include "remotemedia/oip/served_models.h"
#include "remotemedia/oip/wire_address.h"
#include "remotemedia/platform/stream_listener.h"
#include "remotemedia/worker/wire_access.h"

namespace remotemedia::detail {

/// Threads:  any.
class HttpServer final : private ConnectionOwner {
 public:
  /// Errors:  platform::OsError, EADDRINUSE among them; invalid_argument for files of TLS that are none.
  HttpServer(const WireAddress& address, const WireAccess& access);
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Lets all clients go; answers that were given are on their way.
  ~HttpServer() override;

  int port() const noexcept { return port_; }
  const WireAccess& access() const noexcept { return access_; }

  /// Errors:  invalid_argument for a name that is there already.
  void add(const ServedWorker& worker);

  /// Waits until nobody uses it.
  void remove(const std::string& model_id) { models_.remove(model_id); }

 private:
  using Number = std::uint64_t;
  struct Entry {
    std::shared_ptr<HttpConnection> connection;
    std::optional<Number> waits_since;  ///< Its place in waiting_.
  };

  void accept();
  void let_all_go();
  void accepted(boost::system::error_code failure, boost::asio::ip::tcp::socket socket);
  void enter(boost::asio::ip::tcp::socket socket);

  std::optional<HttpResponse> refusal(const HttpRequest& head) const override { return routes_.refusal(head); }
  std::shared_ptr<PendingResponse> answer(HttpRequest&& request, const std::shared_ptr<Caller>& caller,
                                          Respond respond) override {
    return routes_.answer(request, caller, respond);
  }
  BytesInFlight& bytes_in_flight() noexcept override { return *bytes_in_flight_; }
  void waits(const HttpConnection& connection) override;
  void works(const HttpConnection& connection) override;
  void left(const HttpConnection& connection) override;
  void stop_waiting(Entry& entry) REMOTEMEDIA_REQUIRES(mutex_);

  const WireAccess access_;
  const std::size_t most_connections_ = std::min(kMostConnections, platform::most_handles() / 4);
  ServedModels models_;
  const Routes routes_{models_, access_};
  const std::shared_ptr<BytesInFlight> bytes_in_flight_ = std::make_shared<BytesInFlight>(kMostBytesInFlight);
  std::optional<boost::asio::ssl::context> tls_;
  const std::shared_ptr<boost::asio::io_context> io_ = std::make_shared<boost::asio::io_context>();
  boost::asio::strand<boost::asio::io_context::executor_type> strand_{io_->get_executor()};  ///< Of what follows.
  boost::asio::ip::tcp::acceptor acceptor_{strand_};
  boost::asio::steady_timer pause_{strand_};
  std::once_flag started_;
  int port_ = 0;

  Mutex mutex_;
  CondVar left_;
  bool ending_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;
  Number last_number_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;
  std::map<const HttpConnection*, Entry> connections_ REMOTEMEDIA_GUARDED_BY(mutex_);
  std::map<Number, const HttpConnection*> waiting_ REMOTEMEDIA_GUARDED_BY(mutex_);  ///< The longest first.

  std::vector<std::thread> threads_;
};

}  // namespace remotemedia::detail
