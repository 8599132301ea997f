// SPDX-License-Identifier: Apache-2.0
//
// worker_counts: what does not depend on the day, as JSON. What a worker and its client do while nobody calls, and how
// much memory a large model takes for three processes that use it.

#include <signal.h>
#include <time.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

#include "peer.h"
#include "remotemedia/worker/model_worker_client.h"
#include "served_model.h"

namespace remotemedia::bench {
namespace {

constexpr std::chrono::seconds kIdle{10};
constexpr std::chrono::milliseconds kUntilAsleep{200};
constexpr std::int64_t kElements = 1024;

/// Calls a worker once, and stays.
void call_once(Wire& wire) {
  ModelWorkerClient client = ModelWorkerClient::connect(wire.receive_text());
  const TensorMap outputs = client.infer({{"x", client.allocate({kElements}, DataType::float32)}});
  wire.send(outputs.size());
  wire.receive_number();
}
const PeerRole client_role("client", call_once);

/// Loads the model itself, runs it once, and stays.
void load(Wire& wire) {
  const auto model = make_model(wire.receive_text());
  InferenceContext context({});
  const TensorMap outputs = model->infer({{"x", TensorBuffer::allocate({kElements}, DataType::float32)}}, context);
  wire.send(outputs.size());
  wire.receive_number();
}
const PeerRole loader_role("loader", load);

void start(std::list<Peer>& peers, std::string_view role, std::string_view text) {
  Peer& peer = peers.emplace_back(role, Peer::Cpu::any);
  peer.wire().send(text);
  if (peer.wire().receive_number() != 1) throw std::runtime_error("the model gave something else");
}

/// The number behind `name` in a file of /proc.
double number_in(const std::string& file, std::string_view name) {
  std::ifstream lines(file);
  std::string word;
  while (lines >> word) {
    if (word != name) continue;
    double number = 0;
    lines >> number;
    return number;
  }
  throw std::runtime_error(file + " has no " + std::string(name));
}

std::string folder_of(pid_t process) { return "/proc/" + std::to_string(process); }

double pss_bytes(pid_t process) { return 1024 * number_in(folder_of(process) + "/smaps_rollup", "Pss:"); }

/// How often threads of a process went to sleep, so far: as often as they woke up.
double sleeps(pid_t process) {
  double all = 0;
  for (const auto& thread : std::filesystem::directory_iterator(folder_of(process) + "/task")) {
    all += number_in(thread.path() / "status", "voluntary_ctxt_switches:");
  }
  return all;
}

double cpu_ns(pid_t process) {
  clockid_t clock{};
  timespec time{};
  if (clock_getcpuclockid(process, &clock) != 0) throw std::runtime_error("a process has no clock");
  checked(clock_gettime(clock, &time), "clock_gettime");
  return 1e9 * static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec);
}

void count_idle() {
  const ServedModel model("touch");
  std::list<Peer> clients;
  start(clients, "client", model.endpoint());
  std::this_thread::sleep_for(kUntilAsleep);

  struct Watched {
    const char* name;
    pid_t process;
    double sleeps_before = sleeps(process);
    double cpu_before = cpu_ns(process);
  };
  const Watched all[] = {{"idle/worker", model.peer().process()}, {"idle/client", clients.front().process()}};
  std::this_thread::sleep_for(kIdle);
  const char* separator = "[";
  for (const Watched& watched : all) {
    std::cout << separator << R"({"name": ")" << watched.name << R"(", "seconds": )" << kIdle.count()
              << R"(, "wakeups": )" << sleeps(watched.process) - watched.sleeps_before << R"(, "cpu_ns": )"
              << cpu_ns(watched.process) - watched.cpu_before << '}';
    separator = ",\n";
  }
  std::cout << "]\n";
}

double pss_of_all(const std::list<Peer>& peers) {
  double all = 0;
  for (const Peer& peer : peers) all += pss_bytes(peer.process());
  return all;
}

double shared_footprint(int clients) {
  const ServedModel model("large");
  std::list<Peer> peers;
  for (int i = 0; i < clients; ++i) start(peers, "client", model.endpoint());
  return pss_bytes(model.peer().process()) + pss_of_all(peers);
}

double loaded_footprint(int processes) {
  std::list<Peer> peers;
  for (int i = 0; i < processes; ++i) start(peers, "loader", "large");
  return pss_of_all(peers);
}

void count_footprint() {
  std::cout << std::fixed << R"([{"name": "footprint/one_worker_three_clients", "pss_bytes": )" << shared_footprint(3)
            << "},\n"
            << R"({"name": "footprint/loaded_once", "pss_bytes": )" << loaded_footprint(1) << "},\n"
            << R"({"name": "footprint/loaded_three_times", "pss_bytes": )" << loaded_footprint(3) << "}]\n";
}

}  // namespace
}  // namespace remotemedia::bench

int main(int argc, char** argv) {
  if (remotemedia::bench::was_peer(argc, argv)) return 0;
  const std::string_view what = argc == 2 ? argv[1] : "";
  if (what == "idle") {
    remotemedia::bench::count_idle();
  } else if (what == "footprint") {
    remotemedia::bench::count_footprint();
  } else {
    std::cerr << "worker_counts idle|footprint\n";
    return 2;
  }
  return 0;
}
