#include "experiments/common/table.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "lipschitz/base/files.h"
#include "lipschitz/base/status.h"

namespace lipschitz::experiments {
namespace {

// The number of characters, not of bytes, of UTF-8 text.
size_t DisplayWidth(const std::string& text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(),
      [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string Padded(const std::string& text, size_t width) {
  return text + std::string(width - std::min(width, DisplayWidth(text)), ' ');
}

// A line break or a bar would end the cell.
std::string MarkdownText(const std::string& text) {
  return absl::StrReplaceAll(text, {{"|", "\\|"}, {"\r\n", " "}, {"\n", " "}});
}

// With so many decimals, or as 5.35e+17 where more digits than a reader takes
// in would stand before the point.
std::string NumberText(double value, const NumberFormat& format, bool large) {
  return large ? absl::StrFormat("%.3g", value)
               : absl::StrFormat("%.*f", format.decimals, value);
}

bool IsLarge(const Summary& summary) { return std::abs(summary.mean) >= 1e7; }

std::string MeanText(const Summary& summary, const NumberFormat& format) {
  return NumberText(summary.mean, format, IsLarge(summary));
}

std::string CellText(const Cell& cell, const NumberFormat& format) {
  if (const auto* text = std::get_if<std::string>(&cell)) {
    return MarkdownText(*text);
  }
  const Summary& summary = std::get<Summary>(cell);
  if (summary.count == 0) return "–";
  std::string text = MeanText(summary, format);
  if (format.show_deviation && summary.count > 1) {
    absl::StrAppend(&text, " ± ",
                    NumberText(summary.deviation, format, IsLarge(summary)));
  }
  return text;
}

// The rows that hold the best mean of a column among `rows`; none where all of
// them do.
std::vector<size_t> BestRows(const Table& table, size_t column,
                             const std::vector<size_t>& rows) {
  const Column& asked = table.columns[column];
  std::vector<size_t> compared;
  for (const size_t row : rows) {
    const auto* summary = std::get_if<Summary>(&table.rows[row][column]);
    if (summary != nullptr && summary->count > 0) compared.push_back(row);
  }
  const auto mean = [&](size_t row) {
    return std::get<Summary>(table.rows[row][column]);
  };
  const auto best = std::min_element(
      compared.begin(), compared.end(), [&](size_t a, size_t b) {
        return asked.better == Better::kHigher ? mean(a).mean > mean(b).mean
                                               : mean(a).mean < mean(b).mean;
      });
  std::vector<size_t> found;
  for (const size_t row : compared) {
    if (MeanText(mean(row), asked.format) ==
        MeanText(mean(*best), asked.format)) {
      found.push_back(row);
    }
  }
  return found.size() < compared.size() ? found : std::vector<size_t>{};
}

// Rows that are compared with each other: those that agree in the first cells.
std::vector<std::vector<size_t>> ComparedRows(
    const Table& table, const std::vector<std::vector<std::string>>& texts) {
  std::map<std::vector<std::string>, std::vector<size_t>> groups;
  for (size_t row = 0; row < table.rows.size(); ++row) {
    if (table.reference_rows.count(row) > 0) continue;
    const auto& text = texts[row];
    const size_t shared = std::min(table.compared_within, text.size());
    groups[{text.begin(), text.begin() + static_cast<std::ptrdiff_t>(shared)}]
        .push_back(row);
  }
  std::vector<std::vector<size_t>> rows;
  for (auto& [key, group] : groups) rows.push_back(std::move(group));
  return rows;
}

// `texts`: of the rows' cells.
void EmphasiseBest(const Table& table,
                   std::vector<std::vector<std::string>>* texts) {
  const auto groups = ComparedRows(table, *texts);
  for (size_t column = 0; column < table.columns.size(); ++column) {
    if (table.columns[column].better == Better::kUnknown) continue;
    for (const auto& group : groups) {
      for (const size_t row : BestRows(table, column, group)) {
        std::string& text = (*texts)[row][column];
        text = absl::StrCat("**", text, "**");
      }
    }
  }
}

// Whether it holds a summary in every row, and of no value in any.
bool IsEmptyColumn(const Table& table, size_t column) {
  return !table.rows.empty() &&
         std::all_of(table.rows.begin(), table.rows.end(),
                     [column](const std::vector<Cell>& row) {
                       const auto* summary = std::get_if<Summary>(&row[column]);
                       return summary != nullptr && summary->count == 0;
                     });
}

// The texts of a line, less those of columns of which nothing is known.
std::vector<std::string> WithoutEmptyColumns(
    const Table& table, const std::vector<std::string>& line) {
  std::vector<std::string> shown;
  for (size_t i = 0; i < line.size(); ++i) {
    if (!IsEmptyColumn(table, i)) shown.push_back(line[i]);
  }
  return shown;
}

std::string CsvText(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

std::string CsvNumber(double value) { return absl::StrFormat("%.17g", value); }

}  // namespace

Summary Summarise(const std::vector<double>& values) {
  Summary summary;
  for (const double value : values) {
    if (std::isnan(value)) continue;
    ++summary.count;
    summary.mean += value;
  }
  if (summary.count == 0) return summary;
  summary.mean /= summary.count;
  if (summary.count == 1) return summary;
  double squares = 0.0;
  for (const double value : values) {
    if (!std::isnan(value)) squares += std::pow(value - summary.mean, 2);
  }
  summary.deviation = std::sqrt(squares / (summary.count - 1));
  return summary;
}

std::string Table::ToMarkdown() const {
  std::vector<std::vector<std::string>> lines;
  for (const auto& row : rows) {
    lines.emplace_back();
    for (size_t i = 0; i < row.size(); ++i) {
      lines.back().push_back(CellText(row[i], columns[i].format));
    }
  }
  EmphasiseBest(*this, &lines);
  std::vector<std::string> header;
  for (const Column& column : columns) {
    header.push_back(MarkdownText(column.title));
  }
  lines.insert(lines.begin(), std::move(header));
  for (auto& line : lines) line = WithoutEmptyColumns(*this, line);
  std::vector<size_t> widths(lines[0].size(), 3);
  for (const auto& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) {
      widths[i] = std::max(widths[i], DisplayWidth(line[i]));
    }
  }
  std::string text;
  if (!title.empty()) absl::StrAppend(&text, "### ", title, "\n\n");
  for (size_t r = 0; r < lines.size(); ++r) {
    absl::StrAppend(&text, "|");
    for (size_t i = 0; i < lines[r].size(); ++i) {
      absl::StrAppend(&text, " ", Padded(lines[r][i], widths[i]), " |");
    }
    absl::StrAppend(&text, "\n");
    if (r > 0) continue;
    absl::StrAppend(&text, "|");
    for (const size_t width : widths) {
      absl::StrAppend(&text, " ", std::string(width, '-'), " |");
    }
    absl::StrAppend(&text, "\n");
  }
  for (const std::string& note : notes)
    absl::StrAppend(&text, "\n", note, "\n");
  return text;
}

std::string Table::ToCsv() const {
  std::vector<bool> numeric(columns.size(), false);
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      if (std::holds_alternative<Summary>(row[i])) numeric[i] = true;
    }
  }
  std::vector<std::string> header;
  for (size_t i = 0; i < columns.size(); ++i) {
    header.push_back(CsvText(columns[i].title));
    if (numeric[i]) header.push_back(CsvText(columns[i].title + "_sd"));
  }
  std::string text = absl::StrJoin(header, ",") + "\n";
  for (const auto& row : rows) {
    std::vector<std::string> fields;
    for (size_t i = 0; i < row.size(); ++i) {
      if (const auto* words = std::get_if<std::string>(&row[i])) {
        fields.push_back(CsvText(*words));
        if (numeric[i]) fields.emplace_back();
        continue;
      }
      const Summary& summary = std::get<Summary>(row[i]);
      fields.push_back(summary.count > 0 ? CsvNumber(summary.mean) : "");
      fields.push_back(summary.count > 1 ? CsvNumber(summary.deviation) : "");
    }
    absl::StrAppend(&text, absl::StrJoin(fields, ","), "\n");
  }
  return text;
}

absl::Status WriteTable(const std::string& results_dir, const std::string& name,
                        const Table& table) {
  const std::string stem = absl::StrCat(results_dir, "/tables/", name);
  LIPSCHITZ_RETURN_IF_ERROR(
      WriteFileAtomically(stem + ".md", table.ToMarkdown()));
  return WriteFileAtomically(stem + ".csv", table.ToCsv());
}

}  // namespace lipschitz::experiments
