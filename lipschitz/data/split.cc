#include "lipschitz/data/split.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lipschitz/base/status.h"
#include "lipschitz/data/random.h"

namespace lipschitz {
namespace {

// Classes are small numbers; more is a tensor of something else.
constexpr int64_t kMostClasses = 1 << 20;

absl::Status CheckHeldOut(int64_t n, int64_t held_out) {
  if (held_out >= 0 && held_out < n) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("split: ", held_out, " images cannot be held out of ", n,
                   "; some must be left for training"));
}

absl::Status CheckLabels(const at::Tensor& labels) {
  if (labels.dim() != 1 || labels.scalar_type() != at::kLong) {
    return absl::InvalidArgumentError(absl::StrCat(
        "split: labels must be int64 with one dimension, got ",
        at::toString(labels.scalar_type()), " with ", labels.dim()));
  }
  if (labels.numel() == 0) return absl::OkStatus();
  const auto least = labels.min().item<int64_t>();
  const auto largest = labels.max().item<int64_t>();
  if (least >= 0 && largest < kMostClasses) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("split: labels must be from 0 to ", kMostClasses - 1,
                   ", got ", least < 0 ? least : largest));
}

// The indices of every class, each in an order drawn with `seed`.
std::vector<std::vector<int64_t>> ShuffledClasses(const at::Tensor& labels,
                                                  int64_t classes,
                                                  uint64_t seed) {
  const at::Tensor order =
      at::randperm(labels.numel(), RandomSource(seed).generator(),
                   at::TensorOptions().dtype(at::kLong));
  const at::Tensor values = labels.to(at::kCPU).contiguous();
  const int64_t* const label = values.data_ptr<int64_t>();
  const int64_t* const index = order.data_ptr<int64_t>();
  std::vector<std::vector<int64_t>> members(static_cast<size_t>(classes));
  for (int64_t i = 0; i < order.numel(); ++i) {
    const int64_t c = label[index[i]];
    if (c < classes) members[static_cast<size_t>(c)].push_back(index[i]);
  }
  return members;
}

// How many of each class are held out; their sum is `held_out`.
std::vector<int64_t> Shares(const std::vector<std::vector<int64_t>>& members,
                            int64_t n, int64_t held_out) {
  std::vector<int64_t> shares;
  std::vector<int64_t> remainders;
  int64_t left = held_out;
  for (const auto& member : members) {
    const int64_t share = held_out * static_cast<int64_t>(member.size());
    shares.push_back(share / n);
    remainders.push_back(share % n);
    left -= share / n;
  }
  std::vector<size_t> by_remainder(members.size());
  std::iota(by_remainder.begin(), by_remainder.end(), 0);
  std::stable_sort(
      by_remainder.begin(), by_remainder.end(),
      [&](size_t a, size_t b) { return remainders[a] > remainders[b]; });
  for (int64_t i = 0; i < left; ++i) {
    ++shares[by_remainder[static_cast<size_t>(i)]];
  }
  return shares;
}

at::Tensor Ascending(std::vector<int64_t> indices) {
  std::sort(indices.begin(), indices.end());
  return at::tensor(indices, at::kLong);
}

}  // namespace

absl::StatusOr<Split> StratifiedSplit(const at::Tensor& labels,
                                      int64_t held_out, uint64_t seed) {
  LIPSCHITZ_RETURN_IF_ERROR(CheckLabels(labels));
  const int64_t n = labels.numel();
  LIPSCHITZ_RETURN_IF_ERROR(CheckHeldOut(n, held_out));
  return CatchTorch("split", [&] {
    const auto members =
        ShuffledClasses(labels, labels.max().item<int64_t>() + 1, seed);
    const std::vector<int64_t> shares = Shares(members, n, held_out);
    std::vector<int64_t> train;
    std::vector<int64_t> validation;
    for (size_t c = 0; c < members.size(); ++c) {
      const auto border = members[c].begin() + shares[c];
      validation.insert(validation.end(), members[c].begin(), border);
      train.insert(train.end(), border, members[c].end());
    }
    return Split{Ascending(std::move(train)), Ascending(std::move(validation))};
  });
}

absl::StatusOr<Split> LastSplit(int64_t n, int64_t held_out) {
  LIPSCHITZ_RETURN_IF_ERROR(CheckHeldOut(n, held_out));
  return CatchTorch("split", [&] {
    return Split{at::arange(n - held_out, at::kLong),
                 at::arange(n - held_out, n, at::kLong)};
  });
}

absl::StatusOr<at::Tensor> BalancedSubset(const at::Tensor& labels,
                                          int64_t classes, int64_t per_class,
                                          uint64_t seed) {
  LIPSCHITZ_RETURN_IF_ERROR(CheckLabels(labels));
  if (classes < 1 || classes > kMostClasses || per_class < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("balanced subset: needs at least one class and one image ",
                     "of each, got ", classes, " and ", per_class));
  }
  return CatchTorch("balanced subset", [&]() -> absl::StatusOr<at::Tensor> {
    std::vector<int64_t> chosen;
    const auto members = ShuffledClasses(labels, classes, seed);
    for (size_t c = 0; c < members.size(); ++c) {
      if (static_cast<int64_t>(members[c].size()) < per_class) {
        return absl::InvalidArgumentError(
            absl::StrCat("balanced subset: class ", c, " has ",
                         members[c].size(), " images, not ", per_class));
      }
      chosen.insert(chosen.end(), members[c].begin(),
                    members[c].begin() + per_class);
    }
    return Ascending(std::move(chosen));
  });
}

}  // namespace lipschitz
