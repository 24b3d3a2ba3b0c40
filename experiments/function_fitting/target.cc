#include "experiments/function_fitting/target.h"

#include <ATen/ATen.h>

#include <cmath>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lipschitz/data/lipschitz_functions.h"
#include "lipschitz/data/random.h"

namespace lipschitz::experiments {
namespace {

// The independent generator of random functions.
constexpr uint64_t kFunctionStream = 1;

constexpr Box kInterval = {1, -2.0, 2.0};
constexpr Box kSquare = {2, -1.0, 1.0};
constexpr int64_t kMostPieces = 1000;

// Whether `name` is `family` followed by a number of pieces.
bool ParsePieces(const std::string& name, const char* family, int64_t* pieces) {
  absl::string_view rest = name;
  return absl::ConsumePrefix(&rest, family) && absl::SimpleAtoi(rest, pieces) &&
         *pieces >= 1 && *pieces <= kMostPieces;
}

Target OnTheLine(PiecewiseLinear function) {
  return {kInterval, Norm::kL2,
          [function = std::move(function)](const at::Tensor& x) {
            return function.Evaluate(x.squeeze(1));
          }};
}

Cones Pits(Norm norm) {
  return {norm, {{-0.5, -0.5}, {0.5, -0.25}, {0.0, 0.6}}, {0.0, 0.0, 0.0}};
}

Target Distance(Norm norm) {
  const Cones pits = Pits(norm);
  return {kSquare, norm,
          [pits](const at::Tensor& x) { return pits.LowerEnvelope(x); }};
}

Target Peak(Norm norm) {
  const Cones pits = Pits(norm);
  // In both norms its point stands out of the pits' envelope, and two of the
  // pits stay as they are.
  const Cones peak{norm, {{-0.7, 0.7}}, {0.9}};
  return {kSquare, norm, [pits, peak](const at::Tensor& x) {
            return at::maximum(pits.LowerEnvelope(x), peak.UpperEnvelope(x));
          }};
}

}  // namespace

absl::StatusOr<Target> MakeTarget(const std::string& name, uint64_t seed) {
  int64_t pieces = 0;
  if (ParsePieces(name, "triangle", &pieces)) {
    return OnTheLine(TriangleWave(kInterval.lower, kInterval.upper, pieces));
  }
  if (ParsePieces(name, "random", &pieces)) {
    const RandomSource random(StreamSeed(seed, kFunctionStream));
    return OnTheLine(RandomPiecewiseLinear(kInterval.lower, kInterval.upper,
                                           pieces, random));
  }
  if (name == "sine") {
    return Target{kInterval, Norm::kL2, [](const at::Tensor& x) {
                    return at::sin(x.squeeze(1) * M_PI) / M_PI;
                  }};
  }
  for (const Norm norm : {Norm::kL2, Norm::kLinf}) {
    if (name == "distance_" + NormName(norm)) return Distance(norm);
    if (name == "peak_" + NormName(norm)) return Peak(norm);
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "unknown function '", name,
      "'; known: triangleN and randomN with N "
      "pieces (1 to ",
      kMostPieces, "), sine, distance_l2, distance_linf, peak_l2, peak_linf"));
}

}  // namespace lipschitz::experiments
