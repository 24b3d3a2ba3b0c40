// The processor at hand, for the record.
#pragma once

#include <string>

namespace lipschitz {

// "AMD EPYC (family 26, model 2), AVX-512": names of models alone may say
// little, and what a BLAS makes of a processor depends on the rest.
std::string DescribeProcessor();

bool HasAvx512();

}  // namespace lipschitz
