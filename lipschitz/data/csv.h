// Tables as comma-separated values (RFC 4180).
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace lipschitz {

// The numbers of a file, (rows, columns) in float64, each the nearest to its
// text. Lines end in LF or CRLF, empty ones at the end are ignored; fields may
// be quoted and have spaces around them; a first line none of whose fields is a
// number is a header. A byte order mark is skipped.
//
// InvalidArgument, with the file, the row and the column (both from 1; the
// header is row 1): an empty file, rows of different lengths, a field that is
// empty, no number, or not finite.
absl::StatusOr<at::Tensor> ReadCsv(const std::string& path);

// The same from the file's content; `name` is what errors call it.
absl::StatusOr<at::Tensor> ParseCsv(const std::string& name,
                                    const std::string& content);

// The texts of a file with a header, one vector per line after it, each as long
// as the header, which must name exactly `columns`. Fields are as above; none
// may hold a line break. InvalidArgument with `name` and the row.
absl::StatusOr<std::vector<std::vector<std::string>>> ParseCsvTexts(
    const std::string& name, const std::string& content,
    const std::vector<std::string>& columns);

}  // namespace lipschitz
