#include "lipschitz/certify/certificate.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lipschitz/base/rounding.h"
#include "lipschitz/base/status.h"
#include "lipschitz/certify/arithmetic_evaluation.h"
#include "lipschitz/certify/forward_error.h"
#include "lipschitz/certify/pairwise_constant.h"

namespace lipschitz {
namespace {

using rounding::kInfinity;

at::Tensor Down(const at::Tensor& values) {
  return at::nextafter(values, at::full({}, -kInfinity, values.options()));
}

at::Tensor Where(const at::Tensor& condition, const at::Tensor& value,
                 double otherwise) {
  return at::where(condition, value, at::full({}, otherwise, value.options()));
}

// (n): the least of gap / constant over the classes, strictly below the exact
// quotient, so that at that distance no two logits are equal yet. 0 where a gap
// is not positive.
at::Tensor LeastRadius(const at::Tensor& gaps, const at::Tensor& constants) {
  // gap / 0 = ∞.
  return Where(gaps > 0, Down(gaps / constants).clamp_min(0), 0.0).amin(1);
}

class Certifier {
 public:
  Certifier(LayerImpl& network, const CertificationOptions& options)
      : network_(network), options_(options) {}

  absl::Status Prepare() {
    LIPSCHITZ_ASSIGN_OR_RETURN(constants_, BoundPairs(network_, options_.norm));
    if (options_.arithmetic != Arithmetic::kExact) {
      LIPSCHITZ_ASSIGN_OR_RETURN(
          rounding_, ForwardErrorBound::Create(network_, options_.arithmetic));
    }
    return absl::OkStatus();
  }

  double lipschitz_constant() const { return constants_.network; }

  // `images` of the arithmetic's type; `labels` undefined: those predicted.
  absl::StatusOr<Certificates> Batch(const at::Tensor& images,
                                     at::Tensor labels, int64_t first) const {
    const at::Tensor finite = at::isfinite(images).flatten(1).all(1);
    if (!finite.all().item<bool>()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "certification: image ",
          first + finite.logical_not().nonzero()[0][0].item<int64_t>(),
          " has a value that is not finite"));
    }
    ForwardErrorBound::Centres centres;
    at::Tensor logits;
    if (rounding_.has_value()) {
      if (images.dim() != 2) {
        return absl::InvalidArgumentError(absl::StrCat(
            "certification with rounding errors: images must be a matrix (n, "
            "d), they have ",
            images.dim(), " dimensions"));
      }
      centres = rounding_->Evaluate(images.to(at::kDouble));
      logits = centres.logits;
    }
    // What the classifier says; for float64 any of its evaluations will do.
    at::Tensor computed = logits;
    if (options_.arithmetic != Arithmetic::kFloat64) {
      computed = network_.forward(images);
    }
    if (!logits.defined()) logits = computed;
    if (logits.dim() != 2 || logits.size(0) != images.size(0) ||
        logits.size(1) < 2) {
      return absl::InvalidArgumentError(
          "certification: the network must give (n, classes) logits with two "
          "classes or more");
    }
    Certificates batch;
    batch.predicted = computed.argmax(1);
    batch.labels = labels.defined() ? labels : batch.predicted;
    if (batch.labels.max().item<int64_t>() >= logits.size(1)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "certification: label ", batch.labels.max().item<int64_t>(),
          ", but the network "
          "has ",
          logits.size(1), " classes"));
    }
    const at::Tensor is_label =
        at::zeros_like(logits, logits.options().dtype(at::kBool))
            .scatter(1, batch.labels.unsqueeze(1), true);
    batch.runner_up = computed.masked_fill(is_label, -kInfinity).argmax(1);
    const at::Tensor known = at::isfinite(logits).all(1).logical_and(
        batch.predicted == batch.labels);
    Radii(logits, centres, is_label, known, &batch);
    return batch;
  }

 private:
  void Radii(const at::Tensor& logits,
             const ForwardErrorBound::Centres& centres,
             const at::Tensor& is_label, const at::Tensor& known,
             Certificates* batch) const {
    const at::Tensor naive = at::full({}, constants_.naive, logits.options());
    const at::Tensor constants =
        constants_.pairwise.defined()
            ? constants_.pairwise.index_select(0, batch->labels)
            : naive.expand_as(logits);
    const at::Tensor gaps =
        Down(logits.gather(1, batch->labels.unsqueeze(1)) - logits)
            .masked_fill(is_label, kInfinity);
    // The error in a ball needs the ball, and the ball the error: the error is
    // bounded for balls of half the size again and again, and every one of them
    // proves the radius that is left, up to its own. The first, that of no
    // error, is nearly always the best.
    at::Tensor cap =
        LeastRadius(gaps, constants).clamp_max(options_.max_radius);
    at::Tensor errors = at::zeros_like(gaps);
    batch->pairwise_radius = at::full_like(cap, -1.0);
    for (int halvings = 0; halvings < 10; ++halvings) {
      if (rounding_.has_value()) {
        errors =
            rounding_->PairErrors(centres, batch->labels, options_.norm, cap)
                .masked_fill(is_label, 0.0);
      }
      const at::Tensor left =
          rounding_.has_value() ? Down(gaps - errors) : gaps;
      const at::Tensor radius = at::minimum(LeastRadius(left, constants), cap);
      const at::Tensor better = radius > batch->pairwise_radius;
      const auto keep = [&](at::Tensor* kept, const at::Tensor& value) {
        *kept = kept->defined() ? at::where(better, value, *kept) : value;
      };
      keep(&batch->naive_radius, at::minimum(LeastRadius(left, naive), cap));
      keep(&batch->margin, left.amin(1));
      keep(&batch->forward_error, errors.amax(1));
      keep(&batch->pairwise_radius, radius);
      cap = cap / 2;
      if ((batch->pairwise_radius >= cap).all().item<bool>()) break;
    }
    batch->naive_radius = Where(known, batch->naive_radius, 0.0);
    batch->pairwise_radius = Where(known, batch->pairwise_radius, 0.0);
  }

  LayerImpl& network_;
  const CertificationOptions& options_;
  PairwiseConstants constants_;
  std::optional<ForwardErrorBound> rounding_;
};

absl::Status CheckInputs(const at::Tensor& images, const at::Tensor& labels) {
  if (!images.defined() || images.dim() < 2 || images.numel() == 0 ||
      !images.is_floating_point()) {
    return absl::InvalidArgumentError(
        "certification: images must be (n, ...) floating point, at least one");
  }
  if (!labels.defined()) return absl::OkStatus();
  if (labels.dim() != 1 || labels.scalar_type() != at::kLong ||
      labels.size(0) != images.size(0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("certification: ", images.size(0),
                     " images need as many int64 labels, got ", labels.numel(),
                     " of type ", c10::toString(labels.scalar_type())));
  }
  if (labels.min().item<int64_t>() < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("certification: label ", labels.min().item<int64_t>()));
  }
  return absl::OkStatus();
}

absl::StatusOr<Certificates> CertifyBatches(
    LayerImpl& network, const at::Tensor& images, const at::Tensor& labels,
    const CertificationOptions& options) {
  LIPSCHITZ_RETURN_IF_ERROR(options.Validate());
  LIPSCHITZ_RETURN_IF_ERROR(CheckInputs(images, labels));
  return CatchTorch("certification", [&]() -> absl::StatusOr<Certificates> {
    c10::NoGradGuard no_grad;
    LIPSCHITZ_ASSIGN_OR_RETURN(
        const std::unique_ptr<ArithmeticEvaluation> evaluation,
        ArithmeticEvaluation::Create(network, options.arithmetic));
    Certifier certifier(network, options);
    LIPSCHITZ_RETURN_IF_ERROR(certifier.Prepare());
    std::vector<Certificates> batches;
    for (int64_t i = 0; i < images.size(0); i += options.batch_size) {
      const int64_t end = std::min(images.size(0), i + options.batch_size);
      LIPSCHITZ_ASSIGN_OR_RETURN(
          Certificates batch,
          certifier.Batch(
              images.slice(0, i, end).detach().to(evaluation->type()),
              labels.defined() ? labels.slice(0, i, end) : labels, i));
      batches.push_back(std::move(batch));
    }
    Certificates all;
    all.norm = options.norm;
    all.arithmetic = options.arithmetic;
    all.lipschitz_constant = certifier.lipschitz_constant();
    for (at::Tensor Certificates::*member :
         {&Certificates::labels, &Certificates::predicted,
          &Certificates::runner_up, &Certificates::margin,
          &Certificates::forward_error, &Certificates::naive_radius,
          &Certificates::pairwise_radius}) {
      std::vector<at::Tensor> pieces;
      for (const Certificates& batch : batches) {
        pieces.push_back(batch.*member);
      }
      all.*member = at::cat(pieces);
    }
    return all;
  });
}

}  // namespace

absl::Status CertificationOptions::Validate() const {
  if (batch_size < 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "certification: batch_size must be at least 1, got ", batch_size));
  }
  if (!(max_radius > 0.0) || !std::isfinite(max_radius)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "certification: max_radius must be positive and finite, got ",
        max_radius));
  }
  return absl::OkStatus();
}

absl::StatusOr<Certificates> Certify(LayerImpl& network,
                                     const at::Tensor& images,
                                     const at::Tensor& labels,
                                     const CertificationOptions& options) {
  if (!labels.defined()) {
    return absl::InvalidArgumentError("certification: no labels");
  }
  return CertifyBatches(network, images, labels, options);
}

absl::StatusOr<Certificates> Certify(LayerImpl& network,
                                     const at::Tensor& images,
                                     const CertificationOptions& options) {
  return CertifyBatches(network, images, at::Tensor(), options);
}

}  // namespace lipschitz
