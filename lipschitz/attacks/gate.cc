#include "lipschitz/attacks/gate.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lipschitz/attacks/objective.h"
#include "lipschitz/base/status.h"
#include "lipschitz/certify/arithmetic_evaluation.h"
#include "lipschitz/data/random.h"
#include "lipschitz/losses/margin.h"

namespace lipschitz {
namespace {

// Images that are attacked before the next are converted.
constexpr int64_t kChunk = 1024;

double Distance(Norm norm, const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor difference =
      (a.to(at::kDouble) - b.to(at::kDouble)).flatten();
  if (norm == Norm::kLinf) return difference.abs().max().item<double>();
  return difference.norm(2).item<double>();
}

// PGD, then Auto-PGD on what PGD did not break.
absl::StatusOr<AttackResult> StrongestAttack(const Classifier& classifier,
                                             const at::Tensor& x,
                                             const at::Tensor& labels,
                                             const ThreatModel& threat,
                                             const PgdOptions& pgd,
                                             const AutoPgdOptions& auto_pgd) {
  LIPSCHITZ_ASSIGN_OR_RETURN(AttackResult best,
                             Pgd(classifier, x, labels, threat, pgd));
  const at::Tensor rest = best.success.logical_not().nonzero().squeeze(1);
  if (rest.numel() == 0) return best;
  LIPSCHITZ_ASSIGN_OR_RETURN(
      const AttackResult second,
      AutoPgd(classifier, x.index_select(0, rest), labels.index_select(0, rest),
              MakeThreat(threat.norm, threat.epsilon.index_select(0, rest),
                         threat.box),
              auto_pgd));
  // Where the first broke nothing, the second has the example itself at worst.
  const at::Tensor better =
      (second.margin >= best.margin.index_select(0, rest)).logical_not();
  const at::Tensor rows = better.nonzero().squeeze(1);
  const at::Tensor examples = rest.index_select(0, rows);
  best.adversarial.index_copy_(0, examples,
                               second.adversarial.index_select(0, rows));
  best.margin.index_copy_(0, examples, second.margin.index_select(0, rows));
  best.success.index_copy_(0, examples, second.success.index_select(0, rows));
  return best;
}

absl::Status CheckCertificates(const at::Tensor& images,
                               const Certificates& certificates) {
  const int64_t n = images.defined() && images.dim() > 1 ? images.size(0) : 0;
  for (const at::Tensor& tensor :
       {certificates.labels, certificates.pairwise_radius}) {
    if (!tensor.defined() || tensor.dim() != 1 || tensor.size(0) != n) {
      return absl::InvalidArgumentError(
          absl::StrCat("attack on certificates: ", n,
                       " images need as many labels and radii"));
    }
  }
  return absl::OkStatus();
}

Classifier ClassifierOf(LayerImpl& network) {
  return [&network](const at::Tensor& x) { return network.forward(x); };
}

// The network as the attacks see it.
absl::StatusOr<std::unique_ptr<ArithmeticEvaluation>> SearchEvaluation(
    LayerImpl& network, const at::Tensor& images, Arithmetic judged,
    bool float32_search) {
  if (float32_search && images.scalar_type() == torch::kFloat) {
    auto narrow = ArithmeticEvaluation::Create(network, Arithmetic::kFloat32);
    if (!absl::IsFailedPrecondition(narrow.status())) return narrow;
  }
  return ArithmeticEvaluation::Create(network, judged);
}

// The best input that the attacks find for each image in `certified`.
absl::StatusOr<at::Tensor> BestInputs(LayerImpl& network,
                                      const at::Tensor& images,
                                      const at::Tensor& certified,
                                      const Certificates& certificates,
                                      const GateOptions& options) {
  LIPSCHITZ_ASSIGN_OR_RETURN(
      const std::unique_ptr<ArithmeticEvaluation> evaluation,
      SearchEvaluation(network, images, certificates.arithmetic,
                       options.float32_search));
  const Classifier classifier = ClassifierOf(network);
  std::vector<at::Tensor> inputs;
  for (int64_t i = 0; i < certified.numel(); i += kChunk) {
    if (options.stop_requested && options.stop_requested()) {
      return absl::CancelledError("attack on certificates: stopped");
    }
    const at::Tensor chunk =
        certified.slice(0, i, std::min(certified.numel(), i + kChunk));
    PgdOptions pgd = options.pgd;
    pgd.seed = StreamSeed(pgd.seed, static_cast<uint64_t>(2 * i));
    AutoPgdOptions auto_pgd = options.auto_pgd;
    auto_pgd.seed = StreamSeed(auto_pgd.seed, static_cast<uint64_t>(2 * i + 1));
    LIPSCHITZ_ASSIGN_OR_RETURN(
        AttackResult result,
        StrongestAttack(
            classifier,
            images.index_select(0, chunk).detach().to(evaluation->type()),
            certificates.labels.index_select(0, chunk),
            MakeThreat(certificates.norm,
                       certificates.pairwise_radius.index_select(0, chunk),
                       options.box),
            pgd, auto_pgd));
    inputs.push_back(std::move(result.adversarial));
  }
  return at::cat(inputs);
}

}  // namespace

absl::StatusOr<GateReport> AttackCertificates(LayerImpl& network,
                                              const at::Tensor& images,
                                              const Certificates& certificates,
                                              const GateOptions& options) {
  LIPSCHITZ_RETURN_IF_ERROR(CheckCertificates(images, certificates));
  return CatchTorch(
      "attack on certificates", [&]() -> absl::StatusOr<GateReport> {
        const at::Tensor certified =
            (certificates.pairwise_radius > 0).nonzero().squeeze(1);
        GateReport report;
        report.attacked = certified.numel();
        report.least_margin = std::numeric_limits<double>::infinity();
        if (report.attacked == 0) return report;
        LIPSCHITZ_ASSIGN_OR_RETURN(
            const at::Tensor inputs,
            BestInputs(network, images, certified, certificates, options));
        LIPSCHITZ_ASSIGN_OR_RETURN(
            const std::unique_ptr<ArithmeticEvaluation> evaluation,
            ArithmeticEvaluation::Create(network, certificates.arithmetic));
        c10::NoGradGuard no_grad;
        for (int64_t i = 0; i < report.attacked; i += kChunk) {
          const int64_t end = std::min(report.attacked, i + kChunk);
          const at::Tensor chunk = certified.slice(0, i, end);
          const at::Tensor points =
              inputs.slice(0, i, end).to(evaluation->type());
          const at::Tensor labels = certificates.labels.index_select(0, chunk);
          const at::Tensor logits =
              EvaluateLogits(ClassifierOf(network), points);
          const at::Tensor margins = LogitMargins(logits, labels);
          report.least_margin =
              std::min(report.least_margin, margins.min().item<double>());
          const at::Tensor broken =
              (margins > 0).logical_not().nonzero().squeeze(1);
          for (int64_t k = 0; k < broken.numel(); ++k) {
            const int64_t row = broken[k].item<int64_t>();
            Counterexample found;
            found.index = chunk[row].item<int64_t>();
            found.label = labels[row].item<int64_t>();
            found.radius =
                certificates.pairwise_radius[found.index].item<double>();
            found.distance =
                Distance(certificates.norm, points[row],
                         images[found.index].to(evaluation->type()));
            found.logits = logits[row].clone();
            found.input = points[row].clone();
            // The attacks promise it; whoever is accused may rely on it.
            if (found.distance <= found.radius) {
              report.counterexamples.push_back(std::move(found));
            }
          }
        }
        return report;
      });
}

}  // namespace lipschitz
