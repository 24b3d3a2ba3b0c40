// bazel run //experiments/three_cones -- --preset=quick --seed=0
#include "experiments/common/critic_flags.h"
#include "experiments/three_cones/three_cones.h"

int main(int argc, char** argv) {
  using namespace lipschitz::experiments;
  return CriticMain<ThreeConesExperiment>(
      argc, argv,
      "Estimates the Wasserstein distance between three circles and their "
      "centres, "
      "with norm-constrained critics of several activations.");
}
