// SPDX-License-Identifier: Apache-2.0
//
// Another process for tests of tensors: does what it reads, one line each, and answers with one line.
//
//     export NAME        an id of that tensor of exchanged_tensors.h; its number is 0, 1, … of those exported
//     write N VALUE      writes to the first element of what it has exported
//     forget N           lets go of it
//     import ID          "N" and a description, or the name of an error's code
//     describe N         the description of what it has imported
//     zeros ID           whether it is float32 zeros, and how many

#include <algorithm>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "remotemedia/base/error.h"
#include "tensor/exchanged_tensors.h"

namespace remotemedia {
namespace {

class Peer {
 public:
  std::string answer(const std::string& line) {
    std::istringstream words(line);
    std::string verb;
    std::string what;
    words >> verb >> what;
    try {
      if (verb == "export") return show(what);
      if (verb == "import") return import(what);
      if (verb == "zeros") return zeros(what);
      const std::size_t number = std::stoul(what);
      if (verb == "describe") return testing::description_of(imported_.at(number));
      if (verb == "forget") return exported_.at(number) = {}, "forgotten";
      if (verb == "write") {
        int value = 0;
        words >> value;
        *exported_.at(number).mutable_data() = static_cast<std::byte>(value);
        return "written";
      }
      return "what?";
    } catch (const Error& error) {
      return std::string(to_string(error.code()));
    } catch (const std::exception& error) {
      return error.what();
    }
  }

 private:
  std::string show(const std::string& name) {
    exported_.push_back(testing::named_tensor(name, allocator_));
    return exported_.back().to_shared_memory(&allocator_);
  }

  std::string import(const std::string& id) {
    imported_.push_back(TensorBuffer::from_shared_memory(id));
    return std::to_string(imported_.size() - 1) + " " + testing::description_of(imported_.back());
  }

  static std::string zeros(const std::string& id) {
    const TensorBuffer tensor = TensorBuffer::from_shared_memory(id);
    const auto elements = tensor.span<const float>();
    const bool all = std::all_of(elements.begin(), elements.end(), [](float element) { return element == 0; });
    return (all ? "zeros " : "others ") + std::to_string(elements.size());
  }

  SharedMemoryAllocator allocator_;
  std::vector<TensorBuffer> exported_;
  std::vector<TensorBuffer> imported_;
};

}  // namespace
}  // namespace remotemedia

int main() {
  remotemedia::Peer peer;
  for (std::string line; std::getline(std::cin, line);) std::cout << peer.answer(line) << std::endl;
}
