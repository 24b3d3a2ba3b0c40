#include "tools/estimate_wasserstein/report.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "experiments/common/environment.h"
#include "experiments/common/record.h"
#include "experiments/common/table.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/models/network_json.h"
#include "lipschitz/optim/optimizer.h"
#include "tools/decimal.h"

namespace lipschitz::tools {
namespace {

using experiments::Json;

// How the samples of one side were used.
struct Counts {
  int64_t all = 0;
  int64_t training = 0;
  int64_t validation = 0;
  int64_t test = 0;
};

Counts CountsOf(int64_t all, int64_t validation, int64_t test, bool held_out) {
  return {all, all - validation - (held_out ? test : 0), validation, test};
}

Counts CountsOfP(const Report& report) {
  const WassersteinEstimate& estimate = report.estimate;
  return CountsOf(report.samples.p.size(0), estimate.p_validation_samples,
                  estimate.p_samples, estimate.held_out);
}

Counts CountsOfQ(const Report& report) {
  const WassersteinEstimate& estimate = report.estimate;
  return CountsOf(report.samples.q.size(0), estimate.q_validation_samples,
                  estimate.q_samples, estimate.held_out);
}

std::string CountsText(const Counts& counts) {
  return absl::StrCat(counts.training, " / ", counts.validation, " / ",
                      counts.test);
}

Json CountsJson(const std::string& file, const Counts& counts) {
  return {{"file", file},
          {"samples", counts.all},
          {"training", counts.training},
          {"validation", counts.validation},
          {"test", counts.test}};
}

// With digits enough that no share below one reads as 100 %.
std::string PercentText(double share) {
  return absl::StrFormat("%.15g %%", share * 100.0);
}

std::string IntervalText(const WassersteinEstimate& estimate) {
  return absl::StrCat(NineDigitsDown(estimate.lower), " to ",
                      NineDigitsUp(estimate.upper));
}

// Where the distances between the samples are of very different sizes, the
// solver's whole numbers leave a gap.
std::string ExactText(const ExactDistance& exact) {
  constexpr double kNegligible = 1e-9;
  if (exact.gap <= kNegligible * exact.value) return NineDigits(exact.value);
  return absl::StrCat("between ", NineDigitsDown(exact.value), " and ",
                      NineDigitsUp(exact.value + exact.gap));
}

Json ConfigJson(const WassersteinConfig& config) {
  Json json;
  json["ground_norm"] = NormName(config.ground_norm);
  json["scale"] = config.standardise;
  json["network"] = NetworkConfigToJson(config.network);
  json["optimizer"] = OptimizerName(config.optimizer);
  json["steps"] = config.steps;
  json["batch_size"] = config.batch_size;
  json["learning_rate"] = config.learning_rate;
  json["validation_share"] = config.validation_share;
  json["test_share"] = config.test_share;
  json["patience"] = config.patience;
  json["confidence"] = config.confidence;
  json["seed"] = config.seed;
  return json;
}

Json ExactJson(const Report& report) {
  if (!report.exact_status.ok()) {
    return {{"error", std::string(report.exact_status.message())}};
  }
  if (!report.exact.has_value()) return nullptr;
  return {{"of", "all samples"},
          {"value", report.exact->value},
          {"gap", report.exact->gap},
          {"critic_bound", report.exact->critic_bound}};
}

Json TransformJson(const Report& report) {
  if (!report.transform_status.ok()) {
    return {{"error", std::string(report.transform_status.message())}};
  }
  if (!report.transform_bound.has_value()) return nullptr;
  return {{"of", "all samples"}, {"lower_bound", *report.transform_bound}};
}

}  // namespace

std::string EstimateText(const Report& report) {
  const WassersteinEstimate& estimate = report.estimate;
  const std::string value =
      absl::StrCat("at least ", NineDigitsDown(estimate.estimate.LowerBound()));
  if (!estimate.held_out) return value + " on these samples";
  return absl::StrCat(value, " on the held-out samples; ",
                      PercentText(report.config.confidence), " interval ",
                      IntervalText(estimate));
}

std::string ReportTable(const Report& report) {
  const WassersteinEstimate& estimate = report.estimate;
  const double confidence = report.config.confidence;
  experiments::Table table;
  table.columns = {{"W1 of P and Q"}, {report.p + ", " + report.q}};
  const auto add = [&](const std::string& name, const std::string& value) {
    table.rows.push_back({name, value});
  };
  add(estimate.held_out ? "certified lower bound (held-out samples)"
                        : "certified lower bound (of the samples themselves)",
      NineDigitsDown(estimate.estimate.LowerBound()));
  if (estimate.held_out) {
    add(PercentText(confidence) + " interval", IntervalText(estimate));
    table.notes.push_back(absl::StrCat(
        "The bound itself is one on W1 of the held-out samples, proven. That "
        "W1 "
        "of the distributions is at least the interval's lower end has ",
        PercentText((1.0 + confidence) / 2.0),
        " confidence where the critic's values are close to a normal "
        "distribution or the held-out samples (",
        estimate.p_samples, " and ", estimate.q_samples,
        ") are many; not where values too rare to be among them carry much of "
        "the mean."));
    if (estimate.estimate.standard_error <= estimate.estimate.rounding) {
      table.notes.push_back(
          "The critic does not vary over the held-out samples of a side: the "
          "interval has no width, and says nothing of rarer samples.");
    }
  } else {
    table.notes.push_back(
        "No samples were held out (--test_share=0): this is no statement about "
        "the distributions they are from.");
  }
  add(absl::StrCat("K, proven (", NormName(report.config.ground_norm), ")"),
      NineDigitsUp(estimate.estimate.lipschitz_constant));
  if (report.exact.has_value()) {
    add("exact W1 of all samples", ExactText(*report.exact));
    add("the critic's lower bound on it",
        NineDigitsDown(report.exact->critic_bound));
  } else if (!report.exact_status.ok()) {
    add("exact W1 of all samples", "not solved");
  }
  if (report.transform_bound.has_value()) {
    add("the c-transform's lower bound on W1 of all samples",
        NineDigitsDown(*report.transform_bound));
    table.notes.push_back(
        "The c-transform's bound, as the exact value, is about these samples "
        "alone: their W1 is on average above that of the distributions, in "
        "many dimensions far above.");
  } else if (!report.transform_status.ok()) {
    add("the c-transform's lower bound on W1 of all samples", "none");
  }
  add("samples of P: training / validation / test",
      CountsText(CountsOfP(report)));
  add("samples of Q: training / validation / test",
      CountsText(CountsOfQ(report)));
  std::string seconds = absl::StrFormat("%.2f", report.estimate_seconds);
  if (report.exact.has_value()) {
    absl::StrAppendFormat(&seconds, ", and %.2f for the exact value",
                          report.exact_seconds);
  }
  if (report.transform_bound.has_value()) {
    absl::StrAppendFormat(&seconds, ", and %.2f for the c-transform",
                          report.transform_seconds);
  }
  add("seconds", seconds);
  return table.ToMarkdown();
}

std::string ReportJson(const Report& report) {
  const WassersteinEstimate& estimate = report.estimate;
  Json json;
  json["schema"] = 1;
  json["p"] = CountsJson(report.p, CountsOfP(report));
  json["q"] = CountsJson(report.q, CountsOfQ(report));
  json["dimension"] = report.samples.p.size(1);
  json["units"] = "those of the samples";
  json["ground_norm"] = NormName(report.config.ground_norm);
  json["lower_bound"] = estimate.estimate.LowerBound();
  json["held_out"] = estimate.held_out;
  json["standard_error"] = estimate.held_out
                               ? Json(estimate.estimate.standard_error)
                               : Json(nullptr);
  json["confidence"] = report.config.confidence;
  json["interval"] = estimate.held_out ? Json({estimate.lower, estimate.upper})
                                       : Json(nullptr);
  json["lipschitz_constant"] = estimate.estimate.lipschitz_constant;
  json["exact"] = ExactJson(report);
  json["c_transform"] = TransformJson(report);
  json["step"] = estimate.step;
  json["scale"] = estimate.scale;
  json["config"] = ConfigJson(report.config);
  json["history"] = experiments::HistoryToJson(estimate.training.history);
  json["environment"] = experiments::DescribeEnvironment(report.config.device);
  json["estimate_seconds"] = report.estimate_seconds;
  json["exact_seconds"] = report.exact_seconds;
  json["c_transform_seconds"] = report.transform_seconds;
  // A path need not be UTF-8.
  return json.dump(/*indent=*/2, ' ', /*ensure_ascii=*/false,
                   Json::error_handler_t::replace) +
         "\n";
}

}  // namespace lipschitz::tools
