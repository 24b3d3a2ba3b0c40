#include "lipschitz/data/csv.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "lipschitz/base/files.h"
#include "lipschitz/base/status.h"
#include "lipschitz/data/byte_source.h"

namespace lipschitz {
namespace {

constexpr char kByteOrderMark[] = "\xef\xbb\xbf";

// Where the quoted text that begins with `text` ends: the place of its closing
// quote, where two quotes stand for one inside it. npos: nowhere.
size_t ClosingQuote(absl::string_view text) {
  size_t place = text.find('"', 1);
  while (place != text.npos && text.substr(place + 1, 1) == "\"") {
    place = text.find('"', place + 2);
  }
  return place;
}

// The fields of a line, without the spaces and quotes around them. What follows
// a quote that is not closed is one field; it and a quoted field with more than
// spaces after it keep their quotes, and are no numbers.
void SplitFields(absl::string_view line,
                 std::vector<absl::string_view>* fields) {
  fields->clear();
  while (true) {
    line = absl::StripLeadingAsciiWhitespace(line);
    const bool quoted = absl::StartsWith(line, "\"");
    const size_t quote = quoted ? ClosingQuote(line) : 0;
    const size_t comma = line.find(',', quote);
    absl::string_view field =
        absl::StripTrailingAsciiWhitespace(line.substr(0, comma));
    if (quoted && quote + 1 == field.size()) field = field.substr(1, quote - 1);
    fields->push_back(field);
    if (comma == line.npos) return;
    line.remove_prefix(comma + 1);
  }
}

// Takes the first line off `text`, and with it what ends it.
absl::string_view TakeLine(absl::string_view* text) {
  const size_t end = text->find('\n');
  const absl::string_view line = text->substr(0, end);
  text->remove_prefix(end == text->npos ? text->size() : end + 1);
  return line;
}

// A file's text without the byte order mark and what is empty at its end.
absl::string_view Body(absl::string_view content) {
  if (absl::StartsWith(content, kByteOrderMark)) {
    content.remove_prefix(std::strlen(kByteOrderMark));
  }
  return absl::StripTrailingAsciiWhitespace(content);
}

// Reads a decimal number, NaN or infinity; absl::SimpleAtod takes hexadecimal
// ones, too.
bool ParseNumber(absl::string_view field, double* value) {
  return field.find_first_of("xX") == field.npos &&
         absl::SimpleAtod(field, value);
}

// Whether no field is a number.
bool IsHeader(const std::vector<absl::string_view>& fields) {
  double value = 0.0;
  for (const absl::string_view field : fields) {
    if (ParseNumber(field, &value)) return false;
  }
  return true;
}

// Appends the numbers of a row; an error names the column and says why.
absl::Status AppendNumbers(const std::vector<absl::string_view>& fields,
                           std::vector<double>* values) {
  for (size_t i = 0; i < fields.size(); ++i) {
    double value = 0.0;
    const bool is_number = ParseNumber(fields[i], &value);
    if (is_number && std::isfinite(value)) {
      values->push_back(value);
      continue;
    }
    return absl::InvalidArgumentError(absl::StrCat(
        "column ", i + 1, ": ",
        fields[i].empty() ? "it is empty"
                          : absl::StrCat("'", Excerpt(std::string(fields[i])),
                                         is_number ? "' is not finite"
                                                   : "' is not a number")));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<at::Tensor> ParseCsv(const std::string& name,
                                    const std::string& content) {
  absl::string_view text = Body(content);
  const auto error = [&](const std::string& message) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": ", message));
  };
  if (text.empty()) return error("the file is empty");

  std::vector<double> values;
  std::vector<absl::string_view> fields;
  size_t columns = 0;
  int64_t rows = 0;  // of numbers
  for (int64_t row = 1; !text.empty(); ++row) {
    SplitFields(TakeLine(&text), &fields);
    if (row == 1) {
      columns = fields.size();
      if (IsHeader(fields)) continue;
    }
    if (fields.size() != columns) {
      return error(absl::StrCat("row ", row, ": the number of columns is ",
                                fields.size(), ", in row 1 it is ", columns));
    }
    LIPSCHITZ_RETURN_IF_ERROR(WithContext(AppendNumbers(fields, &values),
                                          absl::StrCat(name, ": row ", row)));
    ++rows;
  }
  if (rows == 0) {
    return error(absl::StrCat("no row of numbers follows row 1, '",
                              Excerpt(content), "'"));
  }
  return CatchTorch(name, [&] {
    const auto sizes = {rows, static_cast<int64_t>(columns)};
    return at::from_blob(values.data(), sizes, at::kDouble).clone();
  });
}

absl::StatusOr<std::vector<std::vector<std::string>>> ParseCsvTexts(
    const std::string& name, const std::string& content,
    const std::vector<std::string>& columns) {
  absl::string_view text = Body(content);
  std::vector<std::vector<std::string>> rows;
  std::vector<absl::string_view> fields;
  for (int64_t row = 1; row == 1 || !text.empty(); ++row) {
    SplitFields(TakeLine(&text), &fields);
    if (row == 1) {
      if (fields.size() != columns.size() ||
          !std::equal(fields.begin(), fields.end(), columns.begin())) {
        return absl::InvalidArgumentError(absl::StrCat(
            name, ": the columns must be ", absl::StrJoin(columns, ","),
            ", got ", absl::StrJoin(fields, ",")));
      }
      continue;
    }
    if (fields.size() != columns.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, ": row ", row, ": the number of columns is ",
                       fields.size(), ", in row 1 it is ", columns.size()));
    }
    rows.emplace_back();
    for (const absl::string_view field : fields) {
      rows.back().push_back(absl::StrReplaceAll(field, {{"\"\"", "\""}}));
    }
  }
  return rows;
}

absl::StatusOr<at::Tensor> ReadCsv(const std::string& path) {
  LIPSCHITZ_ASSIGN_OR_RETURN(const std::string content, ReadFile(path));
  return ParseCsv(path, content);
}

}  // namespace lipschitz
