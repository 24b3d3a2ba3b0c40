// Tables as Markdown and CSV.
#pragma once

#include <cmath>
#include <cstddef>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"

namespace lipschitz::experiments {

// Mean and sample standard deviation over the seeds of one variant.
struct Summary {
  double mean = 0.0;
  double deviation = 0.0;  // 0 with one value
  int count = 0;
};

// NaN are left out.
Summary Summarise(const std::vector<double>& values);

// How the numbers of a column are written.
struct NumberFormat {
  int decimals = 4;
  bool show_deviation = true;
};

// Which numbers of a column are good ones.
enum class Better { kUnknown, kHigher, kLower };

struct Column {
  std::string title;
  NumberFormat format = {};
  Better better = Better::kUnknown;
};

// Text, or a summary (Markdown "0.9997 ± 0.0002", CSV mean and deviation).
using Cell = std::variant<std::string, Summary>;

struct Table {
  std::string title;
  std::vector<Column> columns;
  std::vector<std::vector<Cell>> rows;
  // Paragraphs below the table.
  std::vector<std::string> notes;
  // Rows are compared with those that agree in so many of the first columns.
  size_t compared_within = 0;
  // Rows that others are measured against, and that are compared with none.
  std::set<size_t> reference_rows;

  // Aligned, so that it reads well on a terminal too. The best means of a
  // column (as they are written, so that there may be several) are bold where
  // it is known what is better, and where they differ from the others. Columns
  // of which no row has a value are left out.
  std::string ToMarkdown() const;
  // RFC 4180, but lines end in a line feed alone. A column that holds a summary
  // becomes two: TITLE and TITLE_sd, with all digits.
  std::string ToCsv() const;
};

// RESULTS_DIR/tables/NAME.md and NAME.csv.
absl::Status WriteTable(const std::string& results_dir, const std::string& name,
                        const Table& table);

}  // namespace lipschitz::experiments
