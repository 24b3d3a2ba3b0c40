#include "tools/certify/report.h"

#include <ATen/ATen.h>

#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lipschitz/base/status.h"
#include "lipschitz/certify/certificate.h"
#include "lipschitz/certify/certified_accuracy.h"
#include "lipschitz/models/saved_model.h"
#include "tools/certify/inputs.h"
#include "tools/decimal.h"

namespace lipschitz::tools {
namespace {

std::string Csv(const Certificates& certificates, bool labelled,
                double radius) {
  std::string csv =
      "index,label,predicted,margin,forward_error,naive_radius,pairwise_radius";
  absl::StrAppend(&csv, radius > 0.0 ? ",certified\n" : "\n");
  for (int64_t i = 0; i < certificates.labels.size(0); ++i) {
    const double certified = certificates.pairwise_radius[i].item<double>();
    absl::StrAppend(&csv, i, ",");
    if (labelled) {
      absl::StrAppend(&csv, certificates.labels[i].item<int64_t>());
    }
    absl::StrAppend(&csv, ",", certificates.predicted[i].item<int64_t>());
    for (const double value :
         {certificates.margin[i].item<double>(),
          certificates.forward_error[i].item<double>(),
          certificates.naive_radius[i].item<double>(), certified}) {
      absl::StrAppend(&csv, ",", Exact(value));
    }
    if (radius > 0.0) {
      absl::StrAppend(&csv, certified >= radius ? ",yes" : ",no");
    }
    absl::StrAppend(&csv, "\n");
  }
  return csv;
}

std::string Summary(const ReportSettings& settings, const SavedModel& model,
                    const Certificates& certificates) {
  std::string text = absl::StrCat("model: ", settings.model, "\n");
  for (const auto& [name, value] : model.metadata) {
    absl::StrAppend(&text, "  ", name, ": ", value, "\n");
  }
  const std::string norm = NormName(certificates.norm);
  const bool labelled = !settings.labels.empty();
  absl::StrAppend(
      &text, "images: ", certificates.labels.size(0), "\nLipschitz constant (",
      norm, "): ", NineDigitsUp(certificates.lipschitz_constant),
      "\narithmetic: ", ArithmeticName(certificates.arithmetic), "\n");
  if (labelled) {
    absl::StrAppend(&text, "accuracy: ",
                    Exact((certificates.predicted == certificates.labels)
                              .to(at::kDouble)
                              .mean()
                              .item<double>()),
                    "\n");
  }
  if (settings.radius > 0.0) {
    absl::StrAppend(&text,
                    labelled ? "certified accuracy" : "predictions certified",
                    " at ", norm, " radius ", Exact(settings.radius), ": ",
                    Exact(CertifiedAccuracy(certificates.pairwise_radius,
                                            {settings.radius})[0]),
                    "\n");
  }
  return text;
}

}  // namespace

absl::StatusOr<Report> MakeReport(const ReportSettings& settings) {
  if (!(settings.radius >= 0.0) || !std::isfinite(settings.radius)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the radius must be finite and not negative, got ", settings.radius));
  }
  LIPSCHITZ_ASSIGN_OR_RETURN(SavedModel model, LoadModel(settings.model));
  const int64_t classes = OutputDim(model.config);
  if (classes < 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("the model ", settings.model, " has ", classes,
                     " output; only a classifier of two classes or more has "
                     "certified radii"));
  }
  LIPSCHITZ_ASSIGN_OR_RETURN(
      const at::Tensor images,
      ReadImages(settings.images, InputDim(model.config), settings.any_range));
  CertificationOptions options;
  options.norm = settings.norm;
  options.arithmetic = settings.arithmetic;
  at::Tensor labels;
  if (!settings.labels.empty()) {
    LIPSCHITZ_ASSIGN_OR_RETURN(
        labels, ReadLabels(settings.labels, images.size(0), classes));
  }
  const auto certificates =
      labels.defined() ? Certify(*model.network, images, labels, options)
                       : Certify(*model.network, images, options);
  if (!certificates.ok()) {
    return WithContext(certificates.status(),
                       absl::StrCat("the model ", settings.model));
  }
  return Report{Csv(*certificates, labels.defined(), settings.radius),
                Summary(settings, model, *certificates)};
}

}  // namespace lipschitz::tools
