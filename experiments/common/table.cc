#include "experiments/common/table.h"

#include <algorithm>

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

std::string CellText(const Cell& cell, const NumberFormat& format) {
  if (const auto* text = std::get_if<std::string>(&cell)) {
    return MarkdownText(*text);
  }
  const Summary& summary = std::get<Summary>(cell);
  if (summary.count == 0) return "–";
  std::string text = absl::StrFormat("%.*f", format.decimals, summary.mean);
  if (format.show_deviation && summary.count > 1) {
    absl::StrAppend(
        &text, absl::StrFormat(" ± %.*f", format.decimals, summary.deviation));
  }
  return text;
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
  std::vector<std::vector<std::string>> lines(1);
  for (const Column& column : columns) {
    lines[0].push_back(MarkdownText(column.title));
  }
  for (const auto& row : rows) {
    lines.emplace_back();
    for (size_t i = 0; i < row.size(); ++i) {
      lines.back().push_back(CellText(row[i], columns[i].format));
    }
  }
  std::vector<size_t> widths(columns.size(), 3);
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
