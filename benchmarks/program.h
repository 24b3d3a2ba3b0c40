// What every benchmark program shares: how a measurement is declared, and main.
#pragma once

#include <functional>
#include <map>
#include <string>

namespace lipschitz::benchmarks {

// What is measured, with its data prepared.
struct Workload {
  std::function<void()> run;
  // Stored beside the time. "flop": what `run` cannot do without, for its
  // distance to the GEMM peak. "bytes": what it moves. Others as the program
  // says. One that is not finite is left out.
  std::map<std::string, double> counters;
};

enum class Cost {
  kCheap,   // three times 50 ms at least
  kCostly,  // once
};

// Declares the benchmark `name`. `prepare` is called once in the process,
// before the first measurement and outside it, and `run` once more to warm up,
// so that repetitions and interleaving cost nothing. An exception becomes an
// error of this benchmark alone. Wall-clock time.
void Declare(const std::string& name, Cost cost,
             const std::function<Workload()>& prepare);

// Runs what was declared, on --threads threads, with everything that a reader
// of the numbers has to know as context of the output. Google Benchmark's flags
// work. Returns the exit status.
int RunProgram(int argc, char** argv);

}  // namespace lipschitz::benchmarks
