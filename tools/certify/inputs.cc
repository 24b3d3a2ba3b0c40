#include "tools/certify/inputs.h"

#include <ATen/ATen.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lipschitz/base/status.h"
#include "lipschitz/data/byte_source.h"
#include "lipschitz/data/npy.h"
#include "tools/decimal.h"

namespace lipschitz::tools {
namespace {

absl::Status Error(const std::string& path, const std::string& message) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", message));
}

// "3 x 28 x 28 of type Float".
std::string Describe(const at::Tensor& tensor) {
  return absl::StrCat(SizesText(tensor.sizes().vec()), " of type ",
                      c10::toString(tensor.scalar_type()));
}

// The index of the first example with a true value.
int64_t FirstOf(const at::Tensor& at_fault) {
  return at_fault.reshape({at_fault.size(0), -1})
      .any(1)
      .nonzero()[0][0]
      .item<int64_t>();
}

}  // namespace

absl::StatusOr<at::Tensor> ReadImages(const std::string& path, int64_t pixels,
                                      bool any_range) {
  LIPSCHITZ_ASSIGN_OR_RETURN(at::Tensor images, ReadNpy(path));
  return CatchTorch(path, [&]() -> absl::StatusOr<at::Tensor> {
    if (images.dim() < 2 || images.dim() > 4 || images.size(0) == 0) {
      return Error(path, absl::StrCat("images must be an array (n, d), (n, h, "
                                      "w) or (n, c, h, w) with n at least 1, "
                                      "this one is ",
                                      Describe(images)));
    }
    if (images.numel() != images.size(0) * pixels) {
      return Error(path, absl::StrCat("the model takes ", pixels,
                                      " pixels an image, these images are ",
                                      Describe(images)));
    }
    images = images.reshape({images.size(0), pixels});
    if (images.scalar_type() == at::kByte) {
      return images.to(at::kFloat).div_(255.0);
    }
    if (images.scalar_type() != at::kFloat &&
        images.scalar_type() != at::kDouble) {
      return Error(path, absl::StrCat("images must be float32, float64 or "
                                      "uint8, these are ",
                                      Describe(images)));
    }
    const at::Tensor not_finite = at::isfinite(images).logical_not();
    if (not_finite.any().item<bool>()) {
      return Error(path, absl::StrCat("image ", FirstOf(not_finite),
                                      " has a pixel that is not finite"));
    }
    const at::Tensor outside = (images < 0).logical_or(images > 1);
    if (!any_range && outside.any().item<bool>()) {
      const int64_t image = FirstOf(outside);
      return Error(
          path, absl::StrCat("image ", image, " has pixels from ",
                             Exact(images[image].min().item<double>()), " to ",
                             Exact(images[image].max().item<double>()),
                             "; radii are in units of pixels in [0, 1] "
                             "(--any_range accepts a model of other inputs)"));
    }
    return images;
  });
}

absl::StatusOr<at::Tensor> ReadLabels(const std::string& path, int64_t n,
                                      int64_t classes) {
  LIPSCHITZ_ASSIGN_OR_RETURN(at::Tensor labels, ReadNpy(path));
  return CatchTorch(path, [&]() -> absl::StatusOr<at::Tensor> {
    if (labels.dim() != 1 || labels.size(0) != n ||
        !at::isIntegralType(labels.scalar_type(), /*includeBool=*/false)) {
      return Error(path,
                   absl::StrCat("labels must be ", n,
                                " whole numbers, one an image, these are ",
                                Describe(labels)));
    }
    labels = labels.to(at::kLong);
    const at::Tensor outside = (labels < 0).logical_or(labels >= classes);
    if (outside.any().item<bool>()) {
      const int64_t image = FirstOf(outside);
      return Error(
          path,
          absl::StrCat("label ", labels[image].item<int64_t>(), " of image ",
                       image, ", the model's classes are 0 to ", classes - 1));
    }
    return labels;
  });
}

}  // namespace lipschitz::tools
