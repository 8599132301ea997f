// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/memory/exporter_link.h"

#include <exception>
#include <string>

#include "remotemedia/base/error.h"
#include "remotemedia/memory/broker_channel.h"
#include "remotemedia/memory/once_per_process.h"
#include "remotemedia/platform/monotonic_clock.h"

namespace remotemedia {
namespace {

constexpr TimePoint kNoWait{};  // long past

// Answers that an exporter may have in the queue, notes included, without finding it full: a broker closes whoever does
// not read, and with the connection go its holds.
constexpr std::size_t kMostUnanswered = 4;

struct Links {
  Mutex mutex;
  std::map<BrokerName, std::weak_ptr<ExporterLink>> links REMOTEMEDIA_GUARDED_BY(mutex);
};

constinit OncePerProcess<Links> all_links;

}  // namespace

std::shared_ptr<ExporterLink> ExporterLink::to(const BrokerName& broker) {
  Links& all = all_links.get();
  std::shared_ptr<ExporterLink> known;
  MutexLock lock(all.mutex);
  std::erase_if(all.links, [](const auto& one) { return one.second.expired(); });
  std::weak_ptr<ExporterLink>& place = all.links[broker];
  known = place.lock();
  if (known != nullptr && !known->is_over()) return known;
  auto link = std::make_shared<ExporterLink>(broker);
  place = link;
  return link;
}

ExporterLink::~ExporterLink() {
  // Also where a child, forked just when the channel was made, has a copy of it. In a child it is closed already.
  if (*channel_) channel_->shut_down();
}

bool ExporterLink::is_over() noexcept {
  MutexLock lock(mutex_);
  return over_;
}

void ExporterLink::set_over() noexcept {
  MutexLock lock(mutex_);
  over_ = true;
}

void ExporterLink::release(std::uint64_t hold) noexcept {
  MutexLock lock(mutex_);
  if (!sending_) send_releases();
  if (!sending_ && unsent_releases_.empty() && send_release(hold)) return;
  try {
    unsent_releases_.push_back(hold);
  } catch (const std::bad_alloc&) {
    return;  // the exporter keeps it until this link is closed
  }
}

bool ExporterLink::send_release(std::uint64_t hold) noexcept {
  try {
    const auto notice = with_header(ReleaseNotice{.header = {}, .hold = hold}, 0);
    return channel_->send(bytes_of(notice), {}, kNoWait);
  } catch (const std::exception&) {
    return false;
  }
}

void ExporterLink::send_releases() noexcept {
  while (!unsent_releases_.empty() && send_release(unsent_releases_.back())) unsent_releases_.pop_back();
}

ExporterLink::Turn::Turn(ExporterLink& link, TimePoint deadline) : link_(link), deadline_(deadline) {
  take_turn();
  try {
    if (!*link_.channel_ && !link_.is_over()) link_.channel_.set(connect_to_broker(link_.broker_, deadline_));
  } catch (...) {
    end_turn();
    throw;
  }
}

ExporterLink::Turn::~Turn() { end_turn(); }

void ExporterLink::Turn::take_turn() {
  MutexLock lock(link_.mutex_);
  while (link_.asking_) {
    if (monotonic_clock().now() >= deadline_) throw_no_answer();
    link_.changed_.wait_until(link_.mutex_, deadline_);
  }
  link_.asking_ = true;
}

void ExporterLink::Turn::end_turn() noexcept {
  MutexLock lock(link_.mutex_);
  link_.asking_ = false;
  link_.changed_.notify_all();
}

std::weak_ptr<const ImportedSegment>& ExporterLink::Turn::mapped(const Uuid& segment, platform::Access access) {
  std::erase_if(link_.segments_, [](const auto& one) { return one.second.expired(); });
  return link_.segments_[{segment, access}];
}

std::optional<platform::Message> ExporterLink::Turn::exchange(std::span<const std::byte> request,
                                                              std::uint64_t number) {
  if (link_.is_over()) return std::nullopt;
  try {
    platform::Message message;
    while (link_.unanswered_.size() >= kMostUnanswered) {
      if (!receive(message)) return std::nullopt;
      take_late_answer(message);
    }
    link_.unanswered_.insert(number);
    if (!send(request)) {
      link_.unanswered_.erase(number);
      if (monotonic_clock().now() >= deadline_) throw_no_answer();
      link_.set_over();
      return std::nullopt;
    }
    while (receive(message)) {
      if (read_message_header(message.bytes).request == number) {
        link_.unanswered_.erase(number);
        return message;
      }
      take_late_answer(message);
    }
    return std::nullopt;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::protocol_error) link_.set_over();
    throw;
  }
}

/// False if the exporter has closed the connection.
bool ExporterLink::Turn::receive(platform::Message& message) {
  switch (link_.channel_->receive(message, deadline_)) {
    case platform::DescriptorChannel::Received::message:
      return true;
    case platform::DescriptorChannel::Received::closed:
      link_.set_over();
      return false;
    case platform::DescriptorChannel::Received::nothing:
      break;
  }
  throw_no_answer();
}

/// Of a request that was given up: what it holds is released.
void ExporterLink::Turn::take_late_answer(const platform::Message& message) {
  const ExportMessageHeader header = read_message_header(message.bytes);
  if (link_.unanswered_.erase(header.request) == 0) {
    throw Error(ErrorCode::protocol_error, "the exporter answers what was not asked");
  }
  if (header.kind == static_cast<std::uint16_t>(ExportMessage::opened)) {
    link_.release(read_opened_answer(message.bytes).answer.hold);
  }
}

bool ExporterLink::Turn::send(std::span<const std::byte> request) {
  {
    MutexLock lock(link_.mutex_);
    link_.send_releases();
    if (link_.channel_->send(request, {}, kNoWait)) return true;
    link_.sending_ = true;
  }
  struct Sending {
    explicit Sending(ExporterLink& link) : link_(link) {}
    Sending(const Sending&) = delete;
    Sending& operator=(const Sending&) = delete;
    ~Sending() {
      MutexLock lock(link_.mutex_);
      link_.sending_ = false;
      link_.send_releases();
    }
    ExporterLink& link_;
  } const sending(link_);
  return link_.channel_->send(request, {}, deadline_);
}

}  // namespace remotemedia
