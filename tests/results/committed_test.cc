// The committed records hold what the project claims, and the committed tables
// are what they give.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "experiments/common/experiment.h"
#include "experiments/common/main.h"
#include "experiments/common/overview.h"
#include "experiments/common/record.h"
#include "experiments/common/settings.h"
#include "experiments/registry.h"
#include "gtest/gtest.h"
#include "lipschitz/models/generator.h"
#include "tests/testing/data_files.h"
#include "tests/testing/files.h"
#include "tests/testing/subprocess.h"

namespace lipschitz::experiments {
namespace {

std::vector<Record> Committed(const std::string& experiment) {
  RecordSet set = ReadRecords(testing::DataFile("results"), experiment);
  EXPECT_TRUE(set.problems.empty()) << set.problems.front();
  EXPECT_FALSE(set.records.empty()) << experiment;
  return set.records;
}

TEST(CommittedResults, TablesAreWhatTheRecordsGive) {
  for (const auto& experiment : AllExperiments()) {
    const Table table = experiment->MakeTable(
        StandardRecords(Committed(experiment->name()), Preset::kQuick));
    const std::string stem =
        testing::DataFile("results/tables/" + experiment->name());
    EXPECT_EQ(testing::ReadText(stem + ".md"), table.ToMarkdown());
    EXPECT_EQ(testing::ReadText(stem + ".csv"), table.ToCsv());
  }
}

// Those of other presets, of radii, of anchors; and no figure or table is left
// over that no record makes. (Pictures of generated images come from runs.)
TEST(CommittedResults, EveryFileIsWhatTheRecordsGive) {
  const std::string results = testing::NewFolder("results");
  std::filesystem::copy(testing::DataFile("results/records"),
                        results + "/records",
                        std::filesystem::copy_options::recursive);
  for (const auto& experiment : AllExperiments()) {
    const absl::Status written = WriteReportFromRecords(*experiment, results);
    ASSERT_TRUE(written.ok()) << written;
  }
  const auto names = [](const std::string& folder) {
    std::set<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (!entry.is_directory()) found.insert(entry.path().filename());
    }
    return found;
  };
  const std::string tables = testing::DataFile("results/tables");
  EXPECT_EQ(names(tables), names(results + "/tables"));
  for (const std::string& name : names(tables)) {
    EXPECT_EQ(testing::ReadText(tables + "/" + name),
              testing::ReadText(results + "/tables/" + name))
        << name;
  }
  EXPECT_EQ(names(testing::DataFile("results/figures")),
            names(results + "/figures"));
}

// Of the images that were attacked, none falls that is proven.
TEST(CommittedResults, NoAttackGetsBelowWhatIsProven) {
  int compared = 0;
  for (const Record& record : Committed("mnist_robustness")) {
    for (const auto& [name, proven] : record.metrics) {
      const std::string prefix = "certified_attacked_";
      if (name.rfind(prefix, 0) != 0) continue;
      const std::string radius = name.substr(prefix.size());
      for (const char* attack : {"fgsm_", "pgd_", "auto_pgd_"}) {
        EXPECT_LE(proven, record.metrics.at(attack + radius))
            << record.slug << " " << attack << radius;
        ++compared;
      }
    }
  }
  EXPECT_GT(compared, 500);
}

// What every preset is held to; older records do not say.
TEST(CommittedResults, NoRunTookMoreThanTwoGibibytes) {
  int known = 0;
  for (const auto& experiment : AllExperiments()) {
    for (const Record& record : Committed(experiment->name())) {
      if (std::isnan(record.peak_memory_mib)) continue;
      ++known;
      EXPECT_LE(record.peak_memory_mib, 2048.0)
          << experiment->name() << ' ' << record.slug;
    }
  }
  EXPECT_GT(known, 100);
}

// The generators that estimates are about can be read, are small, and are those
// of the records.
TEST(CommittedResults, GeneratorsAreThoseOfTheRecords) {
  std::set<std::string> seen;
  for (const Record& record : Committed("wasserstein_estimation")) {
    const std::string generator =
        record.variant.at("generator").get<std::string>();
    const std::string path = testing::DataFile(
        "results/generators/" + record.dataset + "-" + generator + ".lip");
    EXPECT_EQ(record.config.at("generator_digest"),
              Digest(testing::ReadText(path)))
        << record.slug;
    seen.insert(path);
  }
  EXPECT_GE(seen.size(), 2u);
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(
           testing::DataFile("results/generators"))) {
    ++files;
    EXPECT_LT(entry.file_size(), 1u << 20) << entry.path();
    const auto generator = LoadGenerator(entry.path());
    ASSERT_TRUE(generator.ok()) << generator.status();
    EXPECT_EQ(generator->config.OutputDim(), 784);
  }
  EXPECT_EQ(files, 6);
}

// Else `reproduce` would run again what is committed.
TEST(CommittedResults, ConfigurationsAreThoseThatThePresetsHave) {
  // As many images as MNIST has, of noise: enough to plan with.
  const std::string data = testing::NewFolder("noise");
  const auto train = testing::RandomImages(60000, 1, 28, /*seed=*/0);
  const auto test = testing::RandomImages(10000, 1, 28, /*seed=*/1);
  testing::WriteMnist(data + "/mnist", train, test);
  testing::WriteMnist(data + "/fashion-mnist", train, test);
  for (const auto& experiment : AllExperiments()) {
    int compared = 0;
    for (const Preset preset : {Preset::kQuick, Preset::kPaper}) {
      for (const char* dataset : {"mnist", "fashion_mnist"}) {
        CommonSettings settings = SettingsOf(preset);
        settings.results_dir = testing::DataFile("results");
        settings.data_dir = data;
        settings.dataset = dataset;
        const auto plan = experiment->Plan(settings);
        ASSERT_TRUE(plan.ok()) << plan.status();
        for (const auto& run : *plan) {
          for (uint64_t seed = 0; seed < 5; ++seed) {
            const auto record = ReadRecord(RecordPath(
                settings.results_dir, experiment->name(), run.slug, seed));
            if (!record.ok()) continue;
            ++compared;
            EXPECT_EQ(record->config.dump(), run.config.dump())
                << experiment->name() << ": " << run.slug << ", seed " << seed;
          }
        }
      }
    }
    EXPECT_GT(compared, 0) << experiment->name();
  }
}

TEST(CommittedResults, ReportIsWhatTheRecordsGive) {
  EXPECT_EQ(
      testing::ReadText(testing::DataFile("results/README.md")),
      OverviewPage(AllExperiments(), testing::DataFile("results")).value());
}

TEST(CommittedResults, NoEstimateOfAnyVariantBreaksItsCertificate) {
  for (const Record& record : Committed("absolute_value")) {
    // A user's own training with other settings may fail.
    if (!record.ok() && !IsStandard(record)) continue;
    EXPECT_TRUE(record.ok()) << record.slug << ": " << record.message;
    EXPECT_LE(record.metrics.at("wasserstein_estimate"), 1.0 + 1e-6)
        << record.slug;
    ASSERT_TRUE(record.lipschitz.has_value()) << record.slug;
    EXPECT_LE(record.lipschitz->upper_bound, 1.0 + 1e-5) << record.slug;
  }
}

TEST(CommittedResults, AbsoluteValueReachesWhatItsReadmeClaims) {
  const std::set<std::string> preserving = {"abs", "maxmin", "groupsort4",
                                            "fullsort"};
  int reached = 0;
  int halves = 0;
  for (const Record& record :
       StandardRecords(Committed("absolute_value"), Preset::kQuick)) {
    const std::string activation = record.variant.at("activation");
    const double estimate = record.metrics.at("wasserstein_estimate");
    if (record.variant.at("constraint") == "bjorck" &&
        preserving.count(activation) > 0) {
      EXPECT_GE(estimate, 0.9995) << record.slug;
      EXPECT_LE(record.wall_seconds, 20.0) << record.slug;
      ++reached;
    }
    if (activation == "relu" && record.variant.at("hidden_layers") == 1) {
      EXPECT_LE(estimate, 0.5) << record.slug;
      ++halves;
    }
  }
  // Four activations, three depths, three seeds; three constraints, three
  // seeds.
  EXPECT_GE(reached, 36);
  EXPECT_GE(halves, 9);
}

TEST(CommittedResults, FunctionFittingReachesWhatItsReadmeClaims) {
  const std::vector<Record> records =
      StandardRecords(Committed("function_fitting"), Preset::kQuick);
  int reached = 0;
  int missed = 0;
  for (const VariantRecords& group : GroupByVariant(records)) {
    const std::string label = group.variant.dump();
    EXPECT_EQ(group.failed.size(), 0u) << label;
    ASSERT_FALSE(group.ok.empty()) << label;
    for (const Record* record : group.ok) {
      ASSERT_TRUE(record->lipschitz.has_value()) << label;
      EXPECT_LE(record->lipschitz->upper_bound, 1.0 + 1e-5) << label;
      EXPECT_LE(record->lipschitz->lower_bound,
                record->lipschitz->upper_bound + 1e-9)
          << label;
    }
    if (group.variant.at("constraint") != "stiefel" ||
        group.variant.at("width") != 32 ||
        group.variant.at("hidden_layers") != 4 || group.ok[0]->curves.empty()) {
      continue;
    }
    if (group.variant.at("activation") == "groupsort4") {
      EXPECT_LE(SummariseMetric(group, "sup_error_bound").mean, 0.01) << label;
      ++reached;
    } else if (group.variant.at("activation") == "relu") {
      EXPECT_GE(SummariseMetric(group, "sup_error").mean, 0.02) << label;
      ++missed;
    }
  }
  // The functions on the line.
  EXPECT_EQ(reached, 5);
  EXPECT_EQ(missed, 5);
}

// Seed by seed, each with its subset of the images.
TEST(CommittedResults,
     SmallDataBeatsFreeLeNetsOnEverySubsetThatItsReadmeClaims) {
  using BySeed = std::map<uint64_t, double>;
  std::map<std::string, BySeed> accuracy;
  for (const Record& record :
       StandardRecords(Committed("small_data"), Preset::kQuick)) {
    accuracy[record.slug][record.seed] = record.metrics.at("test_accuracy");
  }
  const auto mean = [](const BySeed& values) {
    double sum = 0.0;
    for (const auto& [seed, value] : values) sum += value;
    return sum / static_cast<double>(values.size());
  };
  for (const std::string subset : {"mnist-300", "mnist-500", "mnist-1000",
                                   "fashion_mnist-300", "fashion_mnist-500"}) {
    const BySeed& ours = accuracy[subset + "-lenet_orthogonal_maxmin"];
    ASSERT_EQ(ours.size(), 5u) << subset;
    BySeed best;
    for (const char* rival : {"-lenet_none_relu", "-lenet_none_maxmin"}) {
      const BySeed& values = accuracy[subset + rival];
      ASSERT_EQ(values.size(), 5u) << subset << rival;
      if (best.empty() || mean(values) > mean(best)) best = values;
    }
    for (const auto& [seed, value] : ours) {
      EXPECT_GT(value, best.at(seed)) << subset << ", seed " << seed;
    }
  }
}

TEST(CommittedResults, NoAttackBrokeACertificate) {
  int attacked = 0;
  for (const Record& record : Committed("mnist_robustness")) {
    EXPECT_TRUE(record.ok()) << record.slug << ": " << record.message;
    // Runs that compared settings on validation images have no certificates.
    if (record.metrics.count("gate_attacked") == 0) continue;
    EXPECT_EQ(record.metrics.at("gate_broken"), 0.0) << record.slug;
    attacked += static_cast<int>(record.metrics.at("gate_attacked"));
    ASSERT_TRUE(record.lipschitz.has_value()) << record.slug;
    EXPECT_LE(record.lipschitz->lower_bound,
              record.lipschitz->upper_bound * (1 + 1e-6))
        << record.slug;
    // One constant for all pairs proves no more than one for each.
    for (const char* radius : {"0.3", "1.58", "0.1"}) {
      const auto certified =
          record.metrics.find(std::string("certified_") + radius);
      if (certified == record.metrics.end()) continue;
      EXPECT_LE(record.metrics.at(std::string("certified_naive_") + radius),
                certified->second)
          << record.slug;
    }
  }
  EXPECT_GT(attacked, 100000);
}

// No certified accuracy on test images is published without the attacks on all
// of its certificates.
TEST(CommittedResults, EveryCertifiedTestImageWasAttacked) {
  for (const char* experiment : {"mnist_robustness", "small_data"}) {
    int certified = 0;
    for (const Record& record : Committed(experiment)) {
      if (record.metrics.count("test_accuracy") == 0) continue;
      ASSERT_EQ(record.metrics.count("gate_attacked"), 1u) << record.slug;
      EXPECT_EQ(record.metrics.at("gate_broken"), 0.0) << record.slug;
      if (record.metrics.at("gate_attacked") == 0.0) continue;
      EXPECT_GT(record.metrics.at("gate_least_margin"), 0.0) << record.slug;
      ++certified;
    }
    EXPECT_GE(certified, 100) << experiment;
  }
}

// The tighter the constraint, the more ReLU units are active on nearly all
// images.
TEST(CommittedResults, TightConstraintsKeepReluUnitsActive) {
  const std::vector<Record> records =
      StandardRecords(Committed("activation_statistics"), Preset::kQuick);
  std::vector<double> undead;
  for (const char* constant : {"0.1", "1", "10", "100"}) {
    for (const VariantRecords& group : GroupByVariant(records)) {
      if (group.variant.at("activation") != "relu" ||
          group.variant.at("lipschitz_constant") != constant) {
        continue;
      }
      EXPECT_GE(group.ok.size(), 3u) << constant;
      undead.push_back(SummariseMetric(group, "undead_rate_trained").mean);
    }
  }
  ASSERT_EQ(undead.size(), 4u);
  EXPECT_GT(undead[0], 0.7);
  for (size_t i = 1; i < 4; ++i) EXPECT_LT(undead[i], undead[i - 1]) << i;
}

// The goals that the README of mnist_robustness calls met.
TEST(CommittedResults, RobustnessReachesWhatItsReadmeClaims) {
  const std::vector<Record> records = Committed("mnist_robustness");
  const auto mean = [&](Preset preset, const char* norm, const char* model,
                        const char* metric) {
    const std::vector<Record> standard = StandardRecords(records, preset);
    for (const VariantRecords& group : GroupByVariant(standard)) {
      if (group.variant.at("norm") == norm &&
          group.variant.at("model") == model && !group.ok.empty() &&
          group.ok[0]->dataset == "mnist") {
        EXPECT_GE(group.ok.size(), 3u) << model;
        return SummariseMetric(group, metric).mean;
      }
    }
    ADD_FAILURE() << "no records of " << model;
    return std::nan("");
  };
  const auto paper = [&](const char* norm, const char* model,
                         const char* metric) {
    return mean(Preset::kPaper, norm, model, metric);
  };
  EXPECT_GE(paper("l2", "stiefel_maxmin", "test_accuracy"), 0.987);
  EXPECT_GE(paper("l2", "stiefel_maxmin", "certified_0.3"), 0.971);
  EXPECT_GE(paper("l2", "stiefel_maxmin", "certified_1.58"), 0.545);
  EXPECT_GE(paper("l2", "stiefel_maxmin", "certified_float32_0.3"), 0.971);
  EXPECT_GE(paper("l2", "stiefel_maxmin_far", "certified_1.58"), 0.63);
  EXPECT_GE(paper("l2", "stiefel_maxmin_far", "test_accuracy"), 0.96);
  EXPECT_GE(paper("linf", "linf_rows_groupsort32", "certified_0.1"), 0.80);
  EXPECT_GE(paper("linf", "linf_rows_groupsort32", "test_accuracy"), 0.90);
  // The attacks mean something: free networks fall to them.
  for (const char* model : {"none_relu", "none_maxmin"}) {
    EXPECT_LE(mean(Preset::kQuick, "linf", model, "auto_pgd_0.1"), 0.08)
        << model;
    EXPECT_LE(mean(Preset::kQuick, "l2", model, "auto_pgd_1.58"), 0.1) << model;
  }
}

// Means over the seeds of what the READMEs of the critic experiments claim.
TEST(CommittedResults, CriticsReachTheKnownDistances) {
  const auto mean = [](const std::string& experiment, const Json& variant) {
    const std::vector<Record> records =
        StandardRecords(Committed(experiment), Preset::kQuick);
    double value = 0.0;
    for (const VariantRecords& group : GroupByVariant(records)) {
      if (group.variant != variant) continue;
      EXPECT_GE(group.ok.size(), 3u) << variant.dump();
      EXPECT_EQ(group.failed.size(), 0u) << variant.dump();
      value = SummariseMetric(group, "estimate_over_exact").mean;
    }
    EXPECT_LE(value, 1.0 + 1e-6) << experiment << variant.dump();
    return value;
  };
  const auto of = [](const char* activation) {
    return Json{{"activation", activation}, {"constraint", "stiefel"}};
  };
  EXPECT_GE(mean("three_cones", of("groupsort4")), 0.99);
  EXPECT_LE(mean("three_cones", of("relu")), 0.7);
  for (const auto& [dimension, reached] :
       {std::pair(128, 0.999), {256, 0.998}, {512, 0.995}}) {
    Json variant = of("fullsort");
    variant["hidden_layers"] = 3;
    variant["dimension"] = dimension;
    EXPECT_GE(mean("high_dimensional_cone", variant), reached) << dimension;
  }
  for (const char* activation : {"relu", "maxmin", "groupsort4", "fullsort"}) {
    EXPECT_GE(mean("squares", of(activation)), 34.99 / 35.0) << activation;
  }
  Json mixtures = of("fullsort");
  mixtures["samples"] = "mixtures_2d";
  EXPECT_GE(mean("transport_accuracy", mixtures), 0.99);
}

// The paper preset's goals, in the mean over three seeds or more.
TEST(CommittedResults, PaperPresetsReachTheirGoals) {
  const auto mean = [](const std::string& experiment, const Json& variant,
                       const std::string& metric) {
    int found = 0;
    double value = std::nan("");
    const std::vector<Record> records =
        StandardRecords(Committed(experiment), Preset::kPaper);
    for (const VariantRecords& group : GroupByVariant(records)) {
      Json with = group.variant;
      with.update(variant);
      if (with != group.variant) continue;
      ++found;
      EXPECT_GE(group.ok.size(), 3u) << variant.dump();
      EXPECT_EQ(group.failed.size(), 0u) << variant.dump();
      value = SummariseMetric(group, metric).mean;
    }
    EXPECT_EQ(found, 1) << experiment << variant.dump();
    return value;
  };
  for (const char* function :
       {"distance_l2", "peak_l2", "distance_linf", "peak_linf"}) {
    EXPECT_LE(mean("function_fitting", {{"function", function}}, "sup_error"),
              0.01)
        << function;
  }
  for (const auto& [samples, share] : {std::pair("mixtures_2d", 0.999),
                                       {"mixtures_16d", 0.985},
                                       {"mnist_halves", 0.80}}) {
    const Json variant = {{"samples", samples}};
    const double transformed =
        mean("transport_accuracy", variant, "c_transform_over_exact");
    EXPECT_GE(transformed, share) << samples;
    EXPECT_LE(transformed, 1.0 + 1e-8) << samples;
    // More than no critic at all.
    EXPECT_GT(transformed, mean("transport_accuracy", variant,
                                "c_transform_of_zero_over_exact"))
        << samples;
  }
  for (const char* dataset : {"mnist", "fashion_mnist"}) {
    double least = 1.0;
    int seeds = 0;
    for (const Record& record :
         StandardRecords(Committed("wasserstein_estimation"), Preset::kPaper)) {
      if (record.dataset != dataset ||
          record.variant.at("samples") != "same_samples") {
        continue;
      }
      ++seeds;
      const double share = record.metrics.at("estimate_over_exact");
      EXPECT_LE(share, 1.0 + 1e-6) << record.slug;
      least = std::min(least, share);
    }
    EXPECT_EQ(seeds, 3) << dataset;
    EXPECT_GE(least, 0.80) << dataset;
  }
}

}  // namespace
}  // namespace lipschitz::experiments
