#include "benchmarks/program.h"

#include <ATen/Context.h>
#include <benchmark/benchmark.h>
#include <gflags/gflags.h>

#include <cmath>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "experiments/common/environment.h"
#include "experiments/common/settings.h"
#include "lipschitz/base/status.h"

DEFINE_int32(threads, 1, "Threads of LibTorch and its BLAS.");

namespace lipschitz::benchmarks {
namespace {

void Measure(benchmark::State& state, const std::string& name,
             const std::function<Workload()>& prepare,
             std::optional<Workload>* workload) {
  const absl::Status status = CatchTorch(name, [&] {
    if (!workload->has_value()) {
      *workload = prepare();
      (*workload)->run();
    }
    for (auto _ : state) (*workload)->run();
  });
  if (!status.ok()) {
    state.SkipWithError(std::string(status.message()).c_str());
    return;
  }
  for (const auto& [key, value] : (*workload)->counters) {
    if (std::isfinite(value)) state.counters[key] = value;
  }
}

}  // namespace

void Declare(const std::string& name, Cost cost,
             const std::function<Workload()>& prepare) {
  const auto workload = std::make_shared<std::optional<Workload>>();
  auto* const declared = benchmark::RegisterBenchmark(
      name.c_str(), [name, prepare, workload](benchmark::State& state) {
        Measure(state, name, prepare, workload.get());
      });
  declared->UseRealTime()->Unit(benchmark::kMillisecond);
  if (cost == Cost::kCheap) {
    declared->MinTime(0.05)->Repetitions(3);
  } else {
    declared->Iterations(1);
  }
}

int RunProgram(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  gflags::ParseCommandLineFlags(&argc, &argv, /*remove_flags=*/true);
  experiments::SetThreads(FLAGS_threads);
  experiments::KeepFreedMemory();
  at::manual_seed(0);
  const experiments::Json environment = experiments::DescribeEnvironment("cpu");
  for (const auto& [key, value] : environment.items()) {
    benchmark::AddCustomContext(
        key, value.is_string() ? value.get<std::string>() : value.dump());
  }
  const size_t run = benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return run > 0 ? 0 : 1;
}

}  // namespace lipschitz::benchmarks
