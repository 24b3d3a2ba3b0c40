// What an experiment says in the report.
#pragma once

#include <string>

namespace lipschitz::experiments {

// What the records say of a claim.
enum class ClaimVerdict { kReproduced, kInPart, kNotReproduced };

// A claim, and what we measured.
struct Finding {
  // A sentence.
  std::string claim;
  // Numbers of the records, in words.
  std::string measured;
  ClaimVerdict verdict = ClaimVerdict::kNotReproduced;
  // Of a figure in RESULTS_DIR/figures that shows it, without the ending;
  // empty: none.
  std::string figure;
};

// An experiment in prose (Markdown).
struct About {
  // What it is to show.
  std::string claim;
  // How, in two sentences.
  std::string method;
  // Where it departs from the paper, and why.
  std::string differences;
};

}  // namespace lipschitz::experiments
