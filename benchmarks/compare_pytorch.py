#!/usr/bin/env python3
"""PyTorch's own orthonormal and spectral layers, measured as ours are.

One training step (Adam, cross-entropy, MaxMin) of 784-w-w-w-10 with
  none                    torch.nn.Linear
  spectral_norm           torch.nn.utils.parametrizations.spectral_norm
  orthogonal_cayley       torch.nn.utils.parametrizations.orthogonal, which has
  orthogonal_matrix_exp     three maps onto the orthogonal matrices
  orthogonal_householder
  bjorck20                20 differentiated iterations of W <- 1.5 W - 0.5 W W^T W
and that iteration alone. Writes what Google Benchmark would: context, and one
entry per measurement with its real_time.

Needs Debian's python3-torch, or any other PyTorch from 1.10 on.
"""

import argparse
import json
import math
import os
import platform
import sys
import time

try:
    import torch
except ImportError:
    sys.exit("compare_pytorch.py: this Python has no torch; Debian's package "
             "is python3-torch (and its interpreter /usr/bin/python3)")

from torch import nn
from torch.nn.utils import parametrizations, parametrize

INPUTS = 784
CLASSES = 10
WARM_UP_STEPS = 20


class MaxMin(nn.Module):
    """The larger and the smaller of each pair, without a sort: fastest here."""

    def forward(self, x):
        a, b = x.chunk(2, dim=-1)
        return torch.cat([torch.maximum(a, b), torch.minimum(a, b)], dim=-1)


def scaled_to_ball(w):
    """w over an estimate of its 2-norm (10 power iterations), a constant."""
    with torch.no_grad():
        v = torch.randn(w.shape[1])
        for _ in range(10):
            u = nn.functional.normalize(w @ v, dim=0)
            v = nn.functional.normalize(w.t() @ u, dim=0)
        norm = torch.dot(u, w @ v)
    return w / norm


def bjorck(w):
    """20 iterations of order 1, on the smaller Gram matrix."""
    w = scaled_to_ball(w)
    for _ in range(20):
        if w.shape[0] <= w.shape[1]:
            w = 1.5 * w - 0.5 * (w @ w.t()) @ w
        else:
            w = 1.5 * w - 0.5 * w @ (w.t() @ w)
    return w


class Bjorck(nn.Module):

    def forward(self, w):
        return bjorck(w)


def constrained(layer, method):
    if method == "none":
        return layer
    if method == "spectral_norm":
        return parametrizations.spectral_norm(layer)
    if method == "bjorck20":
        parametrize.register_parametrization(layer, "weight", Bjorck())
        return layer
    return parametrizations.orthogonal(
        layer, orthogonal_map=method.replace("orthogonal_", ""))


class TrainingStep:

    def __init__(self, method, width, batch):
        torch.manual_seed(0)
        sizes = [INPUTS, width, width, width, CLASSES]
        layers = []
        for i in range(4):
            layers.append(constrained(nn.Linear(sizes[i], sizes[i + 1]), method))
            if i < 3:
                layers.append(MaxMin())
        self.network = nn.Sequential(*layers)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=1e-4)
        self.x = torch.rand(batch, INPUTS)
        self.y = torch.randint(0, CLASSES, (batch,))

    def __call__(self):
        self.optimizer.zero_grad()
        nn.functional.cross_entropy(self.network(self.x), self.y).backward()
        self.optimizer.step()


class BothDirections:
    """Björck's iteration forwards and backwards on a fixed matrix."""

    def __init__(self, rows, columns):
        torch.manual_seed(0)
        self.w = torch.randn(rows, columns).requires_grad_(True)
        self.g = torch.randn(rows, columns)

    def __call__(self):
        torch.autograd.grad(bjorck(self.w), self.w, self.g)


def seconds(workload, repeats):
    start = time.perf_counter()
    for _ in range(repeats):
        workload()
    return (time.perf_counter() - start) / repeats


def measure(name, make, costly, min_time, repetitions):
    """Entries of `name`: a costly workload once, a cheap one for `min_time`
    seconds and `repetitions` times, as benchmarks/program.h does."""
    workload = make()
    if costly:
        times = [seconds(workload, 1)]
    else:
        for _ in range(WARM_UP_STEPS):
            workload()
        repeats = max(1, math.ceil(min_time / seconds(workload, 1)))
        times = [seconds(workload, repeats) for _ in range(repetitions)]
    print(f"{name:50} {1e3 * min(times):10.2f} ms", file=sys.stderr)
    return [{"name": name, "run_type": "iteration", "repetition_index": i,
             "real_time": 1e3 * t, "time_unit": "ms"}
            for i, t in enumerate(times)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True, help="the JSON file to write")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--min_time", type=float, default=0.05)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--costly", type=int, default=1,
                        help="0 leaves out what takes seconds a step")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    plan = []
    for width, batch in [(1024, 128), (1024, 1024), (256, 128)]:
        size = f"width:{width}/batch:{batch}"
        for method in ["none", "spectral_norm", "orthogonal_cayley",
                       "orthogonal_matrix_exp", "orthogonal_householder",
                       "bjorck20"]:
            # The constraint's price does not depend on the batch.
            costly = method not in ("none", "spectral_norm") and width == 1024
            if costly and batch != 128:
                continue
            plan.append((f"step/{method}/{size}",
                         lambda m=method, w=width, b=batch: TrainingStep(m, w, b),
                         costly))
    for rows, columns in [(256, 256), (256, 784), (1024, 1024)]:
        plan.append((f"both/bjorck20/{rows}x{columns}/gaussian",
                     lambda r=rows, c=columns: BothDirections(r, c),
                     rows == 1024))

    entries = []
    for name, make, costly in plan:
        if costly and not arguments.costly:
            continue
        entries += measure(name, make, costly, arguments.min_time,
                           arguments.repetitions)
    result = {"context": {"pytorch": torch.__version__,
                          "python": platform.python_version(),
                          "threads": torch.get_num_threads()},
              "benchmarks": entries}
    temporary = f"{arguments.out}.{os.getpid()}.tmp"
    with open(temporary, "w", encoding="utf-8") as stream:
        json.dump(result, stream, indent=1)
    os.replace(temporary, arguments.out)


if __name__ == "__main__":
    main()
