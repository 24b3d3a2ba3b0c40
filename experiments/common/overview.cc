#include "experiments/common/overview.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "experiments/common/anchors.h"
#include "experiments/common/finding.h"
#include "experiments/common/progress.h"
#include "experiments/common/settings.h"
#include "experiments/common/table.h"
#include "experiments/common/unusable_record.h"
#include "lipschitz/base/files.h"
#include "lipschitz/base/status.h"

namespace lipschitz::experiments {
namespace {

// What every version of the page begins with.
constexpr char kHeading[] = "# Results\n\nMade from the records in this folder";

constexpr char kIntroduction[] =
    R"(# Results

Made from the records in this folder by `bazel run //results:tables`, which computes what was measured, the verdicts, the
tables and the figures from them; descriptions are text of the code, numbers of others have their source. [The project's page](../README.md) says how to run the experiments.

## Claims

)";

constexpr char kVerdicts[] =
    R"(
A claim is taken apart into inequalities between numbers of the records, which the code of its experiment states
(`findings.cc`): *reproduced* when all hold, *not* when none does, *in part* otherwise, with ✗ after those that do not.
Numbers are means over seeds of the quick preset, with standard deviations, where nothing else is said.
)";

std::string VerdictText(ClaimVerdict verdict) {
  switch (verdict) {
    case ClaimVerdict::kReproduced:
      return "**reproduced**";
    case ClaimVerdict::kInPart:
      return "in part";
    case ClaimVerdict::kNotReproduced:
      break;
  }
  return "not";
}

bool Exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

std::string Link(const std::string& text, const std::string& target) {
  return absl::StrCat("[", text, "](", target, ")");
}

// One experiment and its standard records.
class Part {
 public:
  Part(const Experiment& experiment, const std::string& results_dir,
       const std::vector<Record>& records)
      : experiment_(experiment), results_dir_(results_dir) {
    std::copy_if(records.begin(), records.end(), std::back_inserter(records_),
                 IsStandard);
    findings_ = experiment.Findings(records);
    anchors_ = AnchorTable(experiment, AllAnchors(), records_);
  }

  bool HasRecords() const { return !records_.empty(); }
  bool HasAnchors() const { return !anchors_.rows.empty(); }

  void AddClaims(Table* table) const {
    for (const Finding& finding : findings_) {
      table->rows.push_back({finding.claim, NameWithLink(), finding.measured,
                             VerdictText(finding.verdict),
                             FigureLink(finding.figure)});
    }
  }

  // How often published and exact numbers are beaten, met and missed.
  void AddAnchors(Table* table) const {
    const auto column =
        std::find_if(anchors_.columns.begin(), anchors_.columns.end(),
                     [](const Column& c) { return c.title == "verdict"; });
    const auto index = static_cast<size_t>(column - anchors_.columns.begin());
    std::map<std::string, int> counts;
    for (const auto& row : anchors_.rows) {
      ++counts[std::get<std::string>(row.at(index))];
    }
    const auto take = [&](const char* verdict) {
      const int count = counts[verdict];
      counts.erase(verdict);
      return absl::StrCat(count);
    };
    std::vector<Cell> row = {
        Link(experiment_.name(),
             absl::StrCat("tables/", experiment_.name(), "_anchors.md")),
        take("**beaten**"), take("met within the spread"), take("missed")};
    counts.erase(kNoVerdict);
    // Exact answers and bounds: the share that ours is of them.
    std::string others;
    for (const auto& [verdict, count] : counts) {
      absl::StrAppend(&others, others.empty() ? "" : ", ", verdict);
    }
    row.emplace_back(others);
    table->rows.push_back(std::move(row));
  }

  std::string Section() const {
    std::string text = absl::StrCat("\n### ", NameWithLink(), "\n");
    const About about = experiment_.Description();
    const auto paragraph = [&](const char* title, const std::string& words) {
      if (words.empty()) return;
      absl::StrAppend(&text, "\n**", title, ".** ", words, "\n");
    };
    paragraph("Claim", about.claim);
    paragraph("Method", about.method);
    paragraph("Differs from the paper", about.differences);
    if (findings_.empty()) {
      absl::StrAppend(&text, "\nNo claim of it is checked on this page.\n");
    }
    absl::StrAppend(&text, "\n", Cost().ToMarkdown(), Figures());
    return text;
  }

 private:
  std::string NameWithLink() const {
    return Link(
        experiment_.name(),
        absl::StrCat("../experiments/", experiment_.name(), "/README.md"));
  }

  bool HasFigure(const std::string& name) const {
    return !name.empty() &&
           Exists(absl::StrCat(results_dir_, "/figures/", name, ".png"));
  }

  std::string FigureLink(const std::string& name) const {
    if (!HasFigure(name)) return "";
    return Link("figure", absl::StrCat("figures/", name, ".png"));
  }

  // Each figure that a claim points to, once.
  std::string Figures() const {
    std::vector<std::string> names;
    std::string text;
    for (const Finding& finding : findings_) {
      if (!HasFigure(finding.figure) ||
          std::count(names.begin(), names.end(), finding.figure) > 0) {
        continue;
      }
      names.push_back(finding.figure);
      absl::StrAppend(&text, "\n![", finding.figure, "](figures/",
                      finding.figure, ".png)\n");
    }
    return text;
  }

  Table Cost() const {
    Table table;
    table.columns = {{"preset"}, {"table"}, {"runs"},
                     {"failed"}, {"time"},  {"seconds a run"}};
    for (const Preset preset :
         {Preset::kSmoke, Preset::kQuick, Preset::kPaper}) {
      const std::vector<Record> records = StandardRecords(records_, preset);
      if (records.empty()) continue;
      double seconds = 0.0;
      int failed = 0;
      for (const Record& record : records) {
        if (!record.ok()) ++failed;
        const double cost = record.cost_seconds();
        if (!std::isnan(cost)) seconds += cost;
      }
      const std::string stem =
          preset == Preset::kQuick
              ? experiment_.name()
              : absl::StrCat(experiment_.name(), "_", PresetName(preset));
      table.rows.push_back(
          {PresetName(preset),
           absl::StrCat(Link("table", absl::StrCat("tables/", stem, ".md")),
                        ", ",
                        Link("CSV", absl::StrCat("tables/", stem, ".csv"))),
           absl::StrCat(records.size()), absl::StrCat(failed),
           FormatDuration(seconds),
           absl::StrFormat("%.1f",
                           seconds / static_cast<double>(records.size()))});
    }
    return table;
  }

  const Experiment& experiment_;
  const std::string& results_dir_;
  std::vector<Record> records_;
  std::vector<Finding> findings_;
  Table anchors_;
};

}  // namespace

absl::StatusOr<std::string> OverviewPage(
    const std::vector<std::unique_ptr<Experiment>>& experiments,
    const std::string& results_dir) {
  Table claims;
  claims.columns = {
      {"claim"}, {"experiment"}, {"measured"}, {"verdict"}, {"figure"}};
  Table anchors;
  anchors.columns = {{"numbers"},
                     {"beaten"},
                     {"met within the spread"},
                     {"missed"},
                     {"exact answers and bounds: ours is"}};
  std::string sections;
  std::string missing;
  for (const auto& experiment : experiments) {
    const RecordSet set = ReadRecords(results_dir, experiment->name());
    LIPSCHITZ_RETURN_IF_ERROR(UseRecords(
        set.records, results_dir,
        [&](const std::vector<Record>& used, const std::string& folder) {
          const Part part(*experiment, folder, used);
          if (!part.HasRecords()) {
            absl::StrAppend(&missing, missing.empty() ? "" : ", ",
                            experiment->name());
            return absl::OkStatus();
          }
          part.AddClaims(&claims);
          if (part.HasAnchors()) part.AddAnchors(&anchors);
          absl::StrAppend(&sections, part.Section());
          return absl::OkStatus();
        }));
  }
  std::string page =
      absl::StrCat(kIntroduction, claims.ToMarkdown(), kVerdicts);
  if (!anchors.rows.empty()) {
    absl::StrAppend(&page, "\n## Published and exact numbers beside ours\n\n",
                    anchors.ToMarkdown());
  }
  absl::StrAppend(&page, "\n## Experiments\n", sections);
  if (!missing.empty()) {
    absl::StrAppend(&page, "\nWithout records here: ", missing, ".\n");
  }
  return page;
}

absl::Status CheckOverviewPlace(const std::string& results_dir) {
  const std::string path = results_dir + "/README.md";
  const auto page = ReadFile(path);
  if (absl::IsNotFound(page.status())) return absl::OkStatus();
  if (!page.ok()) return page.status();
  if (absl::StartsWith(*page, kHeading)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(path,
                   " is no report of these programs, and would be "
                   "overwritten by one: move it away, or give another "
                   "--results_dir"));
}

absl::Status WriteOverview(
    const std::vector<std::unique_ptr<Experiment>>& experiments,
    const std::string& results_dir) {
  LIPSCHITZ_RETURN_IF_ERROR(CheckOverviewPlace(results_dir));
  LIPSCHITZ_ASSIGN_OR_RETURN(const std::string page,
                             OverviewPage(experiments, results_dir));
  return WriteFileAtomically(results_dir + "/README.md", page);
}

}  // namespace lipschitz::experiments
