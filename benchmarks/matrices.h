// Matrices with the singular values that an orthonormalisation meets.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace lipschitz::benchmarks {

// Entries that are standard normal: the condition number of a square one is
// about its side.
at::Tensor GaussianMatrix(int64_t rows, int64_t columns);

// Orthonormal rows or columns, up to rounding: the discrete cosine transform.
at::Tensor OrthonormalMatrix(int64_t rows, int64_t columns);

// That, and what a step of Adam at a learning rate of 1e-4 does to it.
at::Tensor NearOrthonormalMatrix(int64_t rows, int64_t columns);

// Random singular vectors, singular values from 1 to 1/condition in geometric
// progression. A raw weight under a constraint has a condition number near 10
// after training.
at::Tensor MatrixWithCondition(int64_t rows, int64_t columns, double condition);

}  // namespace lipschitz::benchmarks
