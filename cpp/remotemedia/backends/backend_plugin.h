// SPDX-License-Identifier: Apache-2.0
//
// For plug-ins in C++: a backend's C interface made from a class.
//
//     class Engine {                                          // one model, loaded
//      public:
//       static constexpr const char* kName = "example";
//       static constexpr const char* kVersion = "1.0";
//       static constexpr const char* kFileKinds[] = {".example", nullptr};
//       explicit Engine(const remotemedia::PluginLoad& load);
//       remotemedia::PluginDescription describe() const;      // asked once
//       void warm_up();
//       void infer(const remotemedia::PluginCall& call);
//     };
//     REMOTEMEDIA_BACKEND(Engine)
//
// What any of these throws becomes the error's text. Nothing of remotemedia is linked.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "remotemedia/backends/backend_abi.h"

namespace remotemedia {

struct PluginSpec {
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> shape;
};

/// As remotemedia_description.
struct PluginDescription {
  std::vector<PluginSpec> inputs;
  std::vector<PluginSpec> outputs;
  std::int64_t max_batch_size = 0;
  std::uint64_t memory_bytes = 0;
  std::string device = "cpu";
};

/// As remotemedia_load.
struct PluginLoad {
  explicit PluginLoad(const remotemedia_load& request) : request_(request) {
    for (auto option = request.options; option != nullptr && option[0] != nullptr; option += 2) {
      options.emplace(option[0], option[1]);
    }
  }

  std::string path() const { return request_.path; }
  std::string device() const { return request_.device; }
  std::int64_t max_batch_size() const { return request_.max_batch_size; }
  std::size_t instances() const { return request_.instances; }
  void progress(double fraction, const char* stage) const { request_.progress(request_.host, fraction, stage); }

  std::map<std::string, std::string> options;

 private:
  const remotemedia_load& request_;
};

/// As remotemedia_call.
class PluginCall {
 public:
  explicit PluginCall(const remotemedia_call& call) : call_(call) {}

  std::span<const remotemedia_tensor> inputs() const { return {call_.inputs, call_.input_count}; }

  /// Throws where there is no memory: let it through.
  void* output(const char* name, std::span<const std::int64_t> shape) const {
    void* memory = call_.output(call_.host, name, shape.data(), shape.size());
    if (memory == nullptr) {
      throw std::runtime_error("no memory for an output");
    }
    return memory;
  }

  void copied(std::uint64_t bytes) const { call_.copied(call_.host, bytes); }
  bool cancelled() const { return call_.cancelled(call_.host) != 0; }

 private:
  const remotemedia_call& call_;
};

namespace plugin_detail {

/// A PluginDescription in C, with what it points to.
class DescriptionInC {
 public:
  explicit DescriptionInC(PluginDescription description) : description_(std::move(description)) {
    fill(inputs_, description_.inputs);
    fill(outputs_, description_.outputs);
    in_c_ = {inputs_.data(),
             inputs_.size(),
             outputs_.data(),
             outputs_.size(),
             description_.max_batch_size,
             description_.memory_bytes,
             description_.device.c_str()};
  }
  DescriptionInC(const DescriptionInC&) = delete;
  DescriptionInC& operator=(const DescriptionInC&) = delete;

  const remotemedia_description* get() const { return &in_c_; }

 private:
  static void fill(std::vector<remotemedia_spec>& in_c, const std::vector<PluginSpec>& specs) {
    for (const PluginSpec& spec : specs) {
      in_c.push_back({spec.name.c_str(), spec.dtype.c_str(), spec.shape.data(), spec.shape.size()});
    }
  }

  PluginDescription description_;
  std::vector<remotemedia_spec> inputs_;
  std::vector<remotemedia_spec> outputs_;
  remotemedia_description in_c_{};
};

inline void tell(remotemedia_error* error, std::string_view text) {
  const std::size_t length = std::min(text.size(), sizeof(error->text) - 1);
  std::memcpy(error->text, text.data(), length);
  error->text[length] = '\0';
}

/// Whether `call` threw nothing; what it threw is told.
template <class Call>
bool succeeds(remotemedia_error* error, Call&& call) noexcept {
  try {
    call();
    return true;
  } catch (const std::bad_alloc&) {
    tell(error, "out of memory");
  } catch (const std::exception& thrown) {
    tell(error, thrown.what());
  } catch (...) {
    tell(error, "an exception that is no std::exception");
  }
  return false;
}

template <class Engine>
struct LoadedModel {
  explicit LoadedModel(const PluginLoad& load) : engine(load), description(engine.describe()) {}
  Engine engine;
  DescriptionInC description;
};

template <class Engine>
LoadedModel<Engine>& loaded(remotemedia_model* model) {
  return *reinterpret_cast<LoadedModel<Engine>*>(model);
}

template <class Engine>
inline constexpr remotemedia_backend_functions kBackendFunctions{
    REMOTEMEDIA_BACKEND_ABI,
    Engine::kName,
    Engine::kVersion,
    Engine::kFileKinds,
    [](const remotemedia_load* request, remotemedia_error* error) {
      std::unique_ptr<LoadedModel<Engine>> model;
      succeeds(error, [&] { model = std::make_unique<LoadedModel<Engine>>(PluginLoad(*request)); });
      return reinterpret_cast<remotemedia_model*>(model.release());
    },
    [](const remotemedia_model* model) {
      return reinterpret_cast<const LoadedModel<Engine>*>(model)->description.get();
    },
    [](remotemedia_model* model, remotemedia_error* error) {
      return succeeds(error, [&] { loaded<Engine>(model).engine.warm_up(); }) ? 0 : 1;
    },
    [](remotemedia_model* model, const remotemedia_call* call, remotemedia_error* error) {
      return succeeds(error, [&] { loaded<Engine>(model).engine.infer(PluginCall(*call)); }) ? 0 : 1;
    },
    [](remotemedia_model* model) { delete &loaded<Engine>(model); },
};

}  // namespace plugin_detail
}  // namespace remotemedia

/// Once in a plug-in, outside of any namespace.
#define REMOTEMEDIA_BACKEND(Engine)                                           \
  extern "C" const remotemedia_backend_functions* remotemedia_backend(void) { \
    return &remotemedia::plugin_detail::kBackendFunctions<Engine>;            \
  }
