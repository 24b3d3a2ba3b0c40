#include "lipschitz/optim/aggmo.h"

#include <memory>
#include <string>
#include <utility>

#include "lipschitz/optim/parameters.h"

namespace lipschitz {
namespace {

std::string VelocityName(size_t parameter, size_t damping) {
  return "velocity_" + std::to_string(parameter) + "_" +
         std::to_string(damping);
}

}  // namespace

void AggMoOptions::serialize(torch::serialize::OutputArchive& archive) const {
  archive.write("lr", c10::IValue(lr_));
  archive.write("weight_decay", c10::IValue(weight_decay_));
  archive.write("betas",
                c10::IValue(c10::List<double>(c10::ArrayRef<double>(betas_))));
}

void AggMoOptions::serialize(torch::serialize::InputArchive& archive) {
  c10::IValue value;
  archive.read("lr", value);
  lr_ = value.toDouble();
  archive.read("weight_decay", value);
  weight_decay_ = value.toDouble();
  archive.read("betas", value);
  betas_ = value.toDoubleVector();
}

AggMo::AggMo(std::vector<torch::Tensor> parameters, AggMoOptions options)
    : torch::optim::Optimizer(
          {torch::optim::OptimizerParamGroup(std::move(parameters))},
          std::make_unique<AggMoOptions>(options)) {
  TORCH_CHECK(options.lr() > 0,
              "AggMo: the learning rate must be positive, got ", options.lr());
  TORCH_CHECK(!options.betas().empty(), "AggMo: needs at least one beta");
  for (const double beta : options.betas()) {
    TORCH_CHECK(beta >= 0 && beta < 1,
                "AggMo: every beta must be in [0, 1), got ", beta);
  }
}

torch::Tensor AggMo::step(LossClosure closure) {
  return StepParameters<AggMoOptions>(
      param_groups(), closure, &velocities_,
      [](const AggMoOptions& options, torch::Tensor parameter,
         std::vector<torch::Tensor>* velocities) {
        const double rate =
            options.lr() / static_cast<double>(options.betas().size());
        torch::Tensor gradient = parameter.grad();
        if (options.weight_decay() != 0) {
          gradient = gradient + options.weight_decay() * parameter;
        }
        velocities->resize(options.betas().size());
        for (size_t k = 0; k < velocities->size(); ++k) {
          torch::Tensor& velocity = (*velocities)[k];
          if (velocity.defined()) {
            velocity.mul_(options.betas()[k]).add_(gradient);
          } else {
            velocity = gradient.clone();
          }
          parameter.sub_(velocity, rate);
        }
      });
}

void AggMo::save(torch::serialize::OutputArchive& archive) const {
  archive.write("parameters",
                c10::IValue(static_cast<int64_t>(velocities_.size())));
  for (size_t i = 0; i < velocities_.size(); ++i) {
    archive.write("dampings_" + std::to_string(i),
                  c10::IValue(static_cast<int64_t>(velocities_[i].size())));
    for (size_t k = 0; k < velocities_[i].size(); ++k) {
      archive.write(VelocityName(i, k), velocities_[i][k], /*is_buffer=*/true);
    }
  }
}

void AggMo::load(torch::serialize::InputArchive& archive) {
  c10::IValue value;
  archive.read("parameters", value);
  velocities_.assign(static_cast<size_t>(value.toInt()), {});
  for (size_t i = 0; i < velocities_.size(); ++i) {
    archive.read("dampings_" + std::to_string(i), value);
    velocities_[i].resize(static_cast<size_t>(value.toInt()));
    for (size_t k = 0; k < velocities_[i].size(); ++k) {
      archive.read(VelocityName(i, k), velocities_[i][k], /*is_buffer=*/true);
    }
  }
}

}  // namespace lipschitz
