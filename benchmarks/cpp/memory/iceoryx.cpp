// SPDX-License-Identifier: Apache-2.0
//
// The same hand-off with iceoryx 2.0.3, where Debian's packages are installed: loan, publish, take and release in each
// direction, both sides polling. Its daemon, RouDi, is started for the arms and ended by its process id.

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iceoryx_posh/popo/untyped_publisher.hpp>
#include <iceoryx_posh/popo/untyped_subscriber.hpp>
#include <iceoryx_posh/runtime/posh_runtime.hpp>
#include <stdexcept>
#include <string>
#include <thread>

#include "peer.h"
#include "sizes.h"
#include "timing.h"

extern char** environ;

namespace remotemedia::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kAnswerBytes = 64;
constexpr std::uint64_t kLast = 1;

/// RouDi with room for two of the largest tensors.
class Daemon {
 public:
  Daemon() {
    std::string folder = std::filesystem::temp_directory_path() / "bench-XXXXXX";
    if (mkdtemp(folder.data()) == nullptr) throw std::runtime_error("no folder for RouDi's configuration");
    folder_ = folder;
    const std::string file = folder_ / "roudi.toml";
    std::ofstream config(file);
    config << "[general]\nversion = 1\n[[segment]]\n";
    for (const std::size_t bytes : kTensorBytes) {
      if (bytes <= kMostBytes) config << "[[segment.mempool]]\nsize = " << bytes + 256 << "\ncount = " << 4 << '\n';
    }
    config.close();

    std::array<std::string, 7> words{"iox-roudi", "-m", "off", "-l", "error", "-c", file};
    std::array<char*, 8> arguments{};
    for (std::size_t i = 0; i < words.size(); ++i) arguments[i] = words[i].data();
    std::array<int, 2> output{};
    checked(pipe(output.data()), "pipe");
    output_ = Descriptor(output[0]);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, output[1], 1);
    posix_spawn_file_actions_addclose(&actions, output[0]);
    const int error = posix_spawnp(&process_, "iox-roudi", &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(output[1]);
    if (error != 0) throw std::runtime_error("iox-roudi cannot be started");
    std::string said;
    while (said.find("RouDi is ready for clients") == std::string::npos) {
      std::array<char, 256> part{};
      const long got = read(output_.get(), part.data(), part.size());
      if (got <= 0) throw std::runtime_error("iox-roudi ended: " + said);
      said.append(part.data(), static_cast<std::size_t>(got));
    }
  }
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  ~Daemon() {
    kill(process_, SIGTERM);
    waitpid(process_, nullptr, 0);
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  static constexpr std::size_t kMostBytes = 100 * kMiB;

 private:
  std::filesystem::path folder_;
  Descriptor output_;  // open as long as it may write
  pid_t process_ = 0;
};

/// One side: what it publishes, and what it is subscribed to.
class Side {
 public:
  Side(std::size_t bytes, const char* ours, const char* theirs)
      : publisher_({"bench", name(bytes), name(ours)}), subscriber_({"bench", name(bytes), name(theirs)}) {
    while (!publisher_.hasSubscribers() || subscriber_.getSubscriptionState() != iox::SubscribeState::SUBSCRIBED) {
      std::this_thread::sleep_for(1ms);
    }
  }

  void publish(std::size_t bytes, std::uint64_t first_word) {
    void* chunk = nullptr;
    publisher_.loan(static_cast<std::uint32_t>(bytes)).and_then([&](void* loaned) { chunk = loaned; });
    if (chunk == nullptr) throw std::runtime_error("iceoryx lends no memory");
    *static_cast<std::uint64_t*>(chunk) = first_word;
    publisher_.publish(chunk);
  }

  /// Returns the first word.
  std::uint64_t take() {
    const void* chunk = nullptr;
    for (;;) {
      subscriber_.take().and_then([&](const void* taken) { chunk = taken; });
      if (chunk != nullptr) break;
      pause_briefly();
    }
    const std::uint64_t first_word = *static_cast<const std::uint64_t*>(chunk);
    subscriber_.release(chunk);
    return first_word;
  }

 private:
  static iox::capro::IdString_t name(const std::string& text) { return {iox::cxx::TruncateToCapacity, text}; }
  static iox::capro::IdString_t name(std::size_t bytes) { return name(std::to_string(bytes)); }

  iox::popo::UntypedPublisher publisher_;
  iox::popo::UntypedSubscriber subscriber_;
};

void join_iceoryx() {
  const std::string name = "bench-" + std::to_string(getpid());
  iox::runtime::PoshRuntime::initRuntime({iox::cxx::TruncateToCapacity, name});
}

void answer(Wire& wire) {
  join_iceoryx();
  Side side(wire.receive_number(), "answer", "tensor");
  while (side.take() != kLast) side.publish(kAnswerBytes, 0);
}
const PeerRole role("iceoryx", answer);

void time_iceoryx(benchmark::State& state, std::size_t bytes) {
  static const Daemon daemon;
  static const bool joined = (join_iceoryx(), true);
  static_cast<void>(joined);
  Peer peer("iceoryx");
  peer.wire().send(bytes);
  Side side(bytes, "tensor", "answer");
  const PinnedTo pinned(0);
  time_operations(state, both_processes(peer), [&] {
    side.publish(bytes, 0);
    side.take();
  });
  side.publish(bytes, kLast);
  peer.wait_for_its_end();  // RouDi does not end well with a client that was killed
}

const bool registered = [] {
  for (const std::size_t bytes : kTensorBytes) {
    if (bytes == 0 || bytes > Daemon::kMostBytes) continue;
    add_arm("handoff/iceoryx/" + std::to_string(bytes), [=](benchmark::State& state) { time_iceoryx(state, bytes); });
  }
  return true;
}();

}  // namespace
}  // namespace remotemedia::bench
