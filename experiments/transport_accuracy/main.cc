// bazel run //experiments/transport_accuracy -- --preset=quick --seed=0
#include "experiments/common/critic_flags.h"
#include "experiments/transport_accuracy/transport_accuracy.h"

int main(int argc, char** argv) {
  using namespace lipschitz::experiments;
  return CriticMain<TransportAccuracyExperiment>(
      argc, argv,
      "Estimates the Wasserstein distance between samples, beside the exact "
      "one, "
      "with norm-constrained critics of several activations.");
}
