#include "lipschitz/layers/pooling.h"

#include <ATen/ATen.h>

#include <cmath>
#include <ostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lipschitz/base/rounding.h"
#include "lipschitz/layers/max_pool.h"

namespace lipschitz {
namespace {

// a / b from above for positive normal numbers; itself where it is a float64.
double QuotientUp(double a, double b) {
  const double quotient = a / b;
  return std::fma(quotient, b, -a) >= 0.0 ? quotient : rounding::Up(quotient);
}

// Σ n_r² of the means' norm: ⌈kernel/stride⌉ or ⌊kernel/stride⌋ offsets of each
// remainder.
double SquaredCounts(const PoolWindows& windows) {
  const int64_t less = windows.kernel / windows.stride;
  const int64_t more = windows.kernel % windows.stride;
  return static_cast<double>((windows.stride - more) * less * less +
                             more * (less + 1) * (less + 1));
}

double Area(const PoolWindows& windows) {
  return static_cast<double>(windows.kernel * windows.kernel);
}

void CheckImage(const torch::Tensor& x, const PoolWindows& windows,
                const std::string& layer) {
  TORCH_CHECK(x.dim() == 4, "layer '", layer,
              "': expected the shape (batch, channels, height, width), got ",
              x.sizes());
  TORCH_CHECK(x.size(2) >= windows.kernel && x.size(3) >= windows.kernel,
              "layer '", layer, "': the window ", windows.kernel, "×",
              windows.kernel, " does not fit into images of the shape ",
              x.sizes());
}

void Print(std::ostream& stream, const PoolWindows& windows) {
  stream << "kernel=" << windows.kernel << ", stride=" << windows.stride;
}

}  // namespace

absl::Status PoolWindows::Validate(const std::string& layer) const {
  // Counts of pixels, times a float32, are exact in float64.
  constexpr int64_t kLargest = int64_t{1} << 14;
  if (kernel >= 1 && stride >= 1 && kernel <= kLargest && stride <= kLargest) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("layer '", layer, "': kernel and stride must be from 1 to ",
                   kLargest, ", got ", kernel, " and ", stride));
}

int64_t PoolWindows::Overlap() const { return (kernel + stride - 1) / stride; }

MaxPool2dImpl::MaxPool2dImpl(MaxPool2dConfig config)
    : LayerImpl(config.name), config_(std::move(config)) {
  const absl::Status valid = config_.windows.Validate(config_.name);
  TORCH_CHECK(valid.ok(), std::string(valid.message()));
}

torch::Tensor MaxPool2dImpl::forward(const torch::Tensor& x) {
  CheckImage(x, config_.windows, name());
  return MaxPool(x, config_.windows.kernel, config_.windows.stride);
}

absl::StatusOr<BoundTable> MaxPool2dImpl::LipschitzBounds() {
  const auto overlap = static_cast<double>(config_.windows.Overlap());
  BoundTable table;
  table.Set(Norm::kL1, Norm::kL1, overlap * overlap);
  table.Set(Norm::kL1, Norm::kL2, overlap);
  table.Set(Norm::kL2, Norm::kL2, overlap);
  for (const Norm in : kAllNorms) table.Set(in, Norm::kLinf, 1.0);
  return table;
}

void MaxPool2dImpl::pretty_print(std::ostream& stream) const {
  stream << "lipschitz::MaxPool2d(";
  Print(stream, config_.windows);
  stream << ")";
}

AveragePool2dImpl::AveragePool2dImpl(AveragePool2dConfig config)
    : LayerImpl(config.name), config_(std::move(config)) {
  const absl::Status valid = config_.windows.Validate(config_.name);
  TORCH_CHECK(valid.ok(), std::string(valid.message()));
  if (config_.scaled) {
    // The same number in every type, and not above the exact one.
    const double area = Area(config_.windows);
    const double counts = SquaredCounts(config_.windows);
    float scale = static_cast<float>(area / counts);
    if (scale * counts > area) scale = std::nextafter(scale, 0.0f);
    scale_ = scale;
  }
}

torch::Tensor AveragePool2dImpl::forward(const torch::Tensor& x) {
  CheckImage(x, config_.windows, name());
  const torch::Tensor means =
      at::avg_pool2d(x, config_.windows.kernel, config_.windows.stride);
  return config_.scaled ? means * scale_ : means;
}

absl::StatusOr<BoundTable> AveragePool2dImpl::LipschitzBounds() {
  const double area = Area(config_.windows);
  const auto overlap = static_cast<double>(config_.windows.Overlap());
  // Whole numbers up to 2^28, times a float32: exact in float64.
  const auto means = [&](double sum) { return QuotientUp(scale_ * sum, area); };
  BoundTable table;
  // From l1: a pixel, in its windows.
  table.Set(Norm::kL1, Norm::kL1, means(overlap * overlap));
  table.Set(Norm::kL1, Norm::kL2, means(overlap));
  table.Set(Norm::kL1, Norm::kLinf, means(1.0));
  // To linf: a window, of as many equal weights as it has pixels.
  table.Set(Norm::kL2, Norm::kLinf,
            means(static_cast<double>(config_.windows.kernel)));
  table.Set(Norm::kLinf, Norm::kLinf, scale_);
  table.Set(Norm::kL2, Norm::kL2, means(SquaredCounts(config_.windows)));
  return table;
}

void AveragePool2dImpl::pretty_print(std::ostream& stream) const {
  stream << "lipschitz::AveragePool2d(";
  Print(stream, config_.windows);
  if (config_.scaled) stream << ", scaled";
  stream << ")";
}

}  // namespace lipschitz
