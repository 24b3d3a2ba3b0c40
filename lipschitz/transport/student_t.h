// Student's t distribution.
#pragma once

namespace lipschitz {

// The t with P(|T| ≤ t) = confidence, for T of Student's distribution with so
// many degrees of freedom (> 0, need not be whole; infinite: the normal
// distribution); confidence in (0, 1). To a relative 1e-6.
double StudentTQuantile(double confidence, double degrees_of_freedom);

}  // namespace lipschitz
