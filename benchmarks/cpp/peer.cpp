// SPDX-License-Identifier: Apache-2.0

#include "peer.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <map>
#include <optional>
#include <stdexcept>
#include <system_error>

#include "disturbance.h"

extern char** environ;

namespace remotemedia::bench {
namespace {

constexpr int kInheritedSocket = 3;

using Serve = void (*)(Wire&);

std::map<std::string, Serve, std::less<>>& roles() {
  static std::map<std::string, Serve, std::less<>> map;
  return map;
}

}  // namespace

long checked(long result, const char* call) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), call);
  return result;
}

Descriptor::~Descriptor() {
  if (number_ >= 0) close(number_);
}

Pages::Pages(int memory, std::size_t bytes, bool writable) : size_(bytes) {
  void* const address = mmap(nullptr, bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, memory, 0);
  if (address == MAP_FAILED) checked(-1, "mmap");
  data_ = static_cast<std::byte*>(address);
  checked(madvise(address, bytes, writable ? MADV_POPULATE_WRITE : MADV_POPULATE_READ), "madvise");
}

Pages::~Pages() { munmap(data_, size_); }

Descriptor make_memory(std::size_t bytes) {
  Descriptor memory(static_cast<int>(checked(memfd_create("bench", MFD_CLOEXEC), "memfd_create")));
  checked(ftruncate(memory.get(), static_cast<off_t>(bytes)), "ftruncate");
  return memory;
}

void Wire::send(std::uint64_t number, int descriptor) {
  iovec bytes{&number, sizeof number};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> room{};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  if (descriptor >= 0) {
    message.msg_control = room.data();
    message.msg_controllen = room.size();
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  }
  checked(sendmsg(socket_.get(), &message, MSG_NOSIGNAL), "sendmsg");
}

void Wire::send(std::string_view text) {
  checked(::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL), "send");
}

std::uint64_t Wire::receive_number(Descriptor* descriptor) {
  std::uint64_t number = 0;
  iovec bytes{&number, sizeof number};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> room{};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = room.data();
  message.msg_controllen = room.size();
  const long got = checked(recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC), "recvmsg");
  if (got != sizeof number) throw std::runtime_error("the other process of the measurement is gone");
  if (const cmsghdr* const header = CMSG_FIRSTHDR(&message); header != nullptr) {
    int received = -1;
    std::memcpy(&received, CMSG_DATA(header), sizeof received);
    Descriptor owned(received);
    if (descriptor != nullptr) *descriptor = std::move(owned);
  }
  return number;
}

std::string Wire::receive_text() {
  std::string text(4096, '\0');
  const long got = checked(recv(socket_.get(), text.data(), text.size(), 0), "recv");
  if (got == 0) throw std::runtime_error("the other process of the measurement is gone");
  text.resize(static_cast<std::size_t>(got));
  return text;
}

PeerRole::PeerRole(std::string_view name, Serve serve) { roles().emplace(name, serve); }

std::pair<pid_t, Wire> Peer::start(std::string_view role, Cpu cpu) {
  std::array<int, 2> ends{};
  checked(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()), "socketpair");
  Wire wire(Descriptor{ends[0]});
  const Descriptor theirs(ends[1]);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, theirs.get(), kInheritedSocket);
  std::string name(role);
  std::array<std::string, 4> arguments{"peer", "--peer", name, cpu == Cpu::second ? "pinned" : "anywhere"};
  std::array<char*, 5> pointers{};
  for (std::size_t i = 0; i < arguments.size(); ++i) pointers[i] = arguments[i].data();
  pid_t process = 0;
  const int error = posix_spawn(&process, "/proc/self/exe", &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::system_error(error, std::generic_category(), "posix_spawn");
  return {process, std::move(wire)};
}

Peer::Peer(std::pair<pid_t, Wire> started) noexcept : process_(started.first), wire_(std::move(started.second)) {}

Peer::Peer(std::string_view role, Cpu cpu) : Peer(start(role, cpu)) {}

Peer::~Peer() {
  kill(process_, SIGKILL);
  waitpid(process_, nullptr, 0);
}

void Peer::wait_for_its_end() noexcept {
  siginfo_t info{};
  waitid(P_PID, static_cast<id_t>(process_), &info, WEXITED | WNOWAIT);
}

bool was_peer(int argc, char** argv) {
  if (argc != 4 || std::string_view(argv[1]) != "--peer") return false;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  Wire wire{Descriptor{kInheritedSocket}};
  std::optional<PinnedTo> pinned;
  if (std::string_view(argv[3]) == "pinned") pinned.emplace(1);
  try {
    roles().at(argv[2])(wire);
  } catch (const std::exception& error) {
    std::cerr << "peer " << argv[2] << ": " << error.what() << '\n';
  }
  return true;
}

}  // namespace remotemedia::bench
