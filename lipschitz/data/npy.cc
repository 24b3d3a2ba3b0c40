#include "lipschitz/data/npy.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "lipschitz/base/files.h"
#include "lipschitz/base/status.h"
#include "lipschitz/data/byte_source.h"

namespace lipschitz {
namespace {

constexpr char kMagic[] = "\x93NUMPY";
constexpr size_t kMagicSize = 6;
constexpr int64_t kLargestHeader = 1 << 16;
constexpr size_t kMostDimensions = 64;
// The data begin at a multiple of it.
constexpr size_t kAlignment = 64;

struct TypeCode {
  const char* code;  // `descr` without the byte order
  at::ScalarType type;
};

constexpr TypeCode kTypes[] = {
    {"f2", at::kHalf}, {"f4", at::kFloat}, {"f8", at::kDouble},
    {"i1", at::kChar}, {"i2", at::kShort}, {"i4", at::kInt},
    {"i8", at::kLong}, {"u1", at::kByte},  {"b1", at::kBool},
};

// The Python literal {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}.
struct Header {
  std::string descr;
  bool fortran_order = false;
  std::vector<int64_t> shape;
};

// Reads that literal and nothing else; every function returns false where the
// text is something else.
class HeaderParser {
 public:
  explicit HeaderParser(const std::string& text) : text_(text) {}

  bool Parse(Header* header) {
    if (!Accept('{')) return false;
    while (!Accept('}')) {
      std::string key;
      if (!Quoted(&key) || !Accept(':') || !Value(key, header)) return false;
      if (!Accept(',') && !Next('}')) return false;
    }
    SkipSpaces();
    return position_ == text_.size() && seen_.size() == 3;
  }

 private:
  bool Value(const std::string& key, Header* header) {
    if (!seen_.insert(key).second) return false;
    if (key == "descr") return Quoted(&header->descr);
    if (key == "shape") return Tuple(&header->shape);
    if (key != "fortran_order") return false;
    header->fortran_order = AcceptWord("True");
    return header->fortran_order || AcceptWord("False");
  }

  bool Tuple(std::vector<int64_t>* sizes) {
    if (!Accept('(')) return false;
    while (!Accept(')')) {
      int64_t size = 0;
      if (sizes->size() == kMostDimensions || !Integer(&size)) return false;
      sizes->push_back(size);
      // (3) is a number in Python, (3,) a tuple.
      if (!Accept(',') && (sizes->size() == 1 || !Next(')'))) return false;
    }
    return true;
  }

  bool Integer(int64_t* value) {
    SkipSpaces();
    const size_t begin = position_;
    while (position_ < text_.size() && text_[position_] >= '0' &&
           text_[position_] <= '9') {
      ++position_;
    }
    const bool read =
        absl::SimpleAtoi(text_.substr(begin, position_ - begin), value);
    AcceptWord("L");  // of Python 2
    return read;
  }

  bool Quoted(std::string* value) {
    SkipSpaces();
    if (position_ == text_.size()) return false;
    const char quote = text_[position_];
    if (quote != '\'' && quote != '"') return false;
    const size_t end = text_.find(quote, position_ + 1);
    if (end == std::string::npos) return false;
    *value = text_.substr(position_ + 1, end - position_ - 1);
    position_ = end + 1;
    return true;
  }

  bool AcceptWord(const std::string& word) {
    SkipSpaces();
    if (text_.compare(position_, word.size(), word) != 0) return false;
    position_ += word.size();
    return true;
  }

  bool Next(char c) {
    SkipSpaces();
    return position_ < text_.size() && text_[position_] == c;
  }

  bool Accept(char c) {
    if (!Next(c)) return false;
    ++position_;
    return true;
  }

  void SkipSpaces() {
    while (position_ < text_.size() &&
           (text_[position_] == ' ' || text_[position_] == '\n')) {
      ++position_;
    }
  }

  const std::string& text_;
  size_t position_ = 0;
  std::set<std::string> seen_;  // keys
};

absl::StatusOr<at::ScalarType> TypeOf(const std::string& descr,
                                      const ByteSource& source) {
  const char order = descr.empty() ? '?' : descr[0];
  const std::string code = descr.empty() ? "" : descr.substr(1);
  for (const TypeCode& known : kTypes) {
    if (code != known.code) continue;
    if (order == '<' || order == '=' || code[1] == '1') return known.type;
    if (order == '>') {
      return source.Error(absl::StrCat(
          "its values (", descr, ") are big-endian; save it with .astype('<",
          code, "')"));
    }
  }
  return source.Error(absl::StrCat(
      "its values have the type '", Excerpt(descr),
      "', which is not supported; save it as float32 or int64, for example"));
}

absl::StatusOr<Header> ReadHeader(ByteSource* source) {
  LIPSCHITZ_ASSIGN_OR_RETURN(const std::string magic,
                             source->Read(kMagicSize + 2, "the magic number"));
  if (magic.compare(0, 2, "PK") == 0) {
    return source->Error(
        "it is an .npz archive; save its arrays one by one with numpy.save");
  }
  if (magic.compare(0, kMagicSize, kMagic) != 0) {
    return source->Error(absl::StrCat("it is not an .npy file: it starts with ",
                                      FirstBytesText(magic),
                                      ", not with 93 4e 55 4d"));
  }
  const int version = static_cast<uint8_t>(magic[kMagicSize]);
  if (version < 1 || version > 3) {
    return source->Error(absl::StrCat("version ", version,
                                      " of .npy is unknown; 1 to 3 are read"));
  }
  LIPSCHITZ_ASSIGN_OR_RETURN(
      const std::string length,
      source->Read(version == 1 ? 2 : 4, "the header's size"));
  int64_t size = 0;
  for (size_t i = length.size(); i-- > 0;) {
    size = size << 8 | static_cast<uint8_t>(length[i]);
  }
  if (size > kLargestHeader) {
    return source->Error(absl::StrCat("a header of ", size,
                                      " bytes is not one of an array of "
                                      "numbers; save it again"));
  }
  LIPSCHITZ_ASSIGN_OR_RETURN(const std::string text,
                             source->Read(size, "the header"));
  if (text.find("'descr': [") != std::string::npos) {
    return source->Error(
        "it holds records with named fields; save each field as an array");
  }
  Header header;
  if (!HeaderParser(text).Parse(&header)) {
    return source->Error(
        absl::StrCat("its header is damaged: ", Excerpt(text)));
  }
  return header;
}

}  // namespace

absl::StatusOr<at::Tensor> ParseNpy(const std::string& name,
                                    std::string content) {
  ByteSource source(name, std::move(content));
  LIPSCHITZ_ASSIGN_OR_RETURN(const Header header, ReadHeader(&source));
  LIPSCHITZ_ASSIGN_OR_RETURN(const at::ScalarType type,
                             TypeOf(header.descr, source));
  // In Fortran order the data are those of the transposed array in C order.
  std::vector<int64_t> sizes = header.shape;
  if (header.fortran_order) std::reverse(sizes.begin(), sizes.end());
  // Bytes first: a bool that is neither 0 nor 1 has no meaning in C++.
  LIPSCHITZ_ASSIGN_OR_RETURN(
      at::Tensor tensor,
      source.ReadTensor(sizes, type == at::kBool ? at::kByte : type));
  LIPSCHITZ_RETURN_IF_ERROR(source.ExpectEnd());
  return CatchTorch(name, [&]() -> absl::StatusOr<at::Tensor> {
    if (type == at::kBool) {
      if (tensor.gt(1).any().item<bool>()) {
        return source.Error("a bool is neither 0 nor 1; save it again");
      }
      tensor = tensor.to(at::kBool);
    }
    if (header.fortran_order) {
      std::vector<int64_t> reversed;
      for (int64_t i = tensor.dim(); i-- > 0;) reversed.push_back(i);
      tensor = tensor.permute(reversed).contiguous();
    }
    return tensor;
  });
}

absl::StatusOr<at::Tensor> ReadNpy(const std::string& path) {
  LIPSCHITZ_ASSIGN_OR_RETURN(std::string content, ReadFile(path));
  return ParseNpy(path, std::move(content));
}

absl::Status WriteNpy(const std::string& path, const at::Tensor& tensor) {
  std::string code;
  for (const TypeCode& known : kTypes) {
    if (tensor.scalar_type() == known.type) code = known.code;
  }
  if (code.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot write ", path, ": tensors of type ",
                     at::toString(tensor.scalar_type()), " have no .npy type"));
  }
  std::string shape;
  for (const int64_t size : tensor.sizes()) {
    absl::StrAppend(&shape, size, tensor.dim() == 1 ? "," : ", ");
  }
  if (tensor.dim() > 1) shape.resize(shape.size() - 2);
  std::string header =
      absl::StrCat("{'descr': '", code[1] == '1' ? "|" : "<", code,
                   "', 'fortran_order': False, 'shape': (", shape, "), }");
  // Magic number, version, the header's size, the header and its line feed.
  const size_t unpadded = kMagicSize + 4 + header.size() + 1;
  header.append((kAlignment - unpadded % kAlignment) % kAlignment, ' ');
  header += '\n';
  return CatchTorch(absl::StrCat("cannot write ", path), [&] {
    const at::Tensor values = tensor.detach().to(at::kCPU).contiguous();
    std::string content(kMagic, kMagicSize);
    content += {1, 0, static_cast<char>(header.size() & 0xff),
                static_cast<char>(header.size() >> 8)};
    content += header;
    content.append(static_cast<const char*>(values.data_ptr()),
                   values.nbytes());
    return WriteFileAtomically(path, content);
  });
}

}  // namespace lipschitz
