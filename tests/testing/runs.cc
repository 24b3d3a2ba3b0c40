#include "tests/testing/runs.h"

#include "gtest/gtest.h"

namespace lipschitz::testing {

std::vector<experiments::Run> PlanOf(
    const experiments::Experiment& experiment,
    const experiments::CommonSettings& settings) {
  auto plan = experiment.Plan(settings);
  EXPECT_TRUE(plan.ok()) << plan.status();
  return plan.ok() ? *std::move(plan) : std::vector<experiments::Run>{};
}

experiments::RunOutcome Execute(const experiments::Run& run, uint64_t seed) {
  experiments::SetSeed(seed);
  experiments::RunContext context;
  context.seed = seed;
  auto outcome = run.execute(context);
  EXPECT_TRUE(outcome.ok()) << run.label << ": " << outcome.status();
  return outcome.ok() ? *std::move(outcome) : experiments::RunOutcome{};
}

}  // namespace lipschitz::testing
