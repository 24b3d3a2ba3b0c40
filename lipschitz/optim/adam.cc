#include "lipschitz/optim/adam.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>

#include <cmath>
#include <memory>
#include <string>
#include <utility>

#include "lipschitz/optim/adam_kernel.h"
#include "lipschitz/optim/parameters.h"

namespace lipschitz {
namespace {

// Numbers that a thread takes at least.
constexpr int64_t kGrain = int64_t{1} << 15;

// Of every group: one that is added or changed later has not been through the
// constructor.
void ExpectSupported(const torch::optim::AdamOptions& options) {
  TORCH_CHECK(options.weight_decay() == 0 && !options.amsgrad(),
              "Adam: neither weight decay nor amsgrad is supported; "
              "torch::optim::Adam has both");
}

bool InUnitInterval(double x) { return x >= 0 && x < 1; }

std::string Key(size_t parameter, const char* what) {
  return "parameter_" + std::to_string(parameter) + "_" + what;
}

bool HasLoop(const torch::Tensor& parameter, const torch::Tensor& first,
             const torch::Tensor& second) {
  return parameter.is_cpu() && parameter.is_contiguous() &&
         first.is_contiguous() && second.is_contiguous() &&
         (parameter.scalar_type() == torch::kFloat ||
          parameter.scalar_type() == torch::kDouble);
}

void StepOnCpu(const AdamFactors& factors, const torch::Tensor& gradient,
               torch::Tensor first, torch::Tensor second,
               torch::Tensor parameter) {
  AT_DISPATCH_FLOATING_TYPES(parameter.scalar_type(), "adam", [&] {
    const AdamStep<scalar_t> step = GetAdamStep<scalar_t>();
    const scalar_t* const g = gradient.data_ptr<scalar_t>();
    scalar_t* const m = first.data_ptr<scalar_t>();
    scalar_t* const v = second.data_ptr<scalar_t>();
    scalar_t* const p = parameter.data_ptr<scalar_t>();
    at::parallel_for(
        0, parameter.numel(), kGrain, [&](int64_t begin, int64_t end) {
          step(factors, g + begin, static_cast<size_t>(end - begin), m + begin,
               v + begin, p + begin);
        });
  });
}

void StepAnywhere(const AdamFactors& factors, const torch::Tensor& gradient,
                  torch::Tensor first, torch::Tensor second,
                  torch::Tensor parameter) {
  first.mul_(factors.beta1).add_(gradient, 1 - factors.beta1);
  second.mul_(factors.beta2).addcmul_(gradient, gradient, 1 - factors.beta2);
  const torch::Tensor scale =
      (second.sqrt() / std::sqrt(factors.bias2)).add_(factors.eps);
  parameter.addcdiv_(first, scale, -(factors.rate / factors.bias1));
}

}  // namespace

Adam::Adam(std::vector<torch::Tensor> parameters,
           torch::optim::AdamOptions options)
    : torch::optim::Optimizer(
          {torch::optim::OptimizerParamGroup(std::move(parameters))},
          std::make_unique<torch::optim::AdamOptions>(options)) {
  TORCH_CHECK(options.lr() > 0,
              "Adam: the learning rate must be positive, got ", options.lr());
  TORCH_CHECK(options.eps() > 0, "Adam: eps must be positive, got ",
              options.eps());
  const auto [beta1, beta2] = options.betas();
  TORCH_CHECK(InUnitInterval(beta1) && InUnitInterval(beta2),
              "Adam: every beta must be in [0, 1), got ", beta1, " and ",
              beta2);
  ExpectSupported(options);
}

void Adam::Step(const torch::optim::AdamOptions& options,
                torch::Tensor parameter, State* state) {
  ExpectSupported(options);
  if (!state->first.defined()) {
    state->first = torch::zeros_like(parameter);
    state->second = torch::zeros_like(parameter);
  }
  // The loop over memory would not notice.
  for (const torch::Tensor& tensor :
       {parameter.grad(), state->first, state->second}) {
    TORCH_CHECK(tensor.sizes() == parameter.sizes(),
                "Adam: a gradient or a moment of the shape ", tensor.sizes(),
                " for a parameter of the shape ", parameter.sizes(),
                "; is the checkpoint that of another network?");
  }
  const auto [beta1, beta2] = options.betas();
  const double steps = static_cast<double>(++state->steps);
  AdamFactors factors;
  factors.beta1 = beta1;
  factors.beta2 = beta2;
  factors.bias1 = 1 - std::pow(beta1, steps);
  factors.bias2 = 1 - std::pow(beta2, steps);
  factors.rate = options.lr();
  factors.eps = options.eps();
  const torch::Tensor gradient = parameter.grad().contiguous();
  (HasLoop(parameter, state->first, state->second) ? StepOnCpu : StepAnywhere)(
      factors, gradient, state->first, state->second, parameter);
}

torch::Tensor Adam::step(LossClosure closure) {
  return StepParameters<torch::optim::AdamOptions>(param_groups(), closure,
                                                   &states_, Step);
}

void Adam::save(torch::serialize::OutputArchive& archive) const {
  archive.write("parameters",
                c10::IValue(static_cast<int64_t>(states_.size())));
  for (size_t i = 0; i < states_.size(); ++i) {
    const State& state = states_[i];
    archive.write(Key(i, "steps"), c10::IValue(state.steps));
    if (state.steps == 0) continue;
    archive.write(Key(i, "first"), state.first, /*is_buffer=*/true);
    archive.write(Key(i, "second"), state.second, /*is_buffer=*/true);
  }
}

void Adam::load(torch::serialize::InputArchive& archive) {
  c10::IValue value;
  archive.read("parameters", value);
  states_.assign(static_cast<size_t>(value.toInt()), {});
  for (size_t i = 0; i < states_.size(); ++i) {
    State& state = states_[i];
    archive.read(Key(i, "steps"), value);
    state.steps = value.toInt();
    if (state.steps == 0) continue;
    archive.read(Key(i, "first"), state.first, /*is_buffer=*/true);
    archive.read(Key(i, "second"), state.second, /*is_buffer=*/true);
  }
}

}  // namespace lipschitz
