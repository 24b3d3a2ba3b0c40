#include "experiments/reproduction/message.h"

#include <cmath>
#include <exception>
#include <limits>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace lipschitz::experiments {
namespace {

using Json = nlohmann::ordered_json;

struct ToJson {
  Json operator()(const TrainingProgress& progress) const {
    return {{"progress",
             {progress.step, progress.steps, progress.first_step,
              progress.seconds, progress.loss}}};
  }
  Json operator()(const Notice& notice) const {
    return {{"notice", notice.text}};
  }
  Json operator()(const RunReport& report) const {
    return {{"end", static_cast<int>(report.end)}, {"summary", report.summary}};
  }
  Json operator()(const absl::Status& status) const {
    return {{"error", static_cast<int>(status.code())},
            {"message", std::string(status.message())}};
  }
};

WorkerMessage Parse(const Json& json) {
  if (json.contains("progress")) {
    const Json& numbers = json.at("progress");
    TrainingProgress progress;
    progress.step = numbers.at(0).get<int64_t>();
    progress.steps = numbers.at(1).get<int64_t>();
    progress.first_step = numbers.at(2).get<int64_t>();
    progress.seconds = numbers.at(3).get<double>();
    // JSON has no NaN; null stands for it.
    progress.loss = numbers.at(4).is_null()
                        ? std::numeric_limits<double>::quiet_NaN()
                        : numbers.at(4).get<double>();
    return progress;
  }
  if (json.contains("notice")) {
    return Notice{json.at("notice").get<std::string>()};
  }
  if (json.contains("end")) {
    return RunReport{static_cast<RunEnd>(json.at("end").get<int>()),
                     json.at("summary").get<std::string>()};
  }
  return absl::Status(
      static_cast<absl::StatusCode>(json.at("error").get<int>()),
      json.at("message").get<std::string>());
}

}  // namespace

std::string ToLine(const WorkerMessage& message) {
  // A text may quote a path, and a path need not be UTF-8.
  return std::visit(ToJson(), message)
      .dump(/*indent=*/-1, ' ', /*ensure_ascii=*/false,
            Json::error_handler_t::replace);
}

absl::StatusOr<WorkerMessage> FromLine(const std::string& line) {
  try {
    return Parse(Json::parse(line));
  } catch (const std::exception&) {
    return absl::InvalidArgumentError(
        absl::StrCat("a worker process said '", line, "'"));
  }
}

}  // namespace lipschitz::experiments
