// Every certificate attacked inside its radius.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "lipschitz/attacks/attack.h"
#include "lipschitz/attacks/auto_pgd.h"
#include "lipschitz/attacks/pgd.h"
#include "lipschitz/base/layer.h"
#include "lipschitz/certify/certificate.h"

namespace lipschitz {

struct GateOptions {
  PgdOptions pgd;
  AutoPgdOptions auto_pgd;
  // The images lie in it, and the attacks stay in it.
  InputBox box;
  // Search in float32, which is faster, where network and images are of that
  // type: gradients need not be exact. What is found is judged in the
  // arithmetic of the certificates either way.
  bool float32_search = false;
  // Optional: asked before every 1024 images; true gives the attack up.
  std::function<bool()> stop_requested;
};

// An input that a certificate says cannot be.
struct Counterexample {
  int64_t index = 0;  // of the image
  int64_t label = 0;  // certified
  double radius = 0.0;
  // From the image, in the certificate's norm, in float64: within the radius.
  double distance = 0.0;
  at::Tensor logits;  // (classes), in the certificate's arithmetic
  at::Tensor input;   // of the image's shape, of the arithmetic's type
};

struct GateReport {
  // Images with a positive radius: all of them were attacked.
  int64_t attacked = 0;
  // Expected empty: one of them proves that the certificates, or the network's
  // bounds, are wrong.
  std::vector<Counterexample> counterexamples;
  // The least margin that the attacks reached; infinite when nothing was
  // attacked.
  double least_margin = 0.0;
};

// Attacks every image with a positive pairwise radius, with PGD and then
// Auto-PGD, each within its own radius, and judges what they found by the
// network in the arithmetic that the certificates are about. `images`: those
// that were certified. The network is left as it was found. Cancelled when a
// stop was requested.
absl::StatusOr<GateReport> AttackCertificates(LayerImpl& network,
                                              const at::Tensor& images,
                                              const Certificates& certificates,
                                              const GateOptions& options = {});

}  // namespace lipschitz
