// bazel run //experiments/squares -- --preset=quick --seed=0
#include "experiments/common/critic_flags.h"
#include "experiments/squares/squares.h"

int main(int argc, char** argv) {
  using namespace lipschitz::experiments;
  return CriticMain<SquaresExperiment>(
      argc, argv,
      "Estimates the Wasserstein distance between an image with a white square "
      "and a black one, "
      "with norm-constrained critics of several activations.");
}
