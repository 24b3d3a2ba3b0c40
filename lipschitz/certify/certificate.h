// Certified radii of a classifier.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lipschitz/base/layer.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/certify/arithmetic.h"

namespace lipschitz {

struct CertificationOptions {
  // Of distances between inputs.
  Norm norm = Norm::kL2;
  Arithmetic arithmetic = Arithmetic::kFloat64;
  // Images at a time; what the certification holds grows with it.
  int64_t batch_size = 128;
  // No radius is larger: a network that is (nearly) constant would have an
  // infinite one, and its forward overflows far enough away.
  double max_radius = 1e6;

  absl::Status Validate() const;
};

// Of n images. Whatever input (exact in the arithmetic's type) lies within the
// radius of an image, boundary included, the network in that arithmetic gives
// it the image's label, by a logit larger than every other.
//
// 0 means that nothing is certified: the class is wrong, tied, not known
// because of rounding, or a logit is not finite.
struct Certificates {
  Norm norm = Norm::kL2;
  Arithmetic arithmetic = Arithmetic::kFloat64;
  // The network's proven constant, from the norm to itself.
  double lipschitz_constant = 0.0;

  at::Tensor labels;     // int64: the class that is certified
  at::Tensor predicted;  // int64: the class of the largest logit at the image
  at::Tensor runner_up;  // int64: that of the largest logit beside the label's
  // float64, in units of logits. Lower bound, rounding included, on the label's
  // logit less any other at the image; the radii follow from it.
  at::Tensor margin;
  // float64: the largest part, over the other classes, that rounding took from
  // a difference of logits. 0 for kExact.
  at::Tensor forward_error;
  // float64, in units of the input. From one constant for all pairs of classes,
  // and from a constant for each pair; the second is never smaller.
  at::Tensor naive_radius;
  at::Tensor pairwise_radius;
};

// `images`: (n, ...) floating point, finite, taken as rounded to the
// arithmetic's type. `labels`: (n) int64. The network, (batch, ...) → (batch,
// classes), is left as it was found.
//
// Errors: a layer that states no bound on its Lipschitz constant, or for
// kFloat64 and kFloat32 whose rounding is not known (RoundedMapOf names those
// that are known, on images (n, d)); weights that are not finite; images or
// labels that do not fit.
absl::StatusOr<Certificates> Certify(LayerImpl& network,
                                     const at::Tensor& images,
                                     const at::Tensor& labels,
                                     const CertificationOptions& options);

// For images without labels: the predicted class takes its place.
absl::StatusOr<Certificates> Certify(LayerImpl& network,
                                     const at::Tensor& images,
                                     const CertificationOptions& options);

}  // namespace lipschitz
