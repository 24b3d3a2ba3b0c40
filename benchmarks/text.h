// How numbers are written in benchmarks/README.md.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "benchmarks/results.h"
#include "experiments/common/table.h"

namespace lipschitz::benchmarks {

// For what was not measured.
inline constexpr char kNothing[] = "–";

// Three digits or fewer.
std::string Number(double value);

// The median; kNothing for null.
std::string Milliseconds(const Measurement* measurement);

// The median, and "lowest to highest"; kNothing without a value.
std::string Text(const std::optional<Ratio>& ratio);
std::string Range(const std::optional<Ratio>& ratio);

// 0 where it is not there, or the measurement is null.
double Counter(const Measurement* measurement, const std::string& name);

std::vector<experiments::Column> Columns(
    const std::vector<std::string>& titles);

}  // namespace lipschitz::benchmarks
