#include "experiments/common/critic_experiment.h"

#include <algorithm>
#include <cmath>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "experiments/common/category_figure.h"
#include "experiments/common/cost.h"
#include "experiments/common/figure.h"
#include "experiments/common/verdict.h"
#include "lipschitz/base/float64_evaluation.h"
#include "lipschitz/base/status.h"
#include "lipschitz/diagnostics/gradient_norms.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/models/mlp.h"
#include "lipschitz/models/network.h"

namespace lipschitz::experiments {
namespace {

// Gradients are taken at so many points between samples of P and of Q.
constexpr int64_t kGradientPoints = 2000;
constexpr uint64_t kGradientStream = 11;

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return names.empty() ||
         std::find(names.begin(), names.end(), name) != names.end();
}

// The values of a variant's key, each once.
std::vector<std::string> ValuesOf(const std::vector<CriticRun>& runs,
                                  const std::string& key) {
  std::vector<std::string> values;
  for (const CriticRun& run : runs) {
    std::string value = VariantText(run.variant, key);
    if (std::find(values.begin(), values.end(), value) == values.end()) {
      values.push_back(std::move(value));
    }
  }
  return values;
}

WassersteinConfig Customised(WassersteinConfig config,
                             const CriticSettings& settings) {
  if (settings.hidden.has_value()) {
    config.mlp().hidden = *settings.hidden;
    // One for each layer; the first may differ from the others.
    auto& constraints = config.mlp().constraints;
    if (!constraints.empty()) {
      constraints.resize(settings.hidden->size() + 1, constraints.back());
    }
  }
  config.steps = settings.steps.value_or(config.steps);
  config.batch_size = settings.batch_size.value_or(config.batch_size);
  config.learning_rate = settings.learning_rate.value_or(config.learning_rate);
  config.optimizer = settings.optimizer.value_or(config.optimizer);
  return config;
}

Json ConfigOf(const CriticRun& run, const WassersteinConfig& config,
              int version) {
  Json json = {{"version", version}};
  json.update(run.problem_config);
  json["ground_norm"] = NormName(config.ground_norm);
  json["hidden"] = absl::StrJoin(config.mlp().hidden, "-");
  // Of weights that are free (LinearImpl says how the others start).
  if (config.mlp().constraint.kind == ConstraintKind::kNone) {
    json["start"] = "he";
  }
  json["steps"] = config.steps;
  json["batch_size"] = config.batch_size;
  json["optimizer"] = OptimizerName(config.optimizer);
  json["learning_rate"] = config.learning_rate;
  json["schedule"] = ScheduleName(config.schedule.kind);
  json["max_grad_norm"] = config.max_grad_norm;
  json["standardise"] = config.standardise;
  json["test_samples"] = config.test_samples;
  return json;
}

bool IsConstrained(const WassersteinConfig& config) {
  const ConstraintKind kind = config.mlp().constraint.kind;
  return kind != ConstraintKind::kNone && kind != ConstraintKind::kParseval;
}

// Points on segments between samples of P and of Q, as the critic sees them.
torch::Tensor PointsBetween(const CriticProblem& problem,
                            const WassersteinEstimate& estimate,
                            uint64_t seed) {
  const RandomSource random(StreamSeed(seed, kGradientStream));
  torch::Tensor p = problem.p_samples;
  torch::Tensor q = problem.q_samples;
  if (!p.defined()) {
    p = problem.p(kGradientPoints, random);
    q = problem.q(kGradientPoints, random);
  }
  const int64_t n = std::min({p.size(0), q.size(0), kGradientPoints});
  const torch::Tensor t = torch::rand({n, 1}, random.generator(),
                                      torch::TensorOptions(torch::kDouble));
  const torch::Tensor x = t * p.narrow(0, 0, n).to(torch::kDouble) +
                          (1 - t) * q.narrow(0, 0, n).to(torch::kDouble);
  return estimate.Standardised(x);
}

absl::StatusOr<torch::Tensor> GradientNormsBetween(
    const CriticProblem& problem, WassersteinEstimate& estimate,
    const WassersteinConfig& config) {
  const Float64Evaluation evaluation(*estimate.critic);
  return InputGradientNorms(
      *estimate.critic,
      PointsBetween(problem, estimate, config.seed).to(config.device),
      config.ground_norm);
}

absl::Status Verdict(const DualEstimate& estimate, double exact,
                     const WassersteinConfig& config) {
  if (IsConstrained(config)) {
    LIPSCHITZ_RETURN_IF_ERROR(ExpectUnitConstant(estimate.lipschitz_constant));
  }
  return ExpectEstimateWithin(estimate.value, estimate.lipschitz_constant,
                              exact);
}

absl::StatusOr<RunOutcome> Execute(const CriticRun& run,
                                   WassersteinConfig config,
                                   const RunContext& context) {
  config.seed = context.seed;
  config.device = context.device;
  config.checkpoint = context.checkpoint;
  WassersteinHooks hooks;
  hooks.progress = context.progress;
  hooks.notice = context.notice;
  hooks.stop_requested = context.stop_requested;
  LIPSCHITZ_ASSIGN_OR_RETURN(const CriticProblem problem,
                             run.problem(context.seed));
  auto estimated =
      problem.p_samples.defined()
          ? EstimateWasserstein(problem.p_samples, problem.q_samples, config,
                                hooks)
          : EstimateWasserstein(problem.p, problem.q, config, hooks);
  LIPSCHITZ_RETURN_IF_ERROR(estimated.status());
  const DualEstimate& estimate = estimated->estimate;
  LIPSCHITZ_ASSIGN_OR_RETURN(const torch::Tensor norms,
                             GradientNormsBetween(problem, *estimated, config));

  RunOutcome outcome;
  outcome.metrics = {
      {"wasserstein_estimate", estimate.value},
      {"wasserstein_exact", problem.exact},
      {"estimate_over_exact", estimate.value / problem.exact},
      {"standard_error", estimate.standard_error},
      // What the estimate is before it is divided by K: no bound on W1 where
      // K is above 1.
      {"mean_difference", estimate.value * estimate.lipschitz_constant},
      {"gradient_norm_mean", norms.mean().item<double>()}};
  outcome.lipschitz =
      LipschitzRecord{config.ground_norm, estimate.lipschitz_constant,
                      norms.max().item<double>()};
  outcome.SetTraining(estimated->training);
  outcome.verdict = Verdict(estimate, problem.exact, config);
  if (run.examine) {
    LIPSCHITZ_RETURN_IF_ERROR(run.examine(problem, *estimated, &outcome));
  }
  return outcome;
}

// Before a sample says how wide the input is.
absl::Status CheckNetwork(NetworkConfig network) {
  if (auto* mlp = std::get_if<MlpConfig>(&network);
      mlp != nullptr && mlp->input_dim == 0) {
    mlp->input_dim = 1;
  }
  return ValidateNetwork(network);
}

// Whether what was trained, undivided, bounds W1.
std::string IsBound(const VariantRecords& group) {
  const bool every =
      std::all_of(group.ok.begin(), group.ok.end(), [](const Record* record) {
        return record->lipschitz &&
               ExpectUnitConstant(record->lipschitz->upper_bound).ok();
      });
  if (group.ok.empty()) return "–";
  return every ? "yes" : "not a bound";
}

}  // namespace

absl::StatusOr<std::vector<Run>> CriticExperiment::Plan(
    const CommonSettings& common) const {
  LIPSCHITZ_ASSIGN_OR_RETURN(const std::vector<CriticRun> critic_runs,
                             Runs(common));
  struct Choice {
    const char* flag;
    std::string key;
    const std::vector<std::string>& asked;
  };
  std::vector<Choice> choices = {
      {"activation", "activation", settings_.activations},
      {"constraint", "constraint", settings_.constraints}};
  if (compared_within() > 0) {
    choices.push_back({"problem", table_keys()[0].first, settings_.problems});
  } else if (!settings_.problems.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--problem: ", name(), " has one problem only"));
  }
  for (const Choice& choice : choices) {
    LIPSCHITZ_RETURN_IF_ERROR(ExpectKnown(choice.flag, choice.asked,
                                          ValuesOf(critic_runs, choice.key)));
  }
  std::vector<Run> runs;
  for (const CriticRun& critic_run : critic_runs) {
    const bool chosen =
        std::all_of(choices.begin(), choices.end(), [&](const Choice& choice) {
          return Contains(choice.asked,
                          VariantText(critic_run.variant, choice.key));
        });
    if (!chosen) continue;
    const WassersteinConfig config = Customised(critic_run.config, settings_);
    LIPSCHITZ_RETURN_IF_ERROR(config.Validate());
    LIPSCHITZ_RETURN_IF_ERROR(CheckNetwork(config.network));
    if (config.steps < 1 || !(config.learning_rate > 0.0)) {
      return absl::InvalidArgumentError(
          absl::StrCat("steps and learning_rate must be positive, got ",
                       config.steps, " and ", config.learning_rate));
    }
    Run run;
    run.variant = critic_run.variant;
    run.dataset = critic_run.dataset;
    run.notes = critic_run.notes;
    run.label = critic_run.slug;
    run.config = ConfigOf(critic_run, config, version());
    run.slug = MakeSlug(critic_run.slug, common.preset,
                        ConfigOf(critic_run, critic_run.config, version()),
                        &run.config);
    run.execute = [critic_run, config](const RunContext& context) {
      return Execute(critic_run, config, context);
    };
    runs.push_back(std::move(run));
  }
  if (runs.empty()) {
    return absl::InvalidArgumentError(
        "nothing to run: no variant of this preset has the --problem, the "
        "--activation and the --constraint that were given");
  }
  return runs;
}

Table CriticExperiment::MakeTable(const std::vector<Record>& records) const {
  Table table;
  table.title = table_title();
  table.compared_within = compared_within();
  const auto keys = table_keys();
  for (const auto& [key, title] : keys) table.columns.push_back({title});
  for (const Column& column :
       std::vector<Column>{{"estimate", {5, true}},
                           {"exact", {4, false}},
                           {"estimate / exact", {5, true}, Better::kHigher},
                           {"K", {7, false}},
                           {"mean difference", {4, false}},
                           {"is a bound"},
                           {"gradient norm", {3, true}}}) {
    table.columns.push_back(column);
  }
  const auto more = more_metrics();
  for (const auto& [metric, column] : more) table.columns.push_back(column);
  AddCostColumns(1, &table);
  for (const VariantRecords& group : GroupByVariant(records)) {
    std::vector<Cell> row;
    for (const auto& [key, title] : keys) {
      row.emplace_back(VariantText(group.variant, key));
    }
    for (const char* metric :
         {"wasserstein_estimate", "wasserstein_exact", "estimate_over_exact"}) {
      row.emplace_back(SummariseMetric(group, metric));
    }
    row.emplace_back(SummariseUpperBound(group));
    row.emplace_back(SummariseMetric(group, "mean_difference"));
    row.emplace_back(IsBound(group));
    row.emplace_back(SummariseMetric(group, "gradient_norm_mean"));
    for (const auto& [metric, column] : more) {
      row.emplace_back(SummariseMetric(group, metric));
    }
    AddCostCells(group, &row);
    table.rows.push_back(std::move(row));
  }
  table.notes = {absl::StrCat(
      "Estimate: the critic's mean difference between samples of P and of Q, "
      "divided by its proven constant K: at most W1. The mean difference "
      "itself is a bound only where K is 1 (up to 1e-5). Gradient norm: mean "
      "over points between samples of P and Q. ",
      more_notes(),
      "Mean ± standard deviation over "
      "seeds. Preset: ",
      records.empty() ? "none" : records[0].preset, ".")};
  return table;
}

absl::Status CriticExperiment::WriteReport(
    const std::string& results_dir, const std::string& stem,
    const std::vector<Record>& records) const {
  LIPSCHITZ_RETURN_IF_ERROR(WriteTable(results_dir, stem, MakeTable(records)));
  // By what the first columns, those of the problem, say.
  std::vector<std::pair<std::string, std::vector<VariantRecords>>> problems;
  for (VariantRecords& group : GroupByVariant(records)) {
    std::string title;
    for (size_t i = 0; i < compared_within(); ++i) {
      absl::StrAppend(&title, i > 0 ? ", " : "",
                      VariantText(group.variant, table_keys()[i].first));
    }
    const auto same = std::find_if(
        problems.begin(), problems.end(),
        [&title](const auto& problem) { return problem.first == title; });
    if (same != problems.end()) {
      same->second.push_back(std::move(group));
    } else {
      problems.push_back({title, {std::move(group)}});
    }
  }
  Figure figure;
  figure.title = table_title();
  figure.columns = static_cast<int>(std::min<size_t>(3, problems.size()));
  figure.legend_below = true;
  for (const auto& [title, groups] : problems) {
    CategoryPanel panel;
    panel.title = title;
    panel.metric = "estimate_over_exact";
    panel.y = {"certified estimate / exact W1", 0.0, 1.05};
    figure.panels.push_back(DrawCategories(panel, groups));
  }
  if (figure.panels.empty()) return absl::OkStatus();
  return WriteFigure(results_dir, stem, figure);
}

std::optional<std::string> CriticExperiment::MetricFor(
    const Anchor& anchor, const Record& /*record*/) const {
  if (anchor.metric != "wasserstein") return std::nullopt;
  return "wasserstein_estimate";
}

std::string VariantText(const Json& variant, const std::string& key) {
  if (!variant.contains(key)) return "";
  const Json& value = variant.at(key);
  return value.is_string() ? value.get<std::string>() : value.dump();
}

}  // namespace lipschitz::experiments
