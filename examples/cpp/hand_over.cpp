// SPDX-License-Identifier: Apache-2.0
//
// Two processes, one camera frame: the child opens it by id and reads it where it lies, without a copy. The child's
// view stays when the parent has let go; nobody can take more than its session's quota.

#include <remotemedia/memory/shared_memory_allocator.h>
#include <remotemedia/memory/shared_memory_region.h>
#include <remotemedia/tensor/tensor_buffer.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>

namespace {

using remotemedia::DataType;
using remotemedia::SharedMemoryAllocator;
using remotemedia::SharedMemoryRegion;
using remotemedia::TensorBuffer;

unsigned long checksum(const TensorBuffer& frame) {
  const auto bytes = frame.span<const std::uint8_t>();
  return std::accumulate(bytes.begin(), bytes.end(), 0UL);
}

/// Bytes that both processes may write: a lamp that one turns on and the other waits for.
std::atomic_ref<std::uint32_t> lamp_in(SharedMemoryRegion& region) {
  return std::atomic_ref(*reinterpret_cast<std::uint32_t*>(region.bytes().data()));
}

int run_child(const std::string& frame_id, const std::string& lamp_id) {
  const TensorBuffer frame = TensorBuffer::from_shared_memory(frame_id);
  std::printf("child: %s, %s, %s, checksum %lu\n", to_string(frame.shape()).c_str(),
              std::string(to_string(frame.storage())).c_str(), frame.read_only() ? "read-only" : "writable",
              checksum(frame));
  std::fflush(stdout);

  SharedMemoryRegion region = SharedMemoryRegion::open(lamp_id, {.writable = true});
  while (lamp_in(region) == 0) std::this_thread::sleep_for(std::chrono::milliseconds{1});
  std::printf("child: still checksum %lu\n", checksum(frame));
  return 0;
}

class Child {
 public:
  explicit Child(const std::string& command) : output_(popen(command.c_str(), "r")) {
    if (output_ == nullptr) throw std::runtime_error("cannot start: " + command);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { pclose(output_); }

  /// Waits for the next line that it says, and says it.
  void pass_on_a_line() {
    char line[200];
    if (std::fgets(line, sizeof line, output_) == nullptr) throw std::runtime_error("the child has ended");
    std::fputs(line, stdout);
  }

 private:
  std::FILE* output_;
};

int run_parent(const std::string& program) {
  SharedMemoryAllocator allocator{{.per_session_quota_bytes = 16'000'000}};
  TensorBuffer frame = TensorBuffer::allocate({1080, 1920, 3}, DataType::uint8, allocator, "camera-1");
  const auto pixels = frame.span<std::uint8_t>();  // written in place, in shared memory
  std::iota(pixels.begin(), pixels.end(), std::uint8_t{0});
  std::printf("parent: %s, %s, checksum %lu\n", to_string(frame.shape()).c_str(),
              std::string(to_string(frame.storage())).c_str(), checksum(frame));

  try {
    const TensorBuffer too_much = TensorBuffer::allocate({2160, 3840, 3}, DataType::uint8, allocator, "camera-1");
  } catch (const remotemedia::Error& error) {
    std::printf("parent: %s\n", error.what());
  }

  SharedMemoryRegion region = SharedMemoryRegion::create(sizeof(std::uint32_t), {.writable = true});
  Child child("'" + program + "' '" + frame.to_shared_memory() + "' '" + region.id() + "'");
  child.pass_on_a_line();
  frame = {};
  std::printf("parent: has let go, %zu bytes in use\n", allocator.session_usage("camera-1"));
  lamp_in(region) = 1;
  child.pass_on_a_line();
  return 0;
}

}  // namespace

int main(int argc, char** argv) { return argc == 3 ? run_child(argv[1], argv[2]) : run_parent(argv[0]); }
