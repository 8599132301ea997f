// SPDX-License-Identifier: Apache-2.0
//
// Everything that a process can try with a descriptor of shared memory that it was given to read.

#pragma once

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <string>
#include <vector>

namespace remotemedia::testing {

/// The names of the attempts that succeeded on the `size` bytes of `memory`.
inline std::vector<std::string> attack(int memory, std::size_t size) {
  std::vector<std::string> succeeded;
  const auto attempt = [&](const char* name, bool success) {
    if (success) succeeded.emplace_back(name);
  };
  const auto all = static_cast<off_t>(size);
  const std::array<char, 8> bytes{'a', 't', 't', 'a', 'c', 'k', '!', 0};

  const auto attack_descriptor = [&](int file, const std::string& of) {
    attempt(("shrink" + of).c_str(), ftruncate(file, 0) == 0);
    attempt(("grow" + of).c_str(), ftruncate(file, 2 * all) == 0);
    for (const int mode :
         {0, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE, FALLOC_FL_COLLAPSE_RANGE}) {
      const off_t end = mode == 0 ? 2 * all : all;
      attempt(("fallocate" + of).c_str(), fallocate(file, mode, 0, end) == 0);
    }
    attempt(("pwrite" + of).c_str(), pwrite(file, bytes.data(), bytes.size(), 0) > 0);
    attempt(("write" + of).c_str(), write(file, bytes.data(), bytes.size()) > 0);
    void* const writable = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    attempt(("writable mapping" + of).c_str(), writable != MAP_FAILED);
    attempt(("seal" + of).c_str(), fcntl(file, F_ADD_SEALS, F_SEAL_WRITE) == 0);
    const int source = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    attempt(("sendfile" + of).c_str(), sendfile(file, source, nullptr, 16) > 0);
    attempt(("copy_file_range" + of).c_str(), copy_file_range(source, nullptr, file, nullptr, 16, 0) > 0);
    close(source);
  };
  attack_descriptor(memory, "");

  const std::string again = "/proc/self/fd/" + std::to_string(memory);
  for (const int mode : {O_RDWR, O_WRONLY, O_RDWR | O_TRUNC}) {
    const int opened = open(again.c_str(), mode | O_CLOEXEC);
    if (opened == -1) continue;
    attack_descriptor(opened, " after opening it again");
    close(opened);
  }

  void* const readable = mmap(nullptr, size, PROT_READ, MAP_SHARED, memory, 0);
  if (readable == MAP_FAILED) return succeeded;
  attempt("mprotect", mprotect(readable, size, PROT_READ | PROT_WRITE) == 0);
  attempt("MADV_REMOVE", madvise(readable, size, MADV_REMOVE) == 0);
  const iovec from{.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
  const iovec into{.iov_base = readable, .iov_len = bytes.size()};
  attempt("process_vm_writev", process_vm_writev(getpid(), &from, 1, &into, 1, 0) > 0);
  const int own_memory = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
  attempt("/proc/self/mem", pwrite(own_memory, bytes.data(), bytes.size(), reinterpret_cast<off_t>(readable)) > 0);
  close(own_memory);
  munmap(readable, size);

  void* const own = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, memory, 0);
  if (own != MAP_FAILED) {
    *static_cast<char*>(own) = '!';  // allowed: a copy of its own
    munmap(own, size);
  }
  return succeeded;
}

}  // namespace remotemedia::testing
