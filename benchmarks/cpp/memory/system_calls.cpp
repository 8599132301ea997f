// SPDX-License-Identifier: Apache-2.0

#include "system_calls.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>

#include "peer.h"

namespace remotemedia::bench {
namespace {

thread_local volatile std::uint64_t counted = 0;

// libc's syscall() is what the handler makes calls with: they come from its first bytes, and pass.
constexpr std::uint32_t kSyscallFunctionBytes = 64;

struct Call {
  std::array<long, 6> arguments;
  long long* result;
};

Call stopped_call(ucontext_t& context) {
#if defined(__x86_64__)
  auto& registers = context.uc_mcontext.gregs;
  return {{registers[REG_RDI], registers[REG_RSI], registers[REG_RDX], registers[REG_R10], registers[REG_R8],
           registers[REG_R9]},
          &registers[REG_RAX]};
#elif defined(__aarch64__)
  auto& registers = context.uc_mcontext.regs;
  const auto argument = [&](int i) { return static_cast<long>(registers[i]); };
  return {{argument(0), argument(1), argument(2), argument(3), argument(4), argument(5)},
          reinterpret_cast<long long*>(&registers[0])};
#else
#error "where does this processor keep the arguments of a system call?"
#endif
}

void count_and_make(int, siginfo_t* info, void* context) {
  const int kept = errno;
  counted = counted + 1;
  const Call call = stopped_call(*static_cast<ucontext_t*>(context));
  const auto& [a, b, c, d, e, f] = call.arguments;
  const long result = syscall(info->si_syscall, a, b, c, d, e, f);
  *call.result = result == -1 ? -errno : result;
  errno = kept;
}

}  // namespace

void count_system_calls() {
  static thread_local bool counting = false;
  if (counting) return;
  counting = true;

  struct sigaction action {};
  action.sa_sigaction = count_and_make;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  checked(sigaction(SIGSYS, &action, nullptr), "sigaction");

  const auto begin = reinterpret_cast<std::uintptr_t>(&syscall);
  const auto low = static_cast<std::uint32_t>(begin);
  const auto high = static_cast<std::uint32_t>(begin >> 32);
  constexpr std::uint32_t kAddress = offsetof(seccomp_data, instruction_pointer);
  std::array<sock_filter, 11> filter{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 8, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 7, 0),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kAddress + 4),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, high, 0, 4),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kAddress),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, low, 0, 2),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, low + kSyscallFunctionBytes, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  sock_fprog program{.len = static_cast<unsigned short>(filter.size()), .filter = filter.data()};
  checked(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl");
  checked(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), "prctl");
}

std::uint64_t system_calls() { return counted; }

}  // namespace remotemedia::bench
