// Activations by name, what they promise, and the module that applies one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lipschitz/base/layer.h"
#include "lipschitz/base/norm.h"

namespace lipschitz {

enum class ActivationKind {
  kIdentity,
  kRelu,
  kLeakyRelu,
  kAbs,
  kCRelu,
  kMaxOut,
  kMaxMin,
  kGroupSort,
  kFullSort,
};

// An activation with its parameters; a value, cheap to copy and compare.
struct ActivationSpec {
  ActivationKind kind = ActivationKind::kMaxMin;
  // Neurons per group: 2 or more for MaxOut and GroupSort, 2 for MaxMin; other
  // kinds ignore it (FullSort's group is the whole width).
  int64_t group_size = 2;
  // Slope of LeakyReLU for negative arguments.
  double negative_slope = 0.2;

  static ActivationSpec Identity() { return {ActivationKind::kIdentity}; }
  static ActivationSpec Relu() { return {ActivationKind::kRelu}; }
  static ActivationSpec LeakyRelu(double slope = 0.2) {
    return {ActivationKind::kLeakyRelu, 2, slope};
  }
  static ActivationSpec Abs() { return {ActivationKind::kAbs}; }
  static ActivationSpec CRelu() { return {ActivationKind::kCRelu}; }
  static ActivationSpec MaxOut(int64_t group_size = 2) {
    return {ActivationKind::kMaxOut, group_size};
  }
  static ActivationSpec MaxMin() { return {ActivationKind::kMaxMin}; }
  static ActivationSpec GroupSort(int64_t group_size) {
    return {ActivationKind::kGroupSort, group_size};
  }
  static ActivationSpec FullSort() { return {ActivationKind::kFullSort}; }

  // "identity", "relu", "leaky_relu", "abs", "crelu", "maxout", "maxmin",
  // "groupsort4" (the group size follows), "fullsort"; "maxout3" for other
  // groups than pairs, "leaky_relu0.1" for other slopes than 0.2.
  // ParseActivation is the inverse.
  std::string Name() const;

  absl::Status Validate() const;

  // The width after the activation of a layer `width` wide; an error when the
  // group size does not divide it.
  absl::StatusOr<int64_t> OutputWidth(int64_t width) const;

  // The least Lipschitz constant in the given norm (the same in and out).
  double LipschitzConstant(Norm norm) const;

  // Whether backpropagation keeps the gradient's 2-norm: J Jᵀ = I almost
  // everywhere. CReLU's Jacobian is an isometry forwards (JᵀJ = I), not
  // backwards.
  bool PreservesGradientNorm() const;
};

bool operator==(const ActivationSpec& a, const ActivationSpec& b);

// An unknown name is an error that lists the known ones.
absl::StatusOr<ActivationSpec> ParseActivation(const std::string& name);

// Every known name; "groupsortN" stands for the family.
std::vector<std::string> ActivationNames();

// Applies an activation along one dimension: −1 for dense layers (batch,
// width), 1 for images (N, C, H, W). Forward is a c10::Error where that is the
// first of several dimensions, the batch's: groups of values of different
// examples would make the output for one depend on another.
class ActivationImpl : public LayerImpl {
 public:
  explicit ActivationImpl(ActivationSpec spec, int64_t dim = -1);

  torch::Tensor forward(const torch::Tensor& x) override;
  absl::StatusOr<BoundTable> LipschitzBounds() override;
  void pretty_print(std::ostream& stream) const override;

  const ActivationSpec& spec() const { return spec_; }
  int64_t dim() const { return dim_; }

 private:
  ActivationSpec spec_;
  int64_t dim_;
};
TORCH_MODULE(Activation);

}  // namespace lipschitz
