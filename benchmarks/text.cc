#include "benchmarks/text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace lipschitz::benchmarks {

std::string Number(double value) {
  return value >= 100   ? absl::StrFormat("%.0f", value)
         : value >= 10  ? absl::StrFormat("%.1f", value)
         : value >= 1   ? absl::StrFormat("%.2f", value)
         : value >= 0.1 ? absl::StrFormat("%.3f", value)
                        : absl::StrFormat("%.2g", value);
}

std::string Milliseconds(const Measurement* measurement) {
  return measurement == nullptr ? kNothing : Number(measurement->Median());
}

std::string Text(const std::optional<Ratio>& ratio) {
  return ratio.has_value() ? Number(ratio->median) : kNothing;
}

std::string Range(const std::optional<Ratio>& ratio) {
  if (!ratio.has_value()) return kNothing;
  // Of one round there is no range.
  if (ratio->rounds < 2) return "one round";
  return absl::StrCat(Number(ratio->lowest), " to ", Number(ratio->highest));
}

double Counter(const Measurement* measurement, const std::string& name) {
  if (measurement == nullptr) return 0.0;
  const auto it = measurement->counters.find(name);
  return it == measurement->counters.end() ? 0.0 : it->second;
}

std::vector<experiments::Column> Columns(
    const std::vector<std::string>& titles) {
  std::vector<experiments::Column> columns;
  for (const std::string& title : titles) columns.push_back({title});
  return columns;
}

}  // namespace lipschitz::benchmarks
