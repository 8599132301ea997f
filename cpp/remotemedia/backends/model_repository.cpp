// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/backends/model_repository.h"

#include <atomic>
#include <chrono>
#include <filesystem>
#include <optional>
#include <set>
#include <sstream>
#include <system_error>
#include <utility>

#include "remotemedia/backends/backend_search.h"
#include "remotemedia/backends/memory_turns.h"
#include "remotemedia/base/error.h"
#include "remotemedia/base/log.h"
#include "remotemedia/base/mutex.h"

namespace remotemedia {
namespace {

using Seconds = std::chrono::duration<double>;

/// What loading may take, as long as nothing else is known.
std::size_t size_of(const std::string& path) {
  std::error_code error;
  const std::uintmax_t bytes = std::filesystem::file_size(path, error);
  return error ? 0 : static_cast<std::size_t>(bytes);
}

std::string bytes_of(const BackendModel& model) { return std::to_string(model.memory_usage()) + " bytes of weights"; }

void say_loaded(const BackendModel& model, const Backend& backend, Seconds time) {
  std::ostringstream said;
  said << "loaded '" << model.model_id() << "' on " << model.device() << " with " << backend.name() << ' '
       << backend.version() << ": " << bytes_of(model) << ", in " << time.count() << " s";
  log(LogLevel::info, said.str());
}

/// The same, which says so when it leaves memory.
std::shared_ptr<BackendModel> heard_leaving(std::shared_ptr<BackendModel> model) {
  BackendModel* const object = model.get();
  return {object, [model = std::move(model)](BackendModel* /*object*/) mutable {
            std::string said = "unloaded '" + model->model_id() + "': " + bytes_of(*model);
            said += ", " + std::to_string(model->copied_bytes()) + " bytes of tensors copied";
            model.reset();
            log(LogLevel::info, said);
          }};
}

}  // namespace

struct ModelRepository::Shared {
  explicit Shared(const RegistryConfig& config) : registry(config) {}

  ModelRegistry registry;
  MemoryTurns turns;
  Mutex mutex;
  std::set<std::string> model_ids REMOTEMEDIA_GUARDED_BY(mutex);
};

class ModelRepository::Model final : public InferenceModel {
 public:
  Model(std::shared_ptr<Shared> shared, Backend backend, ModelFile file)
      : shared_(std::move(shared)), backend_(std::move(backend)), file_(std::move(file)), key_(file_.model_id) {
    const Use loaded(*this);
    device_ = loaded->device();
    signature_ = loaded->signature();
    memory_bytes_ = loaded->memory_usage();
    file_.progress = {};
  }

  std::string model_id() const override { return file_.model_id; }
  std::string device() const override { return device_; }
  ModelSignature signature() const override { return signature_; }
  std::size_t memory_usage() const override { return memory_bytes_; }

  TensorMap infer(const TensorMap& inputs, InferenceContext& context) override {
    TensorMap outputs = Use(*this)->infer(inputs, context);
    if (leaves_) leave();
    return outputs;
  }

  void leave_memory() override {
    leaves_ = true;
    leave();
  }

  void return_to_memory() override {
    leaves_ = false;
    const Use loaded(*this);
  }

 private:
  /// The model in memory, for one call.
  class Use {
   public:
    explicit Use(Model& model) : turns_(model.shared_->turns) {
      const auto held = [&] {
        auto found = model.shared_->registry.get<BackendModel>(model.key_);
        if (found) handle_ = *std::move(found);
        return static_cast<bool>(handle_);
      };
      if (!turns_.try_take(held)) turns_.take_when_there_is_room([&] { handle_ = model.loaded(); });
    }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    ~Use() {
      handle_.release();
      turns_.gave_back();
    }

    BackendModel* operator->() const { return &*handle_; }

   private:
    MemoryTurns& turns_;
    ModelHandle<BackendModel> handle_;
  };

  /// Stays while a call has it.
  void leave() { shared_->registry.evict(key_.text()); }

  ModelHandle<BackendModel> loaded() {
    const LoadOptions options{.memory_bytes = memory_bytes_ > 0 ? memory_bytes_ : size_of(file_.path),
                              .device = file_.device};
    return shared_->registry.get_or_load<BackendModel>(
        key_, [this] { return loaded_anew(); }, options);
  }

  std::shared_ptr<BackendModel> loaded_anew() const {
    const auto begin = std::chrono::steady_clock::now();
    std::shared_ptr<BackendModel> model = backend_.load(file_);
    if (signature_.declares_tensors() && model->signature() != signature_) {
      throw Error(ErrorCode::load_failed,
                  "the model file '" + file_.path + "' has other inputs or outputs than it had: serve it anew");
    }
    model->warm_up();
    say_loaded(*model, backend_, std::chrono::steady_clock::now() - begin);
    return heard_leaving(std::move(model));
  }

  const std::shared_ptr<Shared> shared_;
  const Backend backend_;
  ModelFile file_;
  const ModelKey key_;
  std::string device_;
  ModelSignature signature_;
  std::size_t memory_bytes_ = 0;
  std::atomic<bool> leaves_{false};  ///< As soon as no call has it.
};

ModelRepository::ModelRepository(const RegistryConfig& config) : shared_(std::make_shared<Shared>(config)) {}

std::shared_ptr<InferenceModel> ModelRepository::add(ModelFile file, const std::string& backend) {
  Backend engine = find_backend(file.path, backend);
  if (file.model_id.empty()) file.model_id = std::filesystem::path(file.path).stem().string();
  const std::string model_id = file.model_id;
  {
    MutexLock lock(shared_->mutex);
    if (!shared_->model_ids.insert(model_id).second) {
      throw Error(ErrorCode::invalid_argument, "there is a model '" + model_id + "' already: give each its own name");
    }
  }
  try {
    return std::make_shared<Model>(shared_, std::move(engine), std::move(file));
  } catch (...) {
    MutexLock lock(shared_->mutex);
    shared_->model_ids.erase(model_id);
    throw;
  }
}

ModelRegistry& ModelRepository::registry() noexcept { return shared_->registry; }

}  // namespace remotemedia
