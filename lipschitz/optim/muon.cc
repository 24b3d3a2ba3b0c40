#include "lipschitz/optim/muon.h"

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lipschitz/optim/parameters.h"

namespace lipschitz {
namespace {

// Whether a parameter is one or more matrices: MuonOptions says which.
bool HasMatrices(const torch::Tensor& parameter) {
  return parameter.dim() >= 2 && parameter.dim() <= 4 && parameter.numel() > 0;
}

// Of each matrix.
torch::Tensor OrthogonaliseAll(const torch::Tensor& update,
                               const OrthogonaliseOptions& options) {
  if (update.dim() == 2) return Orthogonalise(update, options);
  if (update.dim() == 4) {
    return Orthogonalise(update.flatten(1), options).view_as(update);
  }
  std::vector<torch::Tensor> matrices;
  for (const torch::Tensor& matrix : update.unbind()) {
    matrices.push_back(Orthogonalise(matrix, options));
  }
  return torch::stack(matrices);
}

bool InUnitInterval(double x) { return x >= 0 && x < 1; }

std::string Key(size_t parameter, const char* what) {
  return "parameter_" + std::to_string(parameter) + "_" + what;
}

}  // namespace

void MuonOptions::serialize(torch::serialize::OutputArchive& archive) const {
  archive.write("lr", c10::IValue(lr_));
  archive.write("momentum", c10::IValue(momentum_));
  archive.write("iterations",
                c10::IValue(static_cast<int64_t>(orthogonalise_.iterations)));
  archive.write("smallest", c10::IValue(orthogonalise_.smallest));
  archive.write("schatten", c10::IValue(orthogonalise_.schatten));
  archive.write("vector_rate", c10::IValue(vector_rate_));
  archive.write("beta1", c10::IValue(std::get<0>(betas_)));
  archive.write("beta2", c10::IValue(std::get<1>(betas_)));
  archive.write("eps", c10::IValue(eps_));
}

void MuonOptions::serialize(torch::serialize::InputArchive& archive) {
  const auto read = [&archive](const char* key) {
    c10::IValue value;
    archive.read(key, value);
    return value;
  };
  lr_ = read("lr").toDouble();
  momentum_ = read("momentum").toDouble();
  orthogonalise_.iterations = static_cast<int>(read("iterations").toInt());
  orthogonalise_.smallest = read("smallest").toDouble();
  orthogonalise_.schatten = read("schatten").toBool();
  vector_rate_ = read("vector_rate").toDouble();
  betas_ = std::make_tuple(read("beta1").toDouble(), read("beta2").toDouble());
  eps_ = read("eps").toDouble();
}

Muon::Muon(std::vector<torch::Tensor> parameters, MuonOptions options)
    : torch::optim::Optimizer(
          {torch::optim::OptimizerParamGroup(std::move(parameters))},
          std::make_unique<MuonOptions>(options)) {
  TORCH_CHECK(options.lr() > 0,
              "Muon: the learning rate must be positive, got ", options.lr());
  TORCH_CHECK(options.vector_rate() > 0,
              "Muon: vector_rate must be positive, got ",
              options.vector_rate());
  TORCH_CHECK(options.eps() > 0, "Muon: eps must be positive, got ",
              options.eps());
  TORCH_CHECK(InUnitInterval(options.momentum()),
              "Muon: the momentum must be in [0, 1), got ", options.momentum());
  const auto [beta1, beta2] = options.betas();
  TORCH_CHECK(InUnitInterval(beta1) && InUnitInterval(beta2),
              "Muon: every beta must be in [0, 1), got ", beta1, " and ",
              beta2);
  const OrthogonaliseOptions& orthogonalise = options.orthogonalise();
  TORCH_CHECK(orthogonalise.iterations >= 1,
              "Muon: needs at least one iteration, got ",
              orthogonalise.iterations);
  TORCH_CHECK(orthogonalise.smallest > 0 && orthogonalise.smallest < 1,
              "Muon: the smallest share must be in (0, 1), got ",
              orthogonalise.smallest);
}

void Muon::StepMatrix(const MuonOptions& options, torch::Tensor parameter,
                      State* state) {
  const torch::Tensor& gradient = parameter.grad();
  state->momentum.mul_(options.momentum()).add_(gradient);
  parameter.sub_(
      OrthogonaliseAll(gradient + options.momentum() * state->momentum,
                       options.orthogonalise()),
      options.lr());
}

void Muon::StepVector(const MuonOptions& options, torch::Tensor parameter,
                      State* state) {
  const torch::Tensor& gradient = parameter.grad();
  const auto [beta1, beta2] = options.betas();
  if (!state->square.defined()) state->square = torch::zeros_like(parameter);
  state->momentum.mul_(beta1).add_(gradient, 1 - beta1);
  state->square.mul_(beta2).addcmul_(gradient, gradient, 1 - beta2);
  const double steps = static_cast<double>(state->steps);
  const double rate =
      options.lr() * options.vector_rate() / (1 - std::pow(beta1, steps));
  const torch::Tensor scale = (state->square / (1 - std::pow(beta2, steps)))
                                  .sqrt_()
                                  .add_(options.eps());
  parameter.addcdiv_(state->momentum, scale, -rate);
}

torch::Tensor Muon::step(LossClosure closure) {
  return StepParameters<MuonOptions>(
      param_groups(), closure, &states_,
      [](const MuonOptions& options, const torch::Tensor& parameter,
         State* state) {
        if (!state->momentum.defined()) {
          state->momentum = torch::zeros_like(parameter);
        }
        ++state->steps;
        (HasMatrices(parameter) ? StepMatrix : StepVector)(options, parameter,
                                                           state);
      });
}

void Muon::save(torch::serialize::OutputArchive& archive) const {
  archive.write("parameters",
                c10::IValue(static_cast<int64_t>(states_.size())));
  for (size_t i = 0; i < states_.size(); ++i) {
    const State& state = states_[i];
    archive.write(Key(i, "steps"), c10::IValue(state.steps));
    if (state.momentum.defined()) {
      archive.write(Key(i, "momentum"), state.momentum, /*is_buffer=*/true);
    }
    if (state.square.defined()) {
      archive.write(Key(i, "square"), state.square, /*is_buffer=*/true);
    }
  }
}

void Muon::load(torch::serialize::InputArchive& archive) {
  c10::IValue value;
  archive.read("parameters", value);
  states_.assign(static_cast<size_t>(value.toInt()), {});
  for (size_t i = 0; i < states_.size(); ++i) {
    archive.read(Key(i, "steps"), value);
    states_[i].steps = value.toInt();
    archive.try_read(Key(i, "momentum"), states_[i].momentum,
                     /*is_buffer=*/true);
    archive.try_read(Key(i, "square"), states_[i].square, /*is_buffer=*/true);
  }
}

}  // namespace lipschitz
