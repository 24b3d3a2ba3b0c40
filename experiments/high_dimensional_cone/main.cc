// bazel run //experiments/high_dimensional_cone -- --preset=quick --seed=0
#include "experiments/common/critic_flags.h"
#include "experiments/high_dimensional_cone/high_dimensional_cone.h"

int main(int argc, char** argv) {
  using namespace lipschitz::experiments;
  return CriticMain<HighDimensionalConeExperiment>(
      argc, argv,
      "Estimates the Wasserstein distance between a sphere in many dimensions "
      "and its centre, "
      "with norm-constrained critics of several activations.");
}
