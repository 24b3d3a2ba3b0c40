#include "lipschitz/training/train.h"

#include <torch/nn/utils/clip_grad.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <sstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lipschitz/base/status.h"
#include "lipschitz/training/checkpoint.h"

namespace lipschitz {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void SetLearningRate(torch::optim::Optimizer& optimizer, double rate) {
  for (auto& group : optimizer.param_groups()) group.options().set_lr(rate);
}

std::vector<torch::Tensor> ParametersOf(
    const torch::optim::Optimizer& optimizer) {
  std::vector<torch::Tensor> parameters;
  for (const auto& group : optimizer.param_groups()) {
    parameters.insert(parameters.end(), group.params().begin(),
                      group.params().end());
  }
  return parameters;
}

// The state to start from: the checkpoint's, or a new one.
absl::StatusOr<TrainingState> InitialState(const CheckpointOptions& options,
                                           const TrainingParts& parts,
                                           const TrainingHooks& hooks) {
  if (options.path.empty() || !options.resume) return TrainingState{};
  auto loaded = LoadCheckpoint(options.path, options.fingerprint, parts);
  if (loaded.ok()) {
    if (hooks.notice) {
      hooks.notice(absl::StrCat("resumed from step ", loaded->step, " (",
                                options.path, ")"));
    }
    return loaded;
  }
  if (absl::IsNotFound(loaded.status())) return TrainingState{};
  if (!absl::IsDataLoss(loaded.status()) &&
      !absl::IsFailedPrecondition(loaded.status())) {
    return loaded.status();
  }
  if (hooks.notice) {
    hooks.notice(absl::StrCat(loaded.status().message(),
                              "; starting from the beginning"));
  }
  return TrainingState{};
}

class Loop {
 public:
  Loop(LayerImpl& model, torch::optim::Optimizer& optimizer,
       RandomSource& random, const TrainingOptions& options,
       const TrainingHooks& hooks,
       const std::vector<torch::optim::Optimizer*>& inner_optimizers)
      : model_(model),
        optimizer_(optimizer),
        options_(options),
        hooks_(hooks),
        parts_{&model, &optimizer, &random, inner_optimizers},
        parameters_(ParametersOf(optimizer)) {}

  absl::StatusOr<TrainingResult> Run() {
    LIPSCHITZ_RETURN_IF_ERROR(options_.Validate());
    LIPSCHITZ_ASSIGN_OR_RETURN(
        state_, InitialState(options_.checkpoint, parts_, hooks_));
    TrainingResult result;
    result.resumed_from = state_.step;
    first_step_ = state_.step;
    converged_ = state_.step > 0 && Converged();
    earlier_seconds_ = state_.seconds;
    start_ = last_checkpoint_ = Clock::now();
    model_.train();
    while (state_.step < options_.steps && !converged_) {
      LIPSCHITZ_RETURN_IF_ERROR(Step());
      if (hooks_.stop_requested && hooks_.stop_requested()) {
        LIPSCHITZ_RETURN_IF_ERROR(Checkpoint());
        return absl::CancelledError(
            absl::StrCat("stopped after step ", state_.step));
      }
      LIPSCHITZ_RETURN_IF_ERROR(CheckpointWhenDue());
    }
    if (state_.step > first_step_) LIPSCHITZ_RETURN_IF_ERROR(Checkpoint());
    result.seconds = earlier_seconds_ + SecondsSince(start_);
    if (hooks_.before_finish) {
      LIPSCHITZ_RETURN_IF_ERROR(hooks_.before_finish());
      model_.train();
    }
    const Clock::time_point finish = Clock::now();
    model_.AfterTraining();
    result.seconds += SecondsSince(finish);
    result.history = state_.history;
    result.steps = state_.step;
    for (const torch::Tensor& parameter : model_.parameters()) {
      if (parameter.requires_grad()) result.parameters += parameter.numel();
    }
    return result;
  }

 private:
  absl::Status Step() {
    const double rate = options_.learning_rate *
                        options_.schedule.Factor(state_.step, options_.steps);
    SetLearningRate(optimizer_, rate);
    optimizer_.zero_grad();
    const auto computed =
        CatchTorch("loss", [&]() -> absl::StatusOr<torch::Tensor> {
          return hooks_.loss(state_.step);
        });
    if (!computed.ok()) {
      return WithContext(
          computed.status(),
          absl::StrCat("step ", state_.step + 1, " of ", options_.steps));
    }
    const torch::Tensor& loss = *computed;
    const double value = loss.item<double>();
    if (!std::isfinite(value)) return NotFinite("loss", value);
    loss.backward();
    if (options_.max_grad_norm > 0.0) {
      const double norm = torch::nn::utils::clip_grad_norm_(
          parameters_, options_.max_grad_norm);
      if (!std::isfinite(norm)) return NotFinite("norm of the gradient", norm);
    }
    optimizer_.step();
    model_.AfterOptimizerStep();
    LIPSCHITZ_RETURN_IF_ERROR(CheckParameters());
    ++state_.step;
    state_.loss_sum += value;
    ++state_.loss_count;
    if (state_.step % options_.report_every == 0 ||
        state_.step == options_.steps) {
      LIPSCHITZ_RETURN_IF_ERROR(Report(rate));
    }
    if (hooks_.progress) {
      hooks_.progress({state_.step, options_.steps, first_step_,
                       SecondsSince(start_), value});
    }
    return absl::OkStatus();
  }

  // Where a gradient was not finite, or the step itself overflowed, so that no
  // checkpoint and no result ever holds such a weight. The sum of a parameter
  // is cheap; it may also overflow, so it only asks for a closer look.
  absl::Status CheckParameters() const {
    torch::NoGradGuard no_grad;
    for (const auto& parameter : model_.named_parameters()) {
      const double sum = parameter.value().sum().item<double>();
      if (!std::isfinite(sum) &&
          !parameter.value().isfinite().all().item<bool>()) {
        return NotFinite(absl::StrCat("parameter ", parameter.key()), sum);
      }
    }
    return absl::OkStatus();
  }

  absl::Status NotFinite(const std::string& what, double value) const {
    return absl::AbortedError(absl::StrCat("the ", what, " became ", value,
                                           " in step ", state_.step + 1, " of ",
                                           options_.steps));
  }

  absl::Status Report(double rate) {
    HistoryEntry entry;
    entry.step = state_.step;
    if (hooks_.report) {
      LIPSCHITZ_ASSIGN_OR_RETURN(entry.metrics, hooks_.report(state_.step));
      // A report may evaluate the model.
      model_.train();
    }
    entry.metrics["loss"] =
        state_.loss_sum / static_cast<double>(state_.loss_count);
    entry.metrics["learning_rate"] = rate;
    state_.history.push_back(std::move(entry));
    state_.loss_sum = 0.0;
    state_.loss_count = 0;
    converged_ = Converged();
    return absl::OkStatus();
  }

  bool Converged() const { return hooks_.converged && hooks_.converged(); }

  absl::Status CheckpointWhenDue() {
    const CheckpointOptions& checkpoint = options_.checkpoint;
    if (checkpoint.path.empty()) return absl::OkStatus();
    const bool by_steps =
        checkpoint.every_steps > 0 && state_.step % checkpoint.every_steps == 0;
    if (!by_steps &&
        SecondsSince(last_checkpoint_) < checkpoint.every_seconds) {
      return absl::OkStatus();
    }
    return Checkpoint();
  }

  absl::Status Checkpoint() {
    if (options_.checkpoint.path.empty()) return absl::OkStatus();
    state_.seconds = earlier_seconds_ + SecondsSince(start_);
    last_checkpoint_ = Clock::now();
    return SaveCheckpoint(options_.checkpoint.path,
                          options_.checkpoint.fingerprint, state_, parts_);
  }

  LayerImpl& model_;
  torch::optim::Optimizer& optimizer_;
  const TrainingOptions& options_;
  const TrainingHooks& hooks_;
  TrainingParts parts_;
  std::vector<torch::Tensor> parameters_;
  TrainingState state_;
  int64_t first_step_ = 0;
  bool converged_ = false;
  double earlier_seconds_ = 0.0;
  Clock::time_point start_;
  Clock::time_point last_checkpoint_;
};

}  // namespace

absl::Status TrainingOptions::Validate() const {
  if (steps < 1 || report_every < 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "training: steps and report_every must be at least 1, got ", steps,
        " and ", report_every));
  }
  if (!(learning_rate > 0.0) || !std::isfinite(learning_rate)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "training: the learning rate must be positive, got ", learning_rate));
  }
  if (!(max_grad_norm >= 0.0)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "training: max_grad_norm must not be negative, got ", max_grad_norm));
  }
  return schedule.Validate();
}

absl::StatusOr<TrainingResult> Train(
    LayerImpl& model, torch::optim::Optimizer& optimizer, RandomSource& random,
    const TrainingOptions& options, const TrainingHooks& hooks,
    const std::vector<torch::optim::Optimizer*>& inner_optimizers) {
  return CatchTorch("training", [&]() -> absl::StatusOr<TrainingResult> {
    return Loop(model, optimizer, random, options, hooks, inner_optimizers)
        .Run();
  });
}

}  // namespace lipschitz
