#!/usr/bin/env bash
# Sets the machine up, runs every experiment in the quick preset with one seed,
# and makes every table, every figure and the report, in reproduced/: to be laid
# beside the committed ones in results/, which have more seeds. Run again, it goes
# on where it stopped. Arguments go to the program: tools/reproduce.sh --seeds=3
set -euo pipefail
caller=$PWD
cd "$(dirname "$0")/.."

tools/setup.sh
bazel build //experiments:reproduce
# The user's flags come last, so that they win.
BUILD_WORKSPACE_DIRECTORY=$PWD BUILD_WORKING_DIRECTORY=$caller \
  exec bazel-bin/experiments/reproduce --preset=quick --seeds=1 \
  --results_dir="$PWD/reproduced" "$@"
