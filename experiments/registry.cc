#include "experiments/registry.h"

#include "experiments/absolute_value/absolute_value.h"
#include "experiments/activation_statistics/activation_statistics.h"
#include "experiments/function_fitting/function_fitting.h"
#include "experiments/gradient_norm/gradient_norm.h"
#include "experiments/high_dimensional_cone/high_dimensional_cone.h"
#include "experiments/interpretability/interpretability.h"
#include "experiments/mnist_classification/mnist_classification.h"
#include "experiments/mnist_robustness/mnist_robustness.h"
#include "experiments/orthonormal_training/orthonormal_training.h"
#include "experiments/small_data/small_data.h"
#include "experiments/squares/squares.h"
#include "experiments/three_cones/three_cones.h"
#include "experiments/transport_accuracy/transport_accuracy.h"

namespace lipschitz::experiments {

std::vector<std::unique_ptr<Experiment>> AllExperiments() {
  std::vector<std::unique_ptr<Experiment>> experiments;
  experiments.push_back(std::make_unique<AbsoluteValueExperiment>());
  experiments.push_back(std::make_unique<ThreeConesExperiment>());
  experiments.push_back(std::make_unique<HighDimensionalConeExperiment>());
  experiments.push_back(std::make_unique<SquaresExperiment>());
  experiments.push_back(std::make_unique<TransportAccuracyExperiment>());
  experiments.push_back(std::make_unique<FunctionFittingExperiment>());
  experiments.push_back(std::make_unique<OrthonormalTrainingExperiment>());
  experiments.push_back(std::make_unique<MnistClassificationExperiment>());
  experiments.push_back(std::make_unique<MnistRobustnessExperiment>());
  experiments.push_back(std::make_unique<SmallDataExperiment>());
  experiments.push_back(std::make_unique<GradientNormExperiment>());
  experiments.push_back(std::make_unique<ActivationStatisticsExperiment>());
  experiments.push_back(std::make_unique<InterpretabilityExperiment>());
  return experiments;
}

}  // namespace lipschitz::experiments
