#include "lipschitz/optim/optimizer.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lipschitz/optim/adam.h"
#include "lipschitz/optim/aggmo.h"
#include "lipschitz/optim/muon.h"

namespace lipschitz {
namespace {

constexpr OptimizerKind kAll[] = {OptimizerKind::kAdam, OptimizerKind::kAggMo,
                                  OptimizerKind::kMuon,
                                  OptimizerKind::kFastMuon};

}  // namespace

std::string OptimizerName(OptimizerKind kind) {
  switch (kind) {
    case OptimizerKind::kAdam:
      return "adam";
    case OptimizerKind::kAggMo:
      return "aggmo";
    case OptimizerKind::kMuon:
      return "muon";
    case OptimizerKind::kFastMuon:
      return "fast_muon";
  }
  return "";
}

absl::StatusOr<OptimizerKind> ParseOptimizer(const std::string& name) {
  std::vector<std::string> known;
  for (const OptimizerKind kind : kAll) {
    if (name == OptimizerName(kind)) return kind;
    known.push_back(OptimizerName(kind));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "unknown optimizer '", name, "'; known: ", absl::StrJoin(known, ", ")));
}

std::unique_ptr<torch::optim::Optimizer> MakeOptimizer(
    OptimizerKind kind, std::vector<torch::Tensor> parameters,
    double learning_rate) {
  switch (kind) {
    case OptimizerKind::kAggMo:
      return std::make_unique<AggMo>(std::move(parameters),
                                     AggMoOptions(learning_rate));
    case OptimizerKind::kMuon:
      return std::make_unique<Muon>(std::move(parameters),
                                    MuonOptions(learning_rate));
    case OptimizerKind::kFastMuon:
      return std::make_unique<Muon>(
          std::move(parameters),
          MuonOptions(learning_rate)
              .orthogonalise(OrthogonaliseOptions::Fast()));
    case OptimizerKind::kAdam:
      break;
  }
  return std::make_unique<Adam>(std::move(parameters),
                                torch::optim::AdamOptions(learning_rate));
}

}  // namespace lipschitz
