#include "tests/testing/data_files.h"

#include <ATen/ATen.h>
#include <zlib.h>

#include "gtest/gtest.h"
#include "lipschitz/base/files.h"
#include "lipschitz/data/random.h"

namespace lipschitz::testing {
namespace {

std::string Bytes(const at::Tensor& values) {
  const at::Tensor data = values.to(at::kByte).contiguous();
  return std::string(static_cast<const char*>(data.data_ptr()), data.nbytes());
}

}  // namespace

std::string Gzip(const std::string& bytes) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, MAX_WBITS + 16,
                         /*memLevel=*/8, Z_DEFAULT_STRATEGY),
            Z_OK);
  std::string zipped(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(zipped.data());
  stream.avail_out = static_cast<uInt>(zipped.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  zipped.resize(stream.total_out);
  deflateEnd(&stream);
  return zipped;
}

std::string IdxBytes(const at::Tensor& values) {
  std::string bytes = {0, 0, 8, static_cast<char>(values.dim())};
  for (const int64_t size : values.sizes()) {
    for (const int shift : {24, 16, 8, 0}) {
      bytes.push_back(static_cast<char>(size >> shift & 0xff));
    }
  }
  return bytes + Bytes(values);
}

std::string Cifar10Bytes(const LabelledImages& images) {
  return Bytes(at::cat(
      {images.labels.to(at::kByte).unsqueeze(1), images.images.flatten(1)}, 1));
}

LabelledImages RandomImages(int64_t n, int64_t channels, int64_t side,
                            uint64_t seed) {
  const RandomSource random(seed);
  return {at::randint(256, {n, channels, side, side}, random.generator(),
                      at::TensorOptions().dtype(at::kByte)),
          at::arange(n, at::kLong).remainder(10)};
}

void WriteData(const std::string& path, const std::string& content) {
  const absl::Status written = WriteFileAtomically(path, content);
  EXPECT_TRUE(written.ok()) << written;
}

void WriteMnist(const std::string& folder, const LabelledImages& train,
                const LabelledImages& test) {
  const auto write = [&](const std::string& part,
                         const LabelledImages& images) {
    WriteData(folder + "/" + part + "-images-idx3-ubyte.gz",
              Gzip(IdxBytes(images.images.squeeze(1))));
    WriteData(folder + "/" + part + "-labels-idx1-ubyte.gz",
              Gzip(IdxBytes(images.labels)));
  };
  write("train", train);
  write("t10k", test);
}

}  // namespace lipschitz::testing
