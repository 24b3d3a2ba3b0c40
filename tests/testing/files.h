// What a program has written, as a test reads it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace lipschitz::testing {

// The whole file; a failure that names it where it cannot be read.
std::string ReadText(const std::string& path);

// A JSON file; a failure that shows what it holds instead.
nlohmann::ordered_json ReadJson(const std::string& path);

// RESULTS/records/EXPERIMENT/*.json in the order of their names. A failure for
// each that is no JSON object, which is left out.
std::vector<nlohmann::ordered_json> ReadRecordFiles(
    const std::string& results, const std::string& experiment);

}  // namespace lipschitz::testing
