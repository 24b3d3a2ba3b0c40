#include "lipschitz/training/checkpoint.h"

#include <ATen/Context.h>
#include <torch/serialize.h>

#include <cmath>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lipschitz/base/files.h"
#include "lipschitz/base/sealed_file.h"
#include "lipschitz/base/status.h"

namespace lipschitz {
namespace {

// The file is a sealed LibTorch archive: damage is found before anything is
// restored. The version is raised when a part is saved in another form, so that
// older files are noticed before as well.
constexpr char kKind[] = "version 2 checkpoint";

// LibTorch's default generators: dropout and initialisation draw from them.
std::vector<at::Generator> DefaultGenerators() {
  std::vector<at::Generator> generators = {
      at::globalContext().defaultGenerator(at::kCPU)};
  if (at::hasCUDA()) {
    generators.push_back(at::globalContext().defaultGenerator(at::kCUDA));
  }
  return generators;
}

std::string GeneratorName(size_t index) {
  return absl::StrCat("default_generator_", index);
}

std::string InnerOptimizerName(size_t index) {
  return absl::StrCat("inner_optimizer_", index);
}

// JSON has no numbers that are not finite; they become text.
nlohmann::json NumberToJson(double value) {
  if (std::isfinite(value)) return value;
  return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
}

double NumberFromJson(const nlohmann::json& json) {
  return json.is_string() ? std::stod(json.get<std::string>())
                          : json.get<double>();
}

std::string HistoryToText(const History& history) {
  nlohmann::json json = nlohmann::json::array();
  for (const HistoryEntry& entry : history) {
    nlohmann::json metrics = nlohmann::json::object();
    for (const auto& [name, value] : entry.metrics) {
      metrics[name] = NumberToJson(value);
    }
    json.push_back({{"step", entry.step}, {"metrics", metrics}});
  }
  return json.dump();
}

History HistoryFromText(const std::string& text) {
  History history;
  for (const auto& json : nlohmann::json::parse(text)) {
    HistoryEntry entry;
    entry.step = json.at("step").get<int64_t>();
    for (const auto& [name, value] : json.at("metrics").items()) {
      entry.metrics[name] = NumberFromJson(value);
    }
    history.push_back(std::move(entry));
  }
  return history;
}

c10::IValue Read(torch::serialize::InputArchive& archive,
                 const std::string& key) {
  c10::IValue value;
  archive.read(key, value);
  return value;
}

}  // namespace

absl::Status SaveCheckpoint(const std::string& path,
                            const std::string& fingerprint,
                            const TrainingState& state,
                            const TrainingParts& parts) {
  std::string content;
  LIPSCHITZ_RETURN_IF_ERROR(
      CatchTorch(absl::StrCat("cannot build the checkpoint ", path), [&] {
        torch::serialize::OutputArchive archive;
        archive.write("fingerprint", c10::IValue(fingerprint));
        archive.write("step", c10::IValue(state.step));
        archive.write("loss_sum", c10::IValue(state.loss_sum));
        archive.write("loss_count", c10::IValue(state.loss_count));
        archive.write("seconds", c10::IValue(state.seconds));
        archive.write("history", c10::IValue(HistoryToText(state.history)));
        archive.write("random", parts.random->state(), /*is_buffer=*/true);
        std::vector<at::Generator> generators = DefaultGenerators();
        for (size_t i = 0; i < generators.size(); ++i) {
          const std::lock_guard<std::mutex> lock(generators[i].mutex());
          archive.write(GeneratorName(i), generators[i].get_state(),
                        /*is_buffer=*/true);
        }
        torch::serialize::OutputArchive model;
        parts.model->save(model);
        archive.write("model", model);
        torch::serialize::OutputArchive optimizer;
        parts.optimizer->save(optimizer);
        archive.write("optimizer", optimizer);
        for (size_t i = 0; i < parts.inner_optimizers.size(); ++i) {
          torch::serialize::OutputArchive inner;
          parts.inner_optimizers[i]->save(inner);
          archive.write(InnerOptimizerName(i), inner);
        }
        std::ostringstream stream;
        archive.save_to(stream);
        content = std::move(stream).str();
      }));
  return WriteFileAtomically(path, Seal(kKind, content));
}

absl::StatusOr<TrainingState> LoadCheckpoint(const std::string& path,
                                             const std::string& fingerprint,
                                             const TrainingParts& parts) {
  LIPSCHITZ_ASSIGN_OR_RETURN(const std::string content, ReadFile(path));
  LIPSCHITZ_ASSIGN_OR_RETURN(const std::string payload,
                             Unseal(kKind, path, content));
  return CatchTorch(
      absl::StrCat("cannot restore the checkpoint ", path),
      [&]() -> absl::StatusOr<TrainingState> {
        torch::serialize::InputArchive archive;
        std::istringstream stream(payload);
        archive.load_from(stream);
        if (Read(archive, "fingerprint").toStringRef() != fingerprint) {
          return absl::FailedPreconditionError(
              absl::StrCat("the checkpoint ", path,
                           " belongs to a training with other settings"));
        }
        TrainingState state;
        state.step = Read(archive, "step").toInt();
        state.loss_sum = Read(archive, "loss_sum").toDouble();
        state.loss_count = Read(archive, "loss_count").toInt();
        state.seconds = Read(archive, "seconds").toDouble();
        state.history = HistoryFromText(Read(archive, "history").toStringRef());
        torch::serialize::InputArchive model;
        archive.read("model", model);
        parts.model->load(model);
        torch::serialize::InputArchive optimizer;
        archive.read("optimizer", optimizer);
        parts.optimizer->load(optimizer);
        for (size_t i = 0; i < parts.inner_optimizers.size(); ++i) {
          torch::serialize::InputArchive inner;
          archive.read(InnerOptimizerName(i), inner);
          parts.inner_optimizers[i]->load(inner);
        }
        torch::Tensor random;
        archive.read("random", random, /*is_buffer=*/true);
        parts.random->set_state(random);
        std::vector<at::Generator> generators = DefaultGenerators();
        for (size_t i = 0; i < generators.size(); ++i) {
          torch::Tensor generator_state;
          // None of a device that the process which wrote it did not see, and
          // did not draw from.
          if (!archive.try_read(GeneratorName(i), generator_state,
                                /*is_buffer=*/true)) {
            continue;
          }
          const std::lock_guard<std::mutex> lock(generators[i].mutex());
          generators[i].set_state(generator_state);
        }
        return state;
      });
}

}  // namespace lipschitz
