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

class ModelRepository::Model final : public InferenceModel, public std::enable_shared_from_this<Model> {
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

  ModelResidence residence() const override {
    ModelResidence residence{ModelState::absent, std::nullopt};
    if (const auto time = Duration{load_time_}; time > Duration{0}) residence.load_time = time;
    for (const ModelInfo& info : shared_->registry.list_models()) {
      if (info.key == key_.text()) residence.state = info.state;
    }
    return residence;
  }

  std::shared_ptr<void> stay_in_memory(const ReportProgress& report) override {
    auto stay = std::make_shared<Stay>(shared_from_this());
    stay->handle = Use(*this, report).keep();
    leaves_ = false;
    return stay;
  }

  std::optional<std::size_t> leave_memory() override {
    leaves_ = true;
    return leave() ? std::optional(memory_bytes_) : std::nullopt;
  }

 private:
  /// The model in memory, for one call.
  class Use {
   public:
    explicit Use(Model& model, const ReportProgress& report = {}) : turns_(model.shared_->turns) {
      const auto held = [&] {
        auto found = model.shared_->registry.get<BackendModel>(model.key_);
        if (found) handle_ = *std::move(found);
        return static_cast<bool>(handle_);
      };
      if (!turns_.try_take(held)) turns_.take_when_there_is_room([&] { handle_ = model.loaded(report); });
    }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    ~Use() {
      handle_.release();
      turns_.gave_back();
    }

    BackendModel* operator->() const { return &*handle_; }

    /// For longer than a call: nobody waits for this to be given back.
    ModelHandle<BackendModel> keep() noexcept { return std::move(handle_); }

   private:
    MemoryTurns& turns_;
    ModelHandle<BackendModel> handle_;
  };

  struct Stay {
    explicit Stay(std::shared_ptr<Model> of) : model(std::move(of)) {}
    Stay(const Stay&) = delete;
    Stay& operator=(const Stay&) = delete;
    ~Stay() {
      handle.release();
      if (model->leaves_) model->leave();
    }

    const std::shared_ptr<Model> model;
    ModelHandle<BackendModel> handle;
  };

  /// Stays while somebody has it.
  bool leave() { return shared_->registry.evict(key_.text()); }

  ModelHandle<BackendModel> loaded(const ReportProgress& report) {
    LoadOptions options{.memory_bytes = memory_bytes_ > 0 ? memory_bytes_ : size_of(file_.path),
                        .device = file_.device};
    if (report) options.progress = [report](const LoadProgress& said) { report(said.fraction, said.message); };
    return shared_->registry.get_or_load<BackendModel>(
        key_, [this](const ReportProgress& told) { return loaded_anew(told); }, options);
  }

  std::shared_ptr<BackendModel> loaded_anew(const ReportProgress& report) {
    leaves_ = false;
    const auto begin = std::chrono::steady_clock::now();
    ModelFile file = file_;
    if (!file.progress) file.progress = report;
    std::shared_ptr<BackendModel> model = backend_.load(file);
    if (signature_.declares_tensors() && model->signature() != signature_) {
      throw Error(ErrorCode::load_failed,
                  "the model file '" + file_.path + "' has other inputs or outputs than it had: serve it anew");
    }
    model->warm_up();
    const auto time = std::chrono::steady_clock::now() - begin;
    load_time_ = std::chrono::duration_cast<Duration>(time).count();
    say_loaded(*model, backend_, time);
    return heard_leaving(std::move(model));
  }

  const std::shared_ptr<Shared> shared_;
  const Backend backend_;
  ModelFile file_;
  const ModelKey key_;
  std::string device_;
  ModelSignature signature_;
  std::size_t memory_bytes_ = 0;
  std::atomic<bool> leaves_{false};          ///< As soon as nobody has it.
  std::atomic<Duration::rep> load_time_{0};  ///< Of the last load.
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
